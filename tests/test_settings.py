"""The environment becomes Settings, or one line for each fault."""

import json
from pathlib import Path

import pytest

from tests.servers import ROOT, production_environ
from webapp.accounts.policy.rules import SESSION_LIFE, SessionLife
from webapp.providers.registry import MESSENGERS, VERIFIERS
from webapp.settings import Settings, SettingsError
from webapp.settings.declaration import Setting, declared_by

APP_SECRET = "Zk3v9Qx7Lr2Wm8Yb5Tn1Hc6Jd4Fs0GpKe7Ua3Xi"
SQLITE = "sqlite://app.sqlite3"


def production(**changes: str | None) -> Settings:
    """Settings of a whole production environment with some variables changed, or taken out."""
    environ: dict[str, str | None] = {**production_environ(SQLITE), "WEB_CONCURRENCY": None}
    environ |= {"BASE_URL": "https://example.com"} | changes
    return Settings.load({name: value for name, value in environ.items() if value is not None})


def faults(**changes: str | None) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        production(**changes)
    return refused.value.faults


def test_a_whole_production_environment_has_no_fault() -> None:
    settings = production()
    assert not settings.development
    assert settings.verify_provider == "twilio"
    assert settings.base_url == "https://example.com"
    assert settings.database_url == SQLITE
    assert settings.log_format == "json"
    assert settings.trusted_proxy_hops == 0
    assert settings.redis_url == ""
    assert settings.outbox_in_web
    assert settings.provider_timeout == 10
    assert settings.allowed_countries == frozenset()
    assert settings.signups_per_ip == "10/hour"
    assert settings.checks_per_ip == "30/10minutes"
    assert settings.resends_per_ip == "20/hour"
    assert settings.sends_per_phone == 10
    assert settings.sends_per_hour == 1000
    assert settings.prefix_brake


def test_development_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.load({}, development=True)
    assert settings.development
    assert settings.verify_provider == "sandbox"
    assert settings.base_url == "http://localhost:8000"
    assert settings.database_url == "sqlite://app.sqlite3"
    assert settings.log_format == "console"


def test_the_development_secret_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = Settings.load({}, development=True).secret_key
    assert len(first) >= 32
    assert Settings.load({}, development=True).secret_key == first


