"""The doctor: a line for each fault of a deployment, which names the variable to look at."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.mail import mail_server
from tests.postgres import free_port
from tests.servers import PRODUCTION, Deployment, command, production_environ, served
from webapp.app import create_app
from webapp.doctor import examine
from webapp.doctor.front_door import proxy_faults
from webapp.sandbox import Sandbox
from webapp.settings import Settings
from webapp.web import front_door
from webapp.web.front_door import VALID_FOR, sign

pytestmark = pytest.mark.slow
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

WATCHED = "a usage trigger at Twilio watches the price of totalprice: 1.25 of 50 daily"
Visit = Callable[..., Awaitable[list[str]]]


def site(**settings: str) -> ASGIApp:
    """The web process, as far as it serves without its database."""
    return create_app(Settings.load(production_environ("sqlite://app.sqlite3", **settings)))


@pytest.fixture(scope="module")
def site_url() -> Iterator[str]:
    """Where the site is served, with no proxy before it."""
    with served(site()) as url:
        yield url


@pytest.fixture
def visit(database_url: str, vendor_url: str, site_url: str) -> Visit:
    """The doctor's findings in this process, for settings that are good but for those given."""

    async def findings(**changes: str) -> list[str]:
        vendors = dict.fromkeys(
            ("TWILIO_BASE_URL", "AUTHY_BASE_URL", "VONAGE_BASE_URL"), vendor_url
        )
        environ = production_environ(database_url, **{**vendors, "BASE_URL": site_url, **changes})
        return [fault async for fault in examine(Settings.load(environ))]

    return findings


def named(faults: list[str]) -> list[str]:
    return [fault.partition(":")[0] for fault in faults]


# The command


@ON_SQLITE
async def test_the_doctor_finds_nothing_wrong_with_a_good_deployment(
    deployment: Deployment, database_url: str, site_url: str
) -> None:
    status, words = await doctor(deployment, database_url, BASE_URL=site_url)
    assert (status, words.splitlines()) == (
        0,
        [
            "All is well.",
            f"TWILIO_ACCOUNT_SID: {WATCHED}",
            "SMTP_URL: is not set, so no email is sent, and what needs one is not offered",
        ],
    )


@ON_SQLITE
async def test_its_exit_status_tells_that_there_is_a_fault(
    deployment: Deployment, database_url: str, site_url: str
) -> None:
    settings = {"BASE_URL": site_url, "TWILIO_NUMBER": "+15005550001", "SENDS_PER_HUOR": "9"}
    status, words = await doctor(deployment, database_url, **settings)
    assert status == 1
    assert named(words.splitlines()) == ["SENDS_PER_HUOR", "TWILIO_NUMBER"]
    assert "SENDS_PER_HOUR" in words


async def doctor(deployment: Deployment, database_url: str, **settings: str) -> tuple[int, str]:
    """Its exit status and what it printed."""
    environ = deployment.environ(database_url, **settings)
    done = await asyncio.to_thread(command, "doctor", environ=environ)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


# Misspelt variables


