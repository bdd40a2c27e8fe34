"""Every setting, declared once; the environment is read into them once and nowhere else.

A new setting is one field here, its line in `docs/settings.md` and its entry in `app.json`. Both
repeat the declaration, and a test compares them.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from webapp.settings import defaults, urls, values
from webapp.settings.clients import Client, clients
from webapp.settings.contradictions import contradictions
from webapp.settings.declaration import (
    Derived,
    SettingsError,
    declared_by,
    read_all,
    setting,
)

__all__ = ["Settings", "SettingsError", "misspelt"]

EXAMPLE = "example known-to-everybody-so-only-for-development http://localhost:8001/callback"
ALIKE = 0.85  # SENDS_PER_HUOR is SENDS_PER_HOUR; REDIS_TLS_URL is not REDIS_URL
TWILIO_TEXTS = ("MESSENGER=twilio", "MESSENGER_FALLBACK=twilio")
TWILIO = ("VERIFY_PROVIDER=twilio", *TWILIO_TEXTS)  # each needs the account
VONAGE = ("MESSENGER=vonage", "MESSENGER_FALLBACK=vonage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says."""

    development: bool

    secret_key: str = setting(
        "keys HMACs and signatures; 32 or more random characters",
        values.secret,
        None,
        development=Derived("made once, kept in `.secret_key`", defaults.development_secret),
        secret=True,
    )
    database_url: str = setting(
        "where the data is: `sqlite://path` or `postgres://…`, which is read as libpq reads it; an "
        "option that is not supported stops the start",
        urls.database,
        None,
        development="sqlite://app.sqlite3",
        secret=True,
    )
    database_schema: str = setting(
        "the PostgreSQL schema that all our tables are in, made by `migrate`",
        values.schema,
        Derived("`public`, or where the role's `search_path` leads"),
    )
    # Two dynos of 8, a worker, a release and a look by hand fit the 20 of the smallest databases.
    database_pool_size: int = setting(
        "the most connections to PostgreSQL of one `web`, which its processes share; each has at "
        "least one",
        values.integer(1, 1000),
        "8",
    )
    port: int = setting(
        "the port that the web processes listen on; platforms set it",
        values.integer(1, 65535),
        "8000",
    )
    base_url: str = setting(
        "the public origin, such as `https://example.com`. The `Host` check, the check that a "
        "form came from our own pages, and the texts use it. It must be `https` in production "
        "unless its host is loopback",
        urls.public_origin,
        None,
        development=Derived("`http://localhost:8000`", defaults.local_origin),
    )
    site_name: str = setting(
        "the name that people read on the page and in texts",
        default=Derived("the host of `BASE_URL`", defaults.host),
        development="Demo",
    )
    code_name: str = setting(
        "the site's name inside texts, where `SITE_NAME` is too long for one text in letters that "
        "GSM-7 does not have",
        default=Derived("`SITE_NAME`", lambda read: str(read["site_name"])),
    )

    verify_provider: str = setting(
        "who sends and checks the codes: `twilio` (Verify v2), `codes` (our own codes as plain "
        "texts), `authy` (legacy), `sandbox` (development only)",
        values.choice("twilio", "codes", "authy", "sandbox"),
        "twilio",
        development="sandbox",
    )
    whatsapp: bool = setting(
        "`1` offers the code by WhatsApp too, where the Verify service has a sender for it",
        values.switch,
        "0",
    )
    messenger: str = setting(
        "who carries plain texts, our own codes among them: `twilio` (Messages) or `vonage` (SMS "
        "API)",
        values.choice("twilio", "vonage"),
        "twilio",
    )
    messenger_fallback: str = setting(
        "who carries them where `MESSENGER` is down: `twilio` or `vonage`",
        values.choice("twilio", "vonage"),
    )

    twilio_account_sid: str = setting(
        "the Twilio account, `AC…`", values.sid("AC"), needed_with=TWILIO
    )
    twilio_auth_token: str = setting(
        "the account's auth token; or use an API key and its secret",
        needed_with=TWILIO,
        instead="TWILIO_API_KEY",
        secret=True,
    )
    twilio_api_key: str = setting(
        "a Twilio API key, `SK…`, instead of the auth token",
        values.sid("SK"),
        needed_with=("TWILIO_API_KEY_SECRET",),
    )
    twilio_api_key_secret: str = setting(
        "the secret of `TWILIO_API_KEY`", needed_with=("TWILIO_API_KEY",), secret=True
    )
    twilio_verify_service_sid: str = setting(
        "the Verify service, `VA…`",
        values.sid("VA"),
        needed_with=("VERIFY_PROVIDER=twilio",),
    )
    twilio_number: str = setting(
        "the number, or the sender's name, that plain texts come from",
        values.sender,
        needed_with=TWILIO_TEXTS,
        instead="TWILIO_MESSAGING_SERVICE_SID",
    )
    twilio_messaging_service_sid: str = setting(
        "a Twilio messaging service, `MG…`, instead of `TWILIO_NUMBER`", values.sid("MG")
    )
    twilio_base_url: str = setting(
        "sends Twilio's calls to this origin instead; the path stays the same",
        urls.origin,
        Derived("Twilio's hosts"),
    )
    authy_api_key: str = setting(
        "Authy's production key", needed_with=("VERIFY_PROVIDER=authy",), secret=True
    )
    authy_base_url: str = setting(
        "sends Authy's calls to this origin instead; the path stays the same",
        urls.origin,
        Derived("Authy's host"),
    )
    vonage_api_key: str = setting("the key of the Vonage account", needed_with=VONAGE)
    vonage_api_secret: str = setting("the account's secret", needed_with=VONAGE, secret=True)
    vonage_number: str = setting(
        "the number, or the sender's name, that plain texts come from",
        values.sender,
        needed_with=VONAGE,
    )
    vonage_base_url: str = setting(
        "sends Vonage's calls to this origin instead; the path stays the same",
        urls.origin,
        Derived("Vonage's host"),
    )
    pwned_passwords_url: str = setting(
        "the service that tells, by the first five digits of a digest, which passwords are known "
        "from breaches, or `off`; where it does not answer within a second, nobody is refused",
        urls.origin_or_off,
        "https://api.pwnedpasswords.com",
        development="off",
    )
    provider_timeout: float = setting(
        "seconds that one call to a vendor may take, retries included", values.seconds(20), "10"
    )

    smtp_url: str = setting(
        "the mail server: `smtp://user:password@host:587` (with STARTTLS, except on loopback) or "
        "`smtps://user:password@host:465`; without it no email is sent",
        urls.smtp,
        development=Derived("the sandbox's mailbox"),
        secret=True,
    )
    mail_from: str = setting(
        "whom emails come from: an address, or a name and an address such as "
        "`Example <no-reply@example.com>`; without a name it is `SITE_NAME`",
        values.mail_sender,
        needed_with=("SMTP_URL",),
    )
    continue_url: str = setting(
        'where the button "Continue" on the account leads; without it there is no such button, '
        "unless the person came with a `return_to`",
        urls.link,
    )
    terms_url: str = setting("the terms of use, linked at the foot of every page", urls.link)
    privacy_url: str = setting("the privacy policy, linked at the foot of every page", urls.link)
    support_url: str = setting(
        "where people turn for help, linked at the foot of every page; may be `mailto:`",
        urls.contact,
    )
    return_origins: frozenset[str] = setting(
        "origins, separated by commas, that `return_to` may lead to besides our own",
        urls.origins,
        empty=frozenset(),
    )
    oidc_clients: tuple[Client, ...] = setting(
        "the applications that people sign in to here by OpenID Connect, one a line (or separated "
        "by `;`): `client_id client_secret redirect_uri [redirect_uri …]`",
        clients,
        development=Derived("the application in `examples/`", lambda _: EXAMPLE),
        empty=(),
        secret=True,
    )

    webhook_url: str = setting(
        "where events of accounts are posted to, signed by the Standard Webhooks specification",
        urls.link,
        needed_with=("WEBHOOK_SECRET",),
        secret=True,
    )
    webhook_secret: str = setting(
        "the key of the signatures: `whsec_` and 24 to 64 random bytes in base64",
        values.webhook_secret,
        needed_with=("WEBHOOK_URL",),
        secret=True,
    )

    metrics_token: str = setting(
        "Prometheus reads `/metrics` with `Authorization: Bearer` and this; without it there is no "
        "such page",
        secret=True,
    )
    allowed_countries: frozenset[str] = setting(
        "ISO 3166 codes of the countries that may receive codes, separated by commas; `GB` and "
        "`US` include their territories with the same calling code",
        values.countries,
        Derived("all"),
        empty=frozenset(),
    )
    trusted_proxy_hops: int = setting(
        "how many of your proxies append to `X-Forwarded-For`; we take the client's address that "
        "many entries from the right",
        values.integer(0, 10),
        "0",
    )
    redis_url: str = setting(
        "a Redis in which all processes count requests by address; `?ssl_cert_reqs=none` accepts a "
        "self-signed `rediss://`",
        urls.redis,
        Derived("each process counts for itself"),
        secret=True,
    )
    log_format: str = setting(
        "how the log is written: `json` or `console`",
        values.choice("json", "console"),
        "json",
        development="console",
    )
    outbox_in_web: bool = setting(
        "`1` delivers texts in the web processes too; `0` leaves them to `worker`",
        values.switch,
        "1",
    )
    web_concurrency: int = setting(
        "the number of web processes; platforms set it", values.integer(1, 64), "1"
    )

    session_idle: timedelta = setting(
        "when a session ends that is not used, such as `30m`, `12h` or `14d`",
        values.duration(timedelta(minutes=15), timedelta(days=400)),
        "14d",
    )
    session_lifetime: timedelta = setting(
        "when a session ends however much it is used; at least `SESSION_IDLE`",
        values.duration(timedelta(minutes=15), timedelta(days=400)),
        "90d",
    )

    challenge: str = setting(
        "whether a sign-up proves work in the browser before each text: `auto`, where a "
        "prefix or an address is half way to its limit; `always`; `off`",
        values.choice("auto", "off", "always"),
        "auto",
    )
    signups_per_ip: str | None = setting(
        "sign-ups from one address, or `off`", values.rate, "10/hour"
    )
    signins_per_ip: str | None = setting(
        "passwords entered and passkeys used from one address to sign in, or `off`",
        values.rate,
        "30/10minutes",
    )
    checks_per_ip: str | None = setting(
        "codes entered from one address, or `off`", values.rate, "30/10minutes"
    )
    resends_per_ip: str | None = setting(
        "resends and changes of number from one address, or `off`", values.rate, "20/hour"
    )
    sends_per_phone: int | None = setting(
        "texts and calls to one phone in 24 hours, or `off`", values.limit, "10"
    )
    sends_per_hour: int | None = setting(
        "texts and calls of the whole site in an hour, or `off`", values.limit, "1000"
    )
    spend_per_hour: int | None = setting(
        "money that texts and calls may cost in an hour, in `SPEND_CURRENCY`, or `off`",
        values.money,
        "off",
    )
    spend_per_day: int | None = setting(
        "money that texts and calls may cost in 24 hours, in `SPEND_CURRENCY`, or `off`",
        values.money,
        "off",
    )
    spend_currency: str = setting(
        "currency of the two and of `PRICES` (ISO 4217)", values.currency, "USD"
    )
    prices: Mapping[str, int] = setting(
        "price of a text by country, `*` for all others, like `TR=0.05,NG=0.11,*=0.06`, in place "
        "of Twilio's list",
        values.prices,
        "",
    )
    accounts_per_phone: int | None = setting(
        "verified accounts that one number may have, or `0` for any number",
        values.accounts,
        "3",
    )
    # An honest launch that sends 250 codes an hour into a single area code with one in five never
    # entered stays just under it; a pumping run is stopped after fifty texts.
    prefix_brake: int | None = setting(
        "unverified sends to one dialling prefix in an hour before it is braked, or `off`",
        values.limit,
        "50",
    )

    # The vendors that the sandbox stands in for; development decides
    simulated: frozenset[str] = frozenset()

    @property
    def uses_twilio(self) -> bool:
        """Whether texts go by a Twilio account."""
        return bool({"twilio", "sandbox"} & {self.verify_provider, self.messenger})

    @classmethod
    def load(cls, environ: Mapping[str, str], *, development: bool = False) -> "Settings":
        """Settings from ``environ``; raises ``SettingsError`` with every fault at once."""
        read, faults = read_all(declared_by(cls), environ, development=development)
        settings = cls(development=development, **read)
        for name, why in contradictions(settings):
            faults.setdefault(name, why)
        if faults:
            raise SettingsError(faults)
        return settings

    @classmethod
    def from_environment(cls, *, development: bool = False, **instead: str) -> "Settings":
        """The process's own settings, but ``instead`` of some.

        Where they are faulty the process ends, with status 1 and a line for each fault.
        """
        try:
            return cls.load({**os.environ, **instead}, development=development)
        except SettingsError as error:
            sys.exit("\n".join(["The settings are faulty:", *error.faults]))

    @property
    def https(self) -> bool:
        return self.base_url.startswith("https:")


def misspelt() -> Iterator[tuple[str, str]]:
    """Variables of the process's environment that look like a setting's, and which."""
    names = list(declared_by(Settings))
    for name in os.environ.keys() - names:
        if close := get_close_matches(name, names, n=1, cutoff=ALIKE):
            yield name, close[0]