@pytest.mark.parametrize("obstacle", ["unreadable", "a folder", "no room for it", "too short"])
def test_a_secret_that_cannot_be_kept_is_told_in_words(
    obstacle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".secret_key"
    if obstacle == "unreadable":
        file.write_bytes(b"\xff" * 40)
    elif obstacle == "a folder":
        file.mkdir()
    elif obstacle == "no room for it":  # root may write into any folder but into none that is gone
        tmp_path.rmdir()
    else:
        file.write_text("short")
    with pytest.raises(SettingsError) as raised:
        Settings.load({}, development=True)
    (fault,) = raised.value.faults
    assert fault.startswith("SECRET_KEY: ")
    assert ".secret_key" in fault


def test_an_empty_production_environment_names_all_that_is_missing_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load({})
    named = [fault.split(":")[0] for fault in refused.value.faults]
    assert sorted(named) == [
        "BASE_URL",
        "DATABASE_URL",
        "SECRET_KEY",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
        "TWILIO_NUMBER",
        "TWILIO_VERIFY_SERVICE_SID",
    ]
    assert str(refused.value).splitlines() == refused.value.faults


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", None),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 64),
        ("DATABASE_URL", None),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "mysql://localhost/app"),
        ("DATABASE_URL", "postgres://localhost"),
        ("DATABASE_URL", "postgres://localhost:port/app"),
        ("DATABASE_URL", "postgres://localhost/app?sslmode=maybe"),
        ("DATABASE_URL", "postgres:///app?host=localhost&port=port"),
        ("DATABASE_URL", "postgres://localhost/app?sslmode=verify-full&sslrootcert=/nowhere.pem"),
        ("BASE_URL", None),
        ("BASE_URL", "example.com"),
        ("BASE_URL", "http://example.com"),
        ("BASE_URL", "https://example.com/signup"),
        ("BASE_URL", "https://example.com?a=b"),
        ("BASE_URL", "https://user@example.com"),
        ("BASE_URL", "https://:password@example.com"),
        ("BASE_URL", "https://example.com?"),
        ("BASE_URL", "https://example.com:0"),
        ("BASE_URL", "https://exam ple.com"),
        ("BASE_URL", "https://*.example.com"),
        ("BASE_URL", "https://example..com"),
        ("BASE_URL", "ftp://example.com"),
        ("VERIFY_PROVIDER", "carrier-pigeon"),
        ("VERIFY_PROVIDER", "sandbox"),
        ("TWILIO_ACCOUNT_SID", None),
        ("TWILIO_ACCOUNT_SID", "SK0123456789abcdef0123456789abcdef"),
        ("TWILIO_AUTH_TOKEN", None),
        ("TWILIO_VERIFY_SERVICE_SID", None),
        ("TWILIO_VERIFY_SERVICE_SID", "MG0123456789abcdef0123456789abcdef"),
        ("TWILIO_NUMBER", None),
        ("TWILIO_NUMBER", "(415) 555-0132"),
        ("TWILIO_MESSAGING_SERVICE_SID", "VA0123456789abcdef0123456789abcdef"),
        ("TWILIO_BASE_URL", "stand-in:8000"),
        ("AUTHY_BASE_URL", "stand-in:8000"),
        ("PWNED_PASSWORDS_URL", "api.pwnedpasswords.com"),
        ("ALLOWED_COUNTRIES", "DE,XX"),
        ("TRUSTED_PROXY_HOPS", "-1"),
        ("TRUSTED_PROXY_HOPS", "one"),
        ("TRUSTED_PROXY_HOPS", "1" * 5000),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://["),
        ("REDIS_URL", "redis://cache:port"),
        ("REDIS_URL", "redis://cache:6379?colour=red"),
        ("REDIS_URL", "rediss://cache:6379?ssl_cert_reqs=perhaps"),
        ("SMTP_URL", "smtp.example.com:587"),
        ("SMTP_URL", "https://smtp.example.com"),
        ("SMTP_URL", "smtp://smtp.example.com:port"),
        ("SMTP_URL", "smtp://smtp.example.com:465"),
        ("SMTP_URL", "smtp://user:pass/word@smtp.example.com"),
        ("SMTP_URL", "smtps://smtp.example.com?verify=no"),
        ("SMTP_URL", "smtp://"),
        ("MAIL_FROM", "no-reply"),
        ("MAIL_FROM", "no-reply@example.com, hello@example.com"),
        ("MAIL_FROM", "Example <no-reply@example.com"),
        ("MAIL_FROM", "nö-reply@example.com"),
        ("MAIL_FROM", "no-reply@example.com\r\nBcc: eve@example.com"),
        ("CONTINUE_URL", "/account"),
        ("CONTINUE_URL", "javascript:alert(1)"),
        ("CONTINUE_URL", "https://user@example.com/"),
        ("RETURN_ORIGINS", "https://app.example.com/path"),
        ("RETURN_ORIGINS", "https://app.example.com,*"),
        ("RETURN_ORIGINS", "null"),
        ("OIDC_CLIENTS", "shop"),
        ("OIDC_CLIENTS", f"shop {APP_SECRET}"),
        ("OIDC_CLIENTS", "shop short https://shop.example.com/callback"),
        ("OIDC_CLIENTS", f"sh:op {APP_SECRET} https://shop.example.com/callback"),
        ("OIDC_CLIENTS", f"shop {APP_SECRET} http://shop.example.com/callback"),
        ("OIDC_CLIENTS", f"shop {APP_SECRET} https://shop.example.com/callback#top"),
        ("OIDC_CLIENTS", f"shop {APP_SECRET} https://user@shop.example.com/callback"),
        ("OIDC_CLIENTS", f"shop {APP_SECRET} myapp://callback"),
        ("OIDC_CLIENTS", f"a {APP_SECRET} https://a.b;a {APP_SECRET} https://a.c"),
        ("LOG_FORMAT", "xml"),
        ("OUTBOX_IN_WEB", "yes"),
        ("PROVIDER_TIMEOUT", "0"),
        ("PROVIDER_TIMEOUT", "60"),
        ("PROVIDER_TIMEOUT", "nan"),
        ("PROVIDER_TIMEOUT", "soon"),
        ("SESSION_IDLE", "0d"),
        ("SESSION_IDLE", "14"),
        ("SESSION_IDLE", "2 weeks"),
        ("SESSION_LIFETIME", "401d"),
        ("SESSION_LIFETIME", "1d"),
        ("SIGNUPS_PER_IP", "many"),
        ("CHECKS_PER_IP", "0"),
        ("RESENDS_PER_IP", "10 per fortnight"),
        ("SENDS_PER_PHONE", "0"),
        ("SENDS_PER_HOUR", "-5"),
        ("PREFIX_BRAKE", "1.5"),
        ("WEB_CONCURRENCY", "0"),
    ],
)
def test_a_faulty_variable_is_named_and_no_other(variable: str, value: str | None) -> None:
    (fault,) = faults(**{variable: value})
    assert fault.startswith(f"{variable}: ")