@ON_SQLITE
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SENDS_PER_HUOR", "SENDS_PER_HOUR"),
        ("TWILLIO_NUMBER", "TWILIO_NUMBER"),
        ("BASE_URI", "BASE_URL"),
        ("REDIS_TLS_URL", None),
        ("HEROKU_POSTGRESQL_AMBER_URL", None),
        ("LANGUAGE", None),
    ],
)
async def test_a_variable_that_looks_like_a_settings_is_told(
    name: str, meant: str | None, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    faults = await visit()
    assert faults == ([f"{name}: is no setting. Is {meant} meant?"] if meant else [])


# The database


@ON_SQLITE
async def test_migrations_that_are_missing_are_named(empty_database_url: str, visit: Visit) -> None:
    (fault,) = await visit(DATABASE_URL=empty_database_url)
    assert fault.startswith("DATABASE_URL: lacks 0001_initial")


@ON_SQLITE
async def test_a_database_that_is_away_is_told_in_its_own_words(visit: Visit) -> None:
    away = f"postgres://nobody:hunter2@127.0.0.1:{free_port()}/app"
    (fault,) = await visit(DATABASE_URL=away)
    assert fault.startswith("DATABASE_URL: the database does not answer (")
    assert "refused" in fault.lower() or "connect call failed" in fault.lower()
    assert "hunter2" not in fault


async def test_a_database_that_rejects_us_says_why(
    database: str, database_url: str, visit: Visit
) -> None:
    if database == "sqlite":
        wrong, words = "sqlite:///nowhere/at/all/app.sqlite3", "unable to open database file"
    else:
        wrong, words = database_url.rpartition("/")[0] + "/nowhere", "does not exist"
    (fault,) = await visit(DATABASE_URL=wrong)
    assert words in fault


# Vendors


@ON_SQLITE
@pytest.mark.parametrize("provider", ["twilio", "codes", "authy"])
async def test_credentials_that_the_vendor_rejects_are_named(
    provider: str, vendor: Sandbox, visit: Visit
) -> None:
    vendor.fail("60001" if provider == "authy" else "20003", 1)
    faults = await visit(VERIFY_PROVIDER=provider)
    assert named(faults) == ["AUTHY_API_KEY" if provider == "authy" else "TWILIO_AUTH_TOKEN"]


@ON_SQLITE
async def test_vonages_credentials_are_named_where_it_carries_the_texts(
    vendor: Sandbox, visit: Visit
) -> None:
    assert await visit(VERIFY_PROVIDER="codes", MESSENGER="vonage") == []
    faults = await visit(MESSENGER="vonage", VONAGE_NUMBER="+15005550001")
    assert named(faults) == ["VONAGE_NUMBER"]


@ON_SQLITE
async def test_a_verify_service_that_there_is_not_is_named(vendor: Sandbox, visit: Visit) -> None:
    vendor.fail("20404")
    (fault,) = await visit()
    assert fault.startswith("TWILIO_VERIFY_SERVICE_SID: Twilio has no such Verify service")


@ON_SQLITE
async def test_a_sender_that_is_not_the_accounts_is_named(visit: Visit) -> None:
    assert named(await visit(TWILIO_NUMBER="+15005550001")) == ["TWILIO_NUMBER"]


@ON_SQLITE
async def test_countries_that_the_account_may_not_text_are_named(visit: Visit) -> None:
    (fault,) = await visit(ALLOWED_COUNTRIES="DE,KP")
    assert fault.startswith("ALLOWED_COUNTRIES: ")
    assert fault.endswith(" KP")


@ON_SQLITE
async def test_a_vendor_that_does_not_answer_is_named(visit: Visit) -> None:
    faults = await visit(TWILIO_BASE_URL=f"http://127.0.0.1:{free_port()}")
    assert named(faults) == ["VERIFY_PROVIDER", "MESSENGER"]


# Redis and email


@ON_SQLITE
async def test_a_redis_that_does_not_answer_is_named(visit: Visit) -> None:
    assert named(await visit(REDIS_URL=f"redis://127.0.0.1:{free_port()}")) == ["REDIS_URL"]


@ON_SQLITE
async def test_a_mail_server_that_takes_our_emails_has_no_fault(visit: Visit) -> None:
    with mail_server() as server:
        url = f"smtp://127.0.0.1:{server.port}"
        assert await visit(SMTP_URL=url, MAIL_FROM="a@example.com") == []


@ON_SQLITE
async def test_a_mail_server_that_does_not_answer_is_named(visit: Visit) -> None:
    url = f"smtp://127.0.0.1:{free_port()}"
    (fault,) = await visit(SMTP_URL=url, MAIL_FROM="a@example.com")
    assert fault.startswith("SMTP_URL: the mail server says Unreachable")


# The front door


class Proxy:
    """A proxy before the site, which changes the headers of a request."""

    def __init__(self, app: ASGIApp, *, drop: str = "", **add: str) -> None:
        self.app, self.drop, self.add = app, drop, add

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in scope.get("headers", ()) if pair[0] != self.drop.encode()]
        for name, value in self.add.items():
            headers.append((name.replace("_", "-").encode(), value.encode()))
        await self.app({**scope, "headers": headers}, receive, send)


@ON_SQLITE
@pytest.mark.parametrize("url", ["https://YOUR-APP.herokuapp.com", "https://signup.example.com"])
async def test_a_placeholder_for_an_origin_is_named(url: str, visit: Visit) -> None:
    (fault,) = await visit(BASE_URL=url, TRUSTED_PROXY_HOPS="1")
    assert fault.startswith("BASE_URL: ")
    assert "placeholder" in fault


@ON_SQLITE
async def test_a_site_that_does_not_answer_is_named(visit: Visit) -> None:
    (fault,) = await visit(BASE_URL=f"http://127.0.0.1:{free_port()}")
    assert fault.startswith("BASE_URL: does not answer from here (ConnectError")


