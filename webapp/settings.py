"""The environment, read once into frozen Settings; nothing else reads ``os.environ``."""

import os
import re
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import SplitResult, parse_qs, urlsplit

import limits
from phonenumbers import SUPPORTED_REGIONS

PROVIDERS = ("twilio", "authy", "codes", "sandbox")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SECRET_LENGTH, SECRET_VARIETY = 32, 8  # characters, and different ones among them
SENDER = r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}"  # Twilio's From
DEV_SECRET_FILE = Path(".secret_key")

# Unverified sends to one dialling prefix in an hour. An honest launch that sends 250 codes an hour
# into a single area code with one in five never entered stays just under it; a pumping run is
# stopped after fifty texts. See docs/settings.md, "Limits".
PREFIX_BRAKE = 50


class SettingsError(Exception):
    """The environment cannot be started with; ``faults`` has a line for each faulty variable."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says; every field is documented in docs/settings.md."""

    secret_key: str = field(repr=False)
    database_url: str = field(repr=False)
    base_url: str
    site_name: str
    development: bool
    verify_provider: str
    twilio_account_sid: str
    twilio_auth_token: str = field(repr=False)
    twilio_api_key: str
    twilio_api_key_secret: str = field(repr=False)
    twilio_verify_service_sid: str
    twilio_number: str
    twilio_messaging_service_sid: str
    authy_api_key: str = field(repr=False)
    twilio_base_url: str
    authy_base_url: str
    allowed_countries: frozenset[str]
    trusted_proxy_hops: int
    redis_url: str = field(repr=False)
    log_format: str
    outbox_in_web: bool
    provider_timeout: float
    signups_per_ip: str | None
    checks_per_ip: str | None
    resends_per_ip: str | None
    sends_per_phone: int | None
    sends_per_hour: int | None
    prefix_brake: int | None
    web_concurrency: int
    port: int

    @classmethod
    def load(cls, environ: Mapping[str, str], *, development: bool = False) -> "Settings":
        """Settings from ``environ``; raises ``SettingsError`` with every fault at once."""
        return _Reader(environ, development).settings()

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