def test_several_faults_are_all_told_at_once() -> None:
    found = faults(SECRET_KEY=None, LOG_FORMAT="xml", SENDS_PER_HOUR="none", BASE_URL="http://a.b")
    assert {fault.split(":")[0] for fault in found} == {
        "SECRET_KEY",
        "LOG_FORMAT",
        "SENDS_PER_HOUR",
        "BASE_URL",
    }


def test_a_fault_never_repeats_a_secret() -> None:
    secret = "hunter2hunter2"
    found = faults(SECRET_KEY=secret, DATABASE_URL=f"postgres://u:{secret}@h/d?sslmode=x")
    assert secret not in "\n".join(found)


def test_settings_shown_hide_their_secrets() -> None:
    settings = production(DATABASE_URL="postgres://u:hunter2@h/d", REDIS_URL="redis://:hunter2@h")
    shown = repr(settings)
    assert "hunter2" not in shown
    for secret in (settings.secret_key, settings.twilio_auth_token, settings.authy_api_key):
        assert secret not in shown


def test_an_api_key_replaces_the_auth_token_and_needs_its_secret() -> None:
    key = "SK" + "0123456789abcdef" * 2
    settings = production(
        TWILIO_AUTH_TOKEN=None, TWILIO_API_KEY=key, TWILIO_API_KEY_SECRET="secret"
    )
    assert settings.twilio_api_key == key
    (fault,) = faults(TWILIO_API_KEY="AC" + key, TWILIO_API_KEY_SECRET="secret")
    assert "TWILIO_API_KEY" in fault
    (fault,) = faults(TWILIO_API_KEY=key)
    assert "TWILIO_API_KEY_SECRET" in fault
    (fault,) = faults(TWILIO_API_KEY_SECRET="secret")
    assert "TWILIO_API_KEY" in fault


def test_a_messaging_service_replaces_the_number() -> None:
    service = "MG" + "0123456789abcdef" * 2
    settings = production(TWILIO_NUMBER=None, TWILIO_MESSAGING_SERVICE_SID=service)
    assert settings.twilio_messaging_service_sid == service


@pytest.mark.parametrize(
    ("provider", "needed"),
    [("twilio", {"TWILIO_VERIFY_SERVICE_SID"}), ("authy", {"AUTHY_API_KEY"}), ("codes", set())],
)
def test_each_verifier_needs_its_own_credentials_and_no_others(
    provider: str, needed: set[str]
) -> None:
    own = {"TWILIO_VERIFY_SERVICE_SID", "AUTHY_API_KEY"}
    without_others = dict.fromkeys(own - needed)
    assert production(VERIFY_PROVIDER=provider, **without_others).verify_provider == provider
    for name in needed:
        assert faults(**{"VERIFY_PROVIDER": provider, name: None})[0].startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("messenger", "needed"),
    [
        ("twilio", {"TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_NUMBER"}),
        ("vonage", {"VONAGE_API_KEY", "VONAGE_API_SECRET", "VONAGE_NUMBER"}),
    ],
)
def test_each_messenger_needs_its_own_credentials_and_no_others(
    messenger: str, needed: set[str]
) -> None:
    own = {name for name in DECLARED if name.startswith(("TWILIO_", "VONAGE_"))}
    without_others = dict.fromkeys(own - needed)
    chosen = {"VERIFY_PROVIDER": "codes", "MESSENGER": messenger}
    assert production(**chosen, **without_others).messenger == messenger
    for name in needed:
        assert faults(**chosen, **{name: None})[0].startswith(f"{name}: ")


@pytest.mark.parametrize("provider", ["codes", "authy"])
def test_whatsapp_is_a_channel_of_one_verifier_alone(provider: str) -> None:
    assert production(WHATSAPP="1").whatsapp
    (fault,) = faults(VERIFY_PROVIDER=provider, WHATSAPP="1")
    assert fault.startswith("WHATSAPP: ")