@ON_SQLITE
@pytest.mark.parametrize(
    ("app", "words"),
    [
        (
            PlainTextResponse("Nothing here", 404),
            "BASE_URL: something else answers there (HTTP 404",
        ),
        (
            PlainTextResponse("", 301, {"Location": "https://a.test/"}),
            "BASE_URL: redirects to http",
        ),
        (
            site(SECRET_KEY="another-" + PRODUCTION["SECRET_KEY"]),
            "SECRET_KEY: the site at BASE_URL",
        ),
    ],
    ids=["another site", "redirect", "another secret"],
)
async def test_another_site_at_the_origin_is_told(app: ASGIApp, words: str, visit: Visit) -> None:
    with served(app) as url:
        (fault,) = await visit(BASE_URL=url)
    assert fault.startswith(words)


@ON_SQLITE
@pytest.mark.parametrize(
    ("forwarded", "hops", "right"),
    [
        ("", "1", "0"),
        ("192.0.2.1", "2", "1"),
        ("192.0.2.1", "0", "1"),
        ("192.0.2.1, 10.0.0.1", "1", "2"),
    ],
)
async def test_hops_that_are_not_the_proxies_that_there_are_are_told_with_the_right_number(
    forwarded: str, hops: str, right: str, visit: Visit
) -> None:
    proxy = Proxy(site(), **({"x_forwarded_for": forwarded} if forwarded else {}))
    with served(proxy) as url:
        (fault,) = await visit(BASE_URL=url, TRUSTED_PROXY_HOPS=hops)
        assert await visit(BASE_URL=url, TRUSTED_PROXY_HOPS=right) == []
    assert fault.startswith(f"TRUSTED_PROXY_HOPS: is {hops}, but ")
    assert f"Set it to {right}" in fault


@ON_SQLITE
@pytest.mark.parametrize("passed", [{}, {"host": "web:8000"}])
async def test_a_proxy_that_does_not_pass_the_host_on_is_told(
    passed: dict[str, str], visit: Visit
) -> None:
    with served(Proxy(site(), drop="host", **passed)) as url:
        (fault,) = await visit(BASE_URL=url)
    assert fault.startswith("BASE_URL: ")
    assert "every visitor is answered with 400" in fault
    assert ("web:8000" in fault) is bool(passed)


def test_a_proxy_that_says_http_where_visitors_come_by_https_is_told() -> None:
    environ = production_environ("sqlite://a", BASE_URL="https://sign.up", TRUSTED_PROXY_HOPS="1")
    settings = Settings.load(environ)
    arrived = {"host": ["sign.up"], "forwarded_for": ["192.0.2.1"], "forwarded_proto": ["http"]}
    (fault,) = proxy_faults(settings, arrived)
    assert "X-Forwarded-Proto" in fault
    assert list(proxy_faults(settings, arrived | {"forwarded_proto": ["https"]})) == []
    assert list(proxy_faults(settings, arrived | {"forwarded_proto": []})) == []


NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECRET = PRODUCTION["SECRET_KEY"]


@pytest.mark.parametrize(
    ("value", "signed"),
    [
        (sign(SECRET, NOW), True),
        (sign(SECRET, NOW - VALID_FOR), True),
        (sign(SECRET, NOW - VALID_FOR - timedelta(seconds=1)), False),
        (sign(SECRET, NOW + 2 * VALID_FOR), False),
        (sign("another", NOW), False),
        (sign(SECRET, NOW)[:-1], False),
        (sign(SECRET, NOW).replace("1777", "1778", 1), False),
        ("", False),
        (".", False),
        ("9" * 11 + ".a", False),
        ("１.é", False),
    ],
)
def test_only_who_has_the_secret_learns_how_a_request_arrives(value: str, signed: bool) -> None:
    headers = {front_door.HEADER: value} if value else {}
    assert front_door.is_signed(headers, SECRET, NOW) is signed


async def test_a_stranger_learns_nothing_at_the_front_door(site_url: str) -> None:
    async with httpx.AsyncClient(base_url=site_url, verify=False) as client:
        for headers in ({}, {front_door.HEADER: sign("guessed", datetime.now(UTC))}):
            answer = await client.get("/healthz", headers=headers)
            assert (answer.status_code, answer.text) == (200, "ok")