class _Reader:
    """Reads variables one by one and gathers what is wrong with them."""

    def __init__(self, environ: Mapping[str, str], development: bool) -> None:
        self.environ, self.development = environ, development
        self.faults: list[str] = []

    def settings(self) -> Settings:
        provider = self.choice(
            "VERIFY_PROVIDER", PROVIDERS, "sandbox" if self.development else "twilio"
        )
        base_url = self.base_url()
        settings = Settings(
            secret_key=self.secret_key(),
            database_url=self.database_url(),
            base_url=base_url,
            site_name=self.text(
                "SITE_NAME", "Demo" if self.development else urlsplit(base_url).hostname or ""
            ),
            development=self.development,
            verify_provider=provider,
            twilio_account_sid=self.sid("TWILIO_ACCOUNT_SID", "AC"),
            twilio_auth_token=self.text("TWILIO_AUTH_TOKEN"),
            twilio_api_key=self.sid("TWILIO_API_KEY", "SK"),
            twilio_api_key_secret=self.text("TWILIO_API_KEY_SECRET"),
            twilio_verify_service_sid=self.sid("TWILIO_VERIFY_SERVICE_SID", "VA"),
            twilio_number=self.sender("TWILIO_NUMBER"),
            twilio_messaging_service_sid=self.sid("TWILIO_MESSAGING_SERVICE_SID", "MG"),
            authy_api_key=self.text("AUTHY_API_KEY"),
            twilio_base_url=self.origin("TWILIO_BASE_URL"),
            authy_base_url=self.origin("AUTHY_BASE_URL"),
            allowed_countries=self.countries("ALLOWED_COUNTRIES"),
            trusted_proxy_hops=self.integer("TRUSTED_PROXY_HOPS", 0, 0, 10),
            redis_url=self.redis_url(),
            log_format=self.choice(
                "LOG_FORMAT", ("json", "console"), "console" if self.development else "json"
            ),
            outbox_in_web=self.choice("OUTBOX_IN_WEB", ("0", "1"), "1") == "1",
            provider_timeout=self.seconds("PROVIDER_TIMEOUT", 10.0, 20.0),
            signups_per_ip=self.rate("SIGNUPS_PER_IP", "10/hour"),
            checks_per_ip=self.rate("CHECKS_PER_IP", "30/10minutes"),
            resends_per_ip=self.rate("RESENDS_PER_IP", "20/hour"),
            sends_per_phone=self.limit("SENDS_PER_PHONE", 10),
            sends_per_hour=self.limit("SENDS_PER_HOUR", 1000),
            prefix_brake=self.limit("PREFIX_BRAKE", PREFIX_BRAKE),
            web_concurrency=self.integer("WEB_CONCURRENCY", 1, 1, 64),
            port=self.integer("PORT", 8000, 1, 65535),
        )
        self.credentials(settings)
        if self.faults:
            raise SettingsError(self.faults)
        return settings

    def fault(self, name: str, why: str) -> None:
        self.faults.append(f"{name}: {why}")

    def text(self, name: str, default: str = "") -> str:
        return self.environ.get(name, "").strip() or default

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.fault(name, f"must be one of {', '.join(allowed)}")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name, str(default))
        digits = value.isascii() and value.isdigit() and len(value) <= len(str(high))
        if not (digits and low <= int(value) <= high):
            self.fault(name, f"must be a whole number from {low} to {high}")
            return default
        return int(value)

    def seconds(self, name: str, default: float, high: float) -> float:
        try:
            value = float(self.text(name, str(default)))
        except ValueError:
            value = 0.0
        if not 0 < value <= high:
            self.fault(name, f"must be seconds above 0 and up to {high:g}")
        return value

    def rate(self, name: str, default: str) -> str | None:
        value = self.text(name, default)
        if value == "off":
            return None
        try:
            allows = min(rule.amount for rule in limits.parse_many(value))
        except ValueError:
            allows = 0
        if allows < 1:
            self.fault(name, "must read like 10/hour or 30/10minutes, or be off")
        return value

    def limit(self, name: str, default: int) -> int | None:
        return None if self.text(name) == "off" else self.integer(name, default, 1, 10_000_000)

    def sid(self, name: str, prefix: str) -> str:
        value = self.text(name)
        if value and not (value.startswith(prefix) and value.isalnum()):
            self.fault(name, f"must be a Twilio SID that begins with {prefix}")
        return value

    def sender(self, name: str) -> str:
        """A number, a short code, or a word (with a letter) where carriers let one stand for it."""
        value = self.text(name)
        if value and not re.fullmatch(SENDER, value):
            self.fault(name, "must be a number like +15005550006, or a sender's name")
        return value

    def countries(self, name: str) -> frozenset[str]:
        codes = frozenset(self.text(name).upper().replace(",", " ").split())
        if unknown := sorted(codes - SUPPORTED_REGIONS):
            self.fault(name, f"not ISO 3166 country codes with phone numbers: {', '.join(unknown)}")
        return codes

    def url(self, name: str, value: str) -> SplitResult | None:
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - reading it is what checks it
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in ("http", "https") or not _is_host(parts.hostname):
            self.fault(name, "must be a URL like https://example.com")
            return None
        return parts

    def origin(self, name: str) -> str:
        value = self.text(name).rstrip("/")
        if value:
            self.url(name, value)
        return value

    def base_url(self) -> str:
        default = f"http://localhost:{self.text('PORT', '8000')}" if self.development else ""
        value = self.text("BASE_URL", default).rstrip("/")
        if not value:
            self.fault("BASE_URL", "is missing: the public origin, like https://example.com")
            return value
        parts = self.url("BASE_URL", value)
        if parts is None:
            return ""
        if value.partition("://")[2] != parts.netloc or "@" in parts.netloc or parts.port == 0:
            self.fault("BASE_URL", "must be an origin alone: scheme, host and perhaps a port")
        elif (
            parts.scheme == "http" and not self.development and not _loopback(parts.hostname or "")
        ):
            self.fault("BASE_URL", "must be https in production")
        return value.lower()

    def secret_key(self) -> str:
        value = self.text("SECRET_KEY")
        if not value and self.development:
            return _development_secret()
        if not value:
            self.fault("SECRET_KEY", f"is missing: {SECRET_LENGTH} or more random characters")
        elif len(value) < SECRET_LENGTH or len(set(value)) < SECRET_VARIETY:
            self.fault("SECRET_KEY", f"must be {SECRET_LENGTH} or more random characters")
        return value

    def database_url(self) -> str:
        value = self.text("DATABASE_URL", "sqlite://app.sqlite3" if self.development else "")
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - reading it is what checks it
        except ValueError:
            self.fault("DATABASE_URL", "cannot be read as a URL")
            return value
        if not value:
            self.fault("DATABASE_URL", "is missing: postgres://… or sqlite://path")
        elif parts.scheme == "sqlite":
            if not parts.netloc + parts.path:
                self.fault("DATABASE_URL", "names no file: sqlite://path")
        elif parts.scheme not in ("postgres", "postgresql"):
            self.fault("DATABASE_URL", "must begin with postgres:// or sqlite://")
        elif not parts.path.strip("/"):
            self.fault("DATABASE_URL", "names no database")
        else:
            self.postgres_options(
                {name: last for name, (*_, last) in parse_qs(parts.query).items()}
            )
        return value

    def postgres_options(self, options: Mapping[str, str]) -> None:
        mode, root = options.get("sslmode", "prefer"), options.get("sslrootcert", "system")
        if mode not in SSL_MODES:
            self.fault("DATABASE_URL", f"sslmode={mode} is none of {', '.join(SSL_MODES)}")
        if not re.fullmatch("[0-9]{1,5}", options.get("port", "5432")):
            self.fault("DATABASE_URL", "names a port that is no number")
        try:
            if root != "system":
                ssl.create_default_context(cafile=root)
        except OSError:  # of which ssl's own errors are
            self.fault("DATABASE_URL", f"sslrootcert={root} is no file of certificates")

    def redis_url(self) -> str:
        value = self.text("REDIS_URL")
        if value and not value.startswith(("redis://", "rediss://")):
            self.fault("REDIS_URL", "must begin with redis:// or rediss://")
        elif value and not _is_redis(value):
            self.fault("REDIS_URL", "has a port or options that redis-py does not take")
        return value

    def credentials(self, settings: Settings) -> None:
        """In production, all that the chosen provider and the confirmation text need."""
        if settings.verify_provider == "sandbox" and not self.development:
            self.fault("VERIFY_PROVIDER", "sandbox is for development only")
        if bool(settings.twilio_api_key) != bool(settings.twilio_api_key_secret):
            self.fault("TWILIO_API_KEY", "goes together with TWILIO_API_KEY_SECRET")
        if self.development:
            return  # the sandbox stands in for what is missing
        for name in ("twilio_account_sid", *self.needed_by(settings)):
            if not getattr(settings, name):
                self.fault(
                    name.upper(), f"is missing: VERIFY_PROVIDER={settings.verify_provider} needs it"
                )
        if not (settings.twilio_auth_token or settings.twilio_api_key):
            self.fault(
                "TWILIO_AUTH_TOKEN", "is missing (or TWILIO_API_KEY and TWILIO_API_KEY_SECRET)"
            )
        if not (settings.twilio_number or settings.twilio_messaging_service_sid):
            self.fault(
                "TWILIO_NUMBER", "is missing (or TWILIO_MESSAGING_SERVICE_SID): the sender of texts"
            )

    @staticmethod
    def needed_by(settings: Settings) -> tuple[str, ...]:
        return {"twilio": ("twilio_verify_service_sid",), "authy": ("authy_api_key",)}.get(
            settings.verify_provider, ()
        )


def _is_host(name: str | None) -> bool:
    """Whether ``name`` can be asked for by browsers, which write other letters in punycode."""
    try:
        ascii_name = (name or "").encode("idna").decode()
    except UnicodeError:
        return False
    return bool(re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", ascii_name))


def _is_redis(url: str) -> bool:
    """Whether redis-py can make a connection of ``url``; none is opened."""
    from redis.asyncio import ConnectionPool  # noqa: PLC0415 - most start without Redis
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, AttributeError, RedisError):  # for options too
        return False
    return True


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _development_secret() -> str:
    """Made once and kept, so that a restart signs nobody out."""
    if not DEV_SECRET_FILE.exists():
        DEV_SECRET_FILE.write_text(token_urlsafe(32))
    return DEV_SECRET_FILE.read_text().strip()