def test_a_messenger_is_no_fallback_for_itself() -> None:
    vonage = {"VONAGE_API_KEY": "key", "VONAGE_API_SECRET": "secret", "VONAGE_NUMBER": "Example"}
    assert production(MESSENGER_FALLBACK="vonage", **vonage).messenger_fallback == "vonage"
    (fault,) = faults(MESSENGER_FALLBACK="twilio")
    assert fault.startswith("MESSENGER_FALLBACK: ")
    missing = faults(MESSENGER_FALLBACK="vonage", **dict.fromkeys(vonage))
    assert [fault.partition(":")[0] for fault in missing] == [*vonage]


def test_the_vendors_that_can_be_chosen_are_those_that_there_are() -> None:
    for variable, known in (
        ("MESSENGER", {*MESSENGERS}),
        ("VERIFY_PROVIDER", {*VERIFIERS, "codes"}),
    ):
        (fault,) = faults(**{variable: "carrier-pigeon"})
        assert set(fault.partition("must be one of ")[2].split(", ")) == known


@pytest.mark.parametrize(
    "url",
    [
        "postgres://user:p%40ss@db.example.com:5432/app",
        "postgresql://user@localhost/app?sslmode=require",
        "postgres://user@localhost/app?sslmode=verify-full",
        "sqlite://app.sqlite3",
        "sqlite:///var/lib/app.sqlite3",
    ],
)
def test_database_urls_are_taken_as_platforms_write_them(url: str) -> None:
    assert production(DATABASE_URL=url).database_url == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80"])
def test_plain_http_is_for_loopback_alone(url: str) -> None:
    assert production(BASE_URL=url).base_url == url


@pytest.mark.parametrize("sender", ["+15005550006", "22395", "Allotments", "A & B"])
def test_a_text_comes_from_a_number_a_short_code_or_a_name(sender: str) -> None:
    assert production(TWILIO_NUMBER=sender).twilio_number == sender


@pytest.mark.parametrize(
    "sender", ["no-reply@example.com", "Allotments <no-reply@example.com>", '"A, B" <ab@mail>']
)
def test_an_email_comes_from_an_address_with_or_without_a_name(sender: str) -> None:
    settings = production(SMTP_URL="smtps://user:pa%2Fss@smtp.example.com", MAIL_FROM=sender)
    assert settings.mail_from == sender


def test_a_mail_server_needs_a_sender() -> None:
    assert faults(SMTP_URL="smtp://localhost:25") == ["MAIL_FROM: is missing: SMTP_URL needs it"]


def test_applications_are_read_from_lines_or_semicolons() -> None:
    shop, blog = (
        f"shop {APP_SECRET} https://a.b/c https://a.b/d",
        f"blog {APP_SECRET} http://[::1]:1",
    )
    for text in (f"{shop};{blog}", f"\n{shop}\n\n  {blog};"):
        clients = production(OIDC_CLIENTS=text).oidc_clients
        assert [client.client_id for client in clients] == ["shop", "blog"]
        assert clients[0].redirect_uris == ("https://a.b/c", "https://a.b/d")
        assert APP_SECRET not in repr(clients)


