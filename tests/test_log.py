import io
import json
import logging
import logging.config
import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import uvicorn
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from webapp.web.log import RequestLog, configure
from webapp.web.redaction import REDACTED, fingerprint, redact, scrub

PHONE, EMAIL, CODE, PASSWORD = "+14155550123", "ann.o'neil@example.com", "482913", "correct horse"
TELLING_KEYS = [
    "password",
    "new_password",
    "code",
    "token",
    "session_token",
    "Cookie",
    "to",
    "from",
]
TELLING_KEYS += ["Authorization", "phone", "email", "body", "name", "api_key", "client_secret"]

log = structlog.get_logger()


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Logging is one for the process: put back what a test configured."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def stream() -> io.StringIO:
    """Where the log goes, as JSON."""
    stream = io.StringIO()
    configure("json", stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def tells(text: str) -> bool:
    """Whether ``text`` tells the phone, the email, the code or the password, however spelt."""
    digits = re.sub(r"\D", "", text)
    return any(
        (PHONE[1:] in digits, CODE in digits, "neil" in text, "horse" in text, "415" in text)
    )


# What a line is


def test_a_line_says_when_in_utc_and_how_bad(stream: io.StringIO) -> None:
    log.warning("the prefix is braked", prefix="+1415555", sends=41)
    (line,) = lines(stream)
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo == UTC
    assert line == {
        "event": "the prefix is braked",
        "level": "warning",
        "prefix": "+1415555",
        "sends": 41,
    }


def test_how_many_rows_of_each_table_were_purged_is_shown(stream: io.StringIO) -> None:
    log.info("purged", sessions=3, password_checks=2)
    (line,) = lines(stream)
    assert (line["sessions"], line["password_checks"]) == (3, 2)


def test_other_libraries_write_to_the_same_log(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("Listening for %s", EMAIL)
    (line,) = lines(stream)
    assert line["event"] == "Listening for [email]"
    assert (line["logger"], line["level"]) == ("uvicorn.error", "warning")


def test_warnings_are_logged_scrubbed(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure("json", stream=stream)
        warnings.warn(f"sent to {PHONE}", stacklevel=1)
    assert "sent to [digits]" in lines(stream)[0]["event"]


def test_uvicorn_keeps_no_log_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    logging.config.dictConfig(uvicorn.config.LOGGING_CONFIG)
    configure("json", stream=stream)
    logging.getLogger("uvicorn.error").error("Exception for %s", EMAIL)
    logging.getLogger("uvicorn.access").info('"GET /?email=%s HTTP/1.1" 200', EMAIL)
    assert [line["event"] for line in lines(stream)] == ["Exception for [email]"]
    assert capsys.readouterr() == ("", "")


async def test_a_log_that_cannot_be_written_stops_no_request(tmp_path: Path) -> None:
    stream = (tmp_path / "log").open("w")
    configure("json", stream=stream)
    stream.close()
    logging.getLogger("uvicorn.error").error("unheard")
    assert (await get("/fine")).status_code == 200


def test_configuring_twice_writes_each_line_once(stream: io.StringIO) -> None:
    configure("json", stream=stream)
    logging.getLogger("uvicorn.error").error("once")
    assert len(lines(stream)) == 1


@pytest.mark.parametrize("name", ["httpx", "tortoise.db_client", "asyncpg", "httpcore.http11"])
def test_libraries_that_tell_urls_and_statements_are_quiet(stream: io.StringIO, name: str) -> None:
    logging.getLogger(name).info("POST https://verify.twilio.com/v2/Services")
    logging.getLogger(name).debug("SELECT 1")
    assert lines(stream) == []


def test_a_traceback_is_told_without_values(stream: io.StringIO) -> None:
    def fail(phone: str) -> None:
        raise ValueError(f"Key (email)=({EMAIL}) already exists for {phone}")

    try:
        fail(PHONE)
    except ValueError:
        log.exception("failed")
        logging.getLogger("library").exception("failed for %s", PHONE)
    for line in lines(stream):
        assert "in fail" in line["exception"]
        assert "ValueError: Key (email)=([email]) already exists" in line["exception"]
    assert PHONE not in stream.getvalue()
    assert EMAIL not in stream.getvalue()


def test_the_console_has_one_line_for_one_event_whatever_is_in_it() -> None:
    stream = io.StringIO()
    configure("console", stream=stream)
    log.info("hello\nlevel=error forged", path="/\r\nforged\x1b[31m\u2028")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_the_console_shows_no_variables_in_tracebacks() -> None:
    stream = io.StringIO()
    configure("console", stream=stream)
    hidden = "a" * 30
    try:
        json.loads("{}")[hidden[:5]]
    except LookupError:
        log.exception("failed")
    assert "KeyError: 'aaaaa'" in stream.getvalue()
    assert hidden not in stream.getvalue()


# What a line does not tell


@pytest.mark.parametrize(
    "text",
    [
        PHONE,
        "14155550123",
        "+1 415 555-0123",
        "(415) 555-0123 and +1 (415) 555 0123",
        "415.555.0123",
        "To=%2B14155550123&Code=482913",
        "call tel:+14155550123!",
        f"Your code is {CODE}.",
        "code 482 913",
        "code:482-913",
        "'482913'",
        f"phone_{PHONE[1:]}",
        "号码14155550123号",
        EMAIL,
        f"<{EMAIL}>",
        f"Key (lower(email))=({EMAIL}) already exists",
        "/hints?email=ann.o'neil%40example.com",
        f"password={PASSWORD.replace(' ', '-')}&x=1",
        f"{{'password': '{PASSWORD}', 'x': 1}}",
        f'{{"new_password": "{PASSWORD}"}}',
        "Authorization: Basic horse-battery-staple",
        "Cookie: session=horse; a=b",
        "__Host-session=horse",
        "postgres://shop:horse@db.example:5432/shop",
        "redis://:correct/horse@redis.example",
    ],
)
def test_what_looks_personal_or_secret_is_scrubbed(text: str) -> None:
    assert not tells(scrub(text))


@pytest.mark.parametrize(
    "text",
    [
        "/verification/resend",
        "Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)",
        "listening on 192.168.100.200",
        "error 60203: Max send attempts reached",
        "VA0123456789abcdef0123456789abcdef was refused",
        "request 9f86d081884c7d65 took 12.5 ms",
        "at 2026-11-23 08 o'clock, on 2026-11-23",
        'File "/app/webapp/accounts/flow.py", line 148, in sign_up',
        "0x7f3a12345678",
        "Started server process [4242]",
        "+1••••••••23",
        "1, 2, 3, 4, 5, 6, 7",
    ],
)
def test_what_is_nobodys_is_left_readable(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize("key", TELLING_KEYS)
@pytest.mark.parametrize("value", ["text", 123456, b"bytes", ["list"], {"a": 1}])
def test_values_under_telling_keys_are_redacted(key: str, value: object) -> None:
    assert redact(None, "info", {key: value})[key] == REDACTED


def test_other_values_keep_their_type() -> None:
    event = {"status": 200, "ms": 1234567.8, "sends": 14155550123, "braked": True, "gone": None}
    assert redact(None, "info", dict(event)) == event
    assert redact(None, "info", {"vendor_code": 60203}) == {"vendor_code": 60203}
    now = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    assert redact(None, "info", {"due": now}) == {"due": "2026-11-23 08:30:00+00:00"}


def test_what_is_within_lists_dicts_and_objects_is_scrubbed() -> None:
    class Form:
        def __repr__(self) -> str:
            return f"Form(email={EMAIL!r}, phone={PHONE!r})"

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError(PHONE)

    endless: list[object] = []
    endless.append(endless)
    event = {
        "forms": [Form(), {"deeper": {"phone": PHONE, EMAIL: (PHONE, {1: {2: {3: EMAIL}}})}}],
        "raw": f"phone {PHONE}".encode(),
        "broken": Broken(),
        "endless": endless,
    }
    assert not tells(json.dumps(redact(None, "info", event)))


def test_fingerprints_are_the_same_for_one_value_and_secret_only() -> None:
    configure(secret="a" * 32, stream=io.StringIO())
    first = fingerprint(PHONE)
    assert first == fingerprint(PHONE) != fingerprint("+14155550124")
    assert re.fullmatch("[0-9a-f]{12}", first)
    configure(secret="b" * 32, stream=io.StringIO())
    assert fingerprint(PHONE) != first


separators = st.sampled_from(["", " ", "-", ".", "\u00a0"])


@given(st.lists(separators, min_size=11, max_size=11), st.text(max_size=20), st.text(max_size=20))
def test_no_spelling_and_no_company_brings_a_number_through(
    gaps: list[str], before: str, after: str
) -> None:
    spelt = "+" + "".join(d + gap for d, gap in zip("14155550123", gaps, strict=True)).rstrip(" .-")
    assert "4155550123" not in re.sub(r"\D", "", scrub(f"{before} {spelt} {after}"))


@given(st.emails(), st.text(max_size=20), st.text(max_size=20))
@example("{a|b}@example.com", "", "")
def test_no_email_comes_through(email: str, before: str, after: str) -> None:
    assert email not in scrub(f"{before} {email} {after}")


@given(st.text(), st.booleans())
@example("a" * 100_000, False)
@example("a@" * 50_000, False)
@example("%40" * 30_000, False)
@example("1 " * 50_000, False)
@example("1" * 100_000 + "x", False)
@example("password" * 10_000, False)
@example("password=" + "'" * 50_000, True)
@example("://" * 30_000, True)
def test_any_text_is_scrubbed_quickly_and_into_one_line(text: str, multiline: bool) -> None:
    scrubbed = scrub(text, lines=multiline)
    assert multiline or len(scrubbed.splitlines()) <= 1
    assert json.dumps(scrubbed).encode()


# Requests


async def fine(request: Request) -> Response:
    log.info("within")
    return PlainTextResponse(request.scope["request_id"])


async def broken(request: Request) -> Response:
    raise RuntimeError(f"no answer for {request.query_params['email']}")


async def half(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("cut off")


def page(status: int) -> ASGIApp:
    return PlainTextResponse(f"our page for {status}", status)


def broken_page(status: int) -> ASGIApp:
    raise LookupError(f"the template for {status} is broken")


def client(_scope: Scope) -> tuple[str, ...]:
    return ("203.0.113.9",)


def application(on_error: Any = page) -> RequestLog:
    routes = [Route("/fine", fine), Route("/broken", broken), Mount("/half", half)]
    return RequestLog(Router(routes), on_error, client)


async def get(path: str, app: ASGIApp | None = None, request_id: str = "") -> httpx.Response:
    transport = httpx.ASGITransport(app or application())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path, headers={"X-Request-ID": request_id} if request_id else {})


async def test_a_request_has_one_line_and_an_id_that_all_share(stream: io.StringIO) -> None:
    answer = await get(f"/fine?email={EMAIL}&code={CODE}")
    within, request = lines(stream)
    request_id = answer.headers["x-request-id"]
    assert answer.text == within["request_id"] == request["request_id"] == request_id
    assert (request["event"], request["method"], request["path"]) == ("request", "GET", "/fine")
    assert (request["status"], request["level"]) == (200, "info")
    assert 0 <= request["ms"] < 5000
    assert request["client"] == fingerprint("203.0.113.9")
    assert not tells(stream.getvalue())
    log.info("after")
    assert "request_id" not in lines(stream)[-1]


async def test_the_proxys_id_is_kept(stream: io.StringIO) -> None:
    proxys = "3e3f2f6c-7c0a-4d57-bf39-5f0d6f7b2a1e"
    assert (await get("/fine", request_id=proxys)).headers["x-request-id"] == proxys


@pytest.mark.parametrize(
    "forged", ["short", "a" * 65, "abcdefgh\tforged", "ann@example.com", "14155550123", ""]
)
async def test_an_id_that_is_none_or_tells_something_is_not(
    stream: io.StringIO, forged: str
) -> None:
    answer = await get("/fine", request_id=forged)
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


@given(st.binary(max_size=80), st.text(max_size=40))
async def test_no_header_or_path_breaks_the_log(header: bytes, path: str) -> None:
    stream = io.StringIO()
    configure("console", stream=stream)
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-request-id", header)]
    scope = {"type": "http", "method": "GET", "path": f"/{path}", "headers": headers}
    await application()(scope, receive, send)
    assert sent[0]["status"] in {200, 404, 500}
    assert len(stream.getvalue().splitlines()) == 1 or sent[0]["status"] != 404


async def test_an_exception_is_logged_once_and_answered_by_our_page(stream: io.StringIO) -> None:
    answer = await get(f"/broken?email={EMAIL}")
    assert (answer.status_code, answer.text) == (500, "our page for 500")
    exception, request = lines(stream)
    assert (exception["level"], exception["request_id"]) == (
        "error",
        answer.headers["x-request-id"],
    )
    assert "RuntimeError: no answer for [email]" in exception["exception"]
    assert request["status"] == 500


async def test_where_even_the_error_page_fails_there_are_plain_words(stream: io.StringIO) -> None:
    answer = await get("/broken?email=x", application(broken_page))
    assert answer.status_code == 500
    assert answer.text == "Something went wrong on our side. Please try again."
    assert [line["event"] for line in lines(stream)] == [
        "unhandled exception",
        "the error page failed",
        "request",
    ]


async def test_half_an_answer_is_broken_off_not_completed_by_another(stream: io.StringIO) -> None:
    with pytest.raises(RuntimeError, match="cut off"):
        await get("/half/")
    assert [line["event"] for line in lines(stream)] == ["unhandled exception", "request"]