WEBHOOK = {
    "WEBHOOK_URL": "https://app.example.com/hooks?a=1",
    "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


def test_events_need_a_url_and_a_secret() -> None:
    assert production(**WEBHOOK).webhook_url == WEBHOOK["WEBHOOK_URL"]
    assert production(**WEBHOOK | {"WEBHOOK_URL": "http://127.0.0.1:3000"}).webhook_url
    for changes, variable in (
        ({"WEBHOOK_URL": None}, "WEBHOOK_URL"),
        ({"WEBHOOK_SECRET": None}, "WEBHOOK_SECRET"),
        ({"WEBHOOK_URL": "http://app.example.com"}, "WEBHOOK_URL"),
        ({"WEBHOOK_SECRET": "whsec_short"}, "WEBHOOK_SECRET"),
        ({"WEBHOOK_SECRET": WEBHOOK["WEBHOOK_SECRET"][6:]}, "WEBHOOK_SECRET"),
    ):
        (fault,) = faults(**{**WEBHOOK, **changes})
        assert fault.startswith(f"{variable}: ")


def test_countries_are_read_in_any_case_and_spacing() -> None:
    assert production(ALLOWED_COUNTRIES="de, AT,ch ").allowed_countries == {"DE", "AT", "CH"}


@pytest.mark.parametrize(
    "variable",
    [
        "SIGNUPS_PER_IP",
        "CHECKS_PER_IP",
        "RESENDS_PER_IP",
        "SENDS_PER_PHONE",
        "SENDS_PER_HOUR",
        "PREFIX_BRAKE",
    ],
)
def test_every_limit_can_be_switched_off(variable: str) -> None:
    assert getattr(production(**{variable: "off"}), variable.lower()) is None


def test_what_is_set_is_what_counts() -> None:
    settings = production(
        VERIFY_PROVIDER="codes",
        TWILIO_BASE_URL="http://127.0.0.1:9000/",
        AUTHY_BASE_URL="https://authy.example.com",
        TRUSTED_PROXY_HOPS="2",
        REDIS_URL="rediss://cache:6379/1",
        LOG_FORMAT="console",
        OUTBOX_IN_WEB="0",
        PROVIDER_TIMEOUT="2.5",
        SIGNUPS_PER_IP="3/minute",
        CHECKS_PER_IP="4/day",
        RESENDS_PER_IP="5/hour",
        SENDS_PER_PHONE="6",
        SENDS_PER_HOUR="7",
        PREFIX_BRAKE="8",
        SITE_NAME="Allotments & Co",
        WEB_CONCURRENCY="3",
    )
    assert settings.twilio_base_url == "http://127.0.0.1:9000"
    assert settings.authy_base_url == "https://authy.example.com"
    assert settings.trusted_proxy_hops == 2
    assert settings.redis_url == "rediss://cache:6379/1"
    assert settings.log_format == "console"
    assert not settings.outbox_in_web
    assert settings.provider_timeout == 2.5
    assert (settings.signups_per_ip, settings.checks_per_ip) == ("3/minute", "4/day")
    assert (settings.resends_per_ip, settings.sends_per_phone) == ("5/hour", 6)
    assert (settings.sends_per_hour, settings.prefix_brake) == (7, 8)
    assert settings.site_name == "Allotments & Co"
    assert settings.web_concurrency == 3


def test_an_empty_variable_counts_as_absent() -> None:
    assert production(REDIS_URL="", ALLOWED_COUNTRIES=" ", LOG_FORMAT="").log_format == "json"


# What stands elsewhere: the documented table, and the deploy button.

DECLARED = declared_by(Settings)
BY_PLATFORM = {"PORT", "WEB_CONCURRENCY"}  # nobody is asked for them
BY_ADD_ON = {"DATABASE_URL"}
BEHIND_ROUTER = {"TRUSTED_PROXY_HOPS": "1"}  # where the button deploys to


def test_the_documented_table_has_every_setting_as_it_is_declared() -> None:
    document = (ROOT / "docs/settings.md").read_text().partition("## Limits")[0]
    table = [line for line in document.splitlines() if line.startswith("| `")]
    assert table == [
        f"| `{name}` | {one.documented_meaning} | {one.documented_default} |"
        for name, one in DECLARED.items()
    ]


def test_the_deploy_button_asks_for_every_setting_as_it_is_declared() -> None:
    asked = json.loads((ROOT / "app.json").read_text())["env"]
    assert asked == {
        name: _entry(name, one) for name, one in DECLARED.items() if name not in BY_PLATFORM
    }


def _entry(name: str, one: Setting) -> dict[str, object]:
    entry: dict[str, object] = {"description": one.documented_meaning.replace("`", "")}
    if name == "SECRET_KEY":
        return entry | {"generator": "secret"}
    if isinstance(one.default, str) and one.default:
        return entry | {"value": BEHIND_ROUTER.get(name, one.default)}
    optional = one.default is not None or name in BY_ADD_ON
    return entry | ({"required": False} if optional else {})


def test_what_the_deploy_button_fills_in_is_what_the_settings_take_by_themselves() -> None:
    asked = json.loads((ROOT / "app.json").read_text())["env"]
    values = {name: entry["value"] for name, entry in asked.items() if "value" in entry}
    environ = production_environ(SQLITE)
    del environ["PWNED_PASSWORDS_URL"]  # in tests it is off
    assert Settings.load(environ | values) == Settings.load(environ | BEHIND_ROUTER)


def test_the_sessions_defaults_are_those_that_the_purge_has() -> None:
    settings = Settings.load({}, development=True)
    assert SessionLife(settings.session_idle, settings.session_lifetime) == SESSION_LIFE
