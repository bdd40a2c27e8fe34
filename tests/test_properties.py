"""Whatever strangers send: never an error of ours, never a wrong yes."""

import re
import time
from collections.abc import Mapping
from urllib.parse import quote_from_bytes

import httpx
import phonenumbers
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from phonenumbers import SUPPORTED_REGIONS, PhoneNumberType
from starlette.datastructures import FormData, Headers

from tests.people import ADA, NUMBER, sign_up
from tests.visitor import Visitor
from webapp.accounts.forms.signup import SignupForm
from webapp.accounts.people import emails, phones
from webapp.accounts.people.countries import with_territories
from webapp.accounts.people.users import NAME_LENGTH
from webapp.pages.locale import country_of

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
UNLIMITED = pytest.mark.environ(
    SIGNUPS_PER_IP="off",
    CHECKS_PER_IP="off",
    RESENDS_PER_IP="off",
    SENDS_PER_PHONE="off",
    PREFIX_BRAKE="off",
)
OURS = {"Sec-Fetch-Site": "same-origin"}
URLENCODED = "application/x-www-form-urlencoded"
# The application is the same for all examples of a test: strangers come one after another.
several = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
many = settings(max_examples=200, deadline=None)
AT_MOST = 0.5  # seconds of this thread, for what takes a hundredth of it

FIELDS = ("name", "email", "country", "phone", "password", "code", "channel")
CODECS = (
    "utf-8", "utf-16", "utf-7", "unicode_escape", "raw_unicode_escape", "punycode", "idna", "hex",
    "undefined", "latin-1", "nonsense", "a\x00b", "",
)  # fmt: skip
PLAUSIBLE = (
    *ADA.values(), NUMBER, "123 456", "١٢٣٤٥٦", "sms", "call", "+", "\x00", "\ufdfa" * 20, "²" * 6,
    "ada@example.com\r\nBcc: all@example.com", "<script>", "{{7*7}}", "'; DROP TABLE users; --",
    "\u0301" * 900, "a" * 5000, "\u202e+447400123456",
)  # fmt: skip
words = st.one_of(st.text(max_size=60), st.sampled_from(PLAUSIBLE))
raw = st.one_of(st.binary(max_size=60), words.map(lambda word: word.encode("utf-8")))
names = st.one_of(st.sampled_from(FIELDS), st.text(max_size=10))
posts = st.sampled_from(
    ["/signup", "/verification", "/verification/resend", "/verification/phone",
     "/hints/phone", "/hints/password"]
)  # fmt: skip


@st.composite
def urlencoded(draw: st.DrawFn) -> tuple[str, bytes]:
    """Fields in any number and order, some of them percent-encoded, in no particular encoding."""
    pairs = draw(st.lists(st.tuples(names, raw, st.booleans()), max_size=12))
    body = "&".join(
        f"{quote_from_bytes(name.encode())}={quote_from_bytes(value) if escaped else ''}"
        for name, value, escaped in pairs
    ).encode()
    loose = b"&".join(b"%s=%s" % (name.encode(), value) for name, value, _ in pairs)
    return URLENCODED, draw(st.sampled_from([body, loose]))


@st.composite
def multipart(draw: st.DrawFn) -> tuple[str, bytes]:
    """The same as parts, some of them files, under any charset, whole or broken off."""
    parts = draw(st.lists(st.tuples(st.sampled_from(FIELDS), raw, st.booleans()), max_size=8))
    body = b""
    for name, value, file in parts:
        filename = '; filename="a.txt"' if file else ""
        body += b"--edge\r\n" + f'Content-Disposition: form-data; name="{name}"{filename}'.encode()
        body += b"\r\n\r\n" + value + b"\r\n"
    body += draw(st.sampled_from([b"--edge--\r\n", b"--edge", b"", b"--edge\r\n\r\n"]))
    charset = draw(st.sampled_from(CODECS))
    return f'multipart/form-data; boundary=edge; charset="{charset}"', body


bodies = st.one_of(
    urlencoded(),
    multipart(),
    st.tuples(
        st.sampled_from(
            [URLENCODED, "multipart/form-data", "application/json", "text/plain", ";;"]
        ),
        st.binary(max_size=200),
    ),
)


async def send(
    client: httpx.AsyncClient, path: str, body: tuple[str, bytes], headers: Mapping[str, str]
) -> httpx.Response:
    content_type, content = body
    named = {**OURS, **headers, "Content-Type": content_type.replace("\0", "%00")}
    return await client.post(path, content=content, headers=named)


# Forms


@ON_SQLITE
@UNLIMITED
@several
@given(path=posts, body=bodies, htmx=st.booleans())
async def test_a_stranger_posts_what_they_like_and_nothing_of_ours_breaks(
    client: httpx.AsyncClient, path: str, body: tuple[str, bytes], *, htmx: bool
) -> None:
    client.cookies.clear()
    answer = await send(client, path, body, {"HX-Request": "true"} if htmx else {})
    assert answer.status_code in {200, 303, 400, 413, 415, 422}
    if path != "/signup":
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("database", ["postgres"], indirect=True)  # the stricter with text
@UNLIMITED
@pytest.mark.parametrize("provider", ["codes"])  # which sends to one number without end
@several
@given(name=st.sampled_from(sorted(ADA)), typed=words)
async def test_one_strange_answer_among_good_ones_is_taken_or_refused_in_words(
    client: httpx.AsyncClient, name: str, typed: str
) -> None:
    client.cookies.clear()
    fields = ADA | {name: typed}
    answer = await client.post("/signup", data=fields, headers=OURS)
    if answer.status_code == 303:
        assert answer.headers["location"] == "/verification"
        shown = await client.get("/verification")
        assert shown.status_code == 200
    else:
        assert answer.status_code == 422
        # Another country does not fit the number, nor the password's own words as a name.
        named = {name, "phone", "password"}
        assert any(f'id="{field}-error"' in answer.text for field in named)


@ON_SQLITE
@UNLIMITED
@pytest.mark.parametrize("provider", ["twilio", "codes", "authy"])
@several
@given(path=posts, body=bodies, typed=words, htmx=st.booleans())
async def test_nothing_that_is_posted_is_taken_for_the_code(
    visitor: Visitor,
    client: httpx.AsyncClient,
    path: str,
    body: tuple[str, bytes],
    typed: str,
    *,
    htmx: bool,
) -> None:
    if not client.cookies:
        await sign_up(visitor)
    code = URLENCODED, b"code=" + quote_from_bytes(typed.encode()).encode()
    for target, content in ((path, body), ("/verification", body), ("/verification", code)):
        answer = await send(client, target, content, {"HX-Request": "true"} if htmx else {})
        assert answer.status_code in {200, 303, 400, 413, 415, 422, 429}
    account = await client.get("/account")
    assert 'data-verified="false"' in account.text


@many
@given(typed=st.dictionaries(st.sampled_from(FIELDS), words))
@example(typed=ADA | {"email": "\ufdfa" * 16 + "@example.com"})
@example(typed=ADA | {"password": "\u0301" * 9000 + "\u0323" * 9000})
@example(typed=ADA | {"password": "4@8({[<369&#!1/|0$5+7%2" * 40})
@example(typed=ADA | {"name": "a" + "\u0301" * 9000 + "\u0323" * 9000})
@example(typed=ADA | {"email": "a" + "\u0301" * 9000 + "\u0323" * 9000 + "@example.com"})
@example(typed=ADA | {"name": " ".join(f"{n:x}" for n in range(9000)), "password": "x y" * 9000})
def test_a_form_is_read_quickly_and_what_it_accepts_can_be_stored(typed: dict[str, str]) -> None:
    began = time.thread_time()
    form = SignupForm.parse(FormData(list(typed.items())))
    assert time.thread_time() - began < AT_MOST
    if form.valid:
        assert 0 < len(form.name) <= NAME_LENGTH
        assert len(emails.fold(form.clean_email)) <= emails.LONGEST
        assert form.number
        stored = form.name + form.clean_email
        assert not re.search("[\x00-\x1f\x7f\ud800-\udfff]", stored)


# Numbers

regions = st.sampled_from(sorted(SUPPORTED_REGIONS))
numerals = st.text("0123456789+-() ./٠١٢٣٤٥٦٧٨٩#*;ext", max_size=40)
likely = st.builds(
    lambda region, digits: f"+{phonenumbers.country_code_for_region(region)}{digits}",
    regions,
    st.text("0123456789", min_size=4, max_size=12),
)


@many
@given(
    typed=st.one_of(likely, numerals, st.text(max_size=30)),
    country=st.one_of(regions, st.text(max_size=3)),
    served=st.frozensets(regions, max_size=3),
)
def test_a_number_is_refused_in_words_or_is_one_that_takes_texts(
    typed: str, country: str, served: frozenset[str]
) -> None:
    try:
        number = phones.parse(typed, country, served)
    except phones.UnusableNumber as refused:
        assert refused.args != ("",)  # noqa: PT017 - either outcome will do
        return
    assert re.fullmatch(r"\+[1-9][0-9]{5,14}", number.e164)
    assert number.country in (with_territories(served) or SUPPORTED_REGIONS)
    assert phones.parse(number.e164, "") == number
    assert phones.parse(phones.readable(number.e164), "") == number
    assert phones.parse(phones.national(number.e164), number.country).e164 == number.e164
    kind = phonenumbers.number_type(phonenumbers.parse(number.e164))
    assert kind not in {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST}
    assert number.e164.startswith(phones.dialling_prefix(number.e164))
    assert len(number.e164) - len(phones.dialling_prefix(number.e164)) >= 2


@many
@given(st.text())
def test_no_country_that_strangers_make_up_is_remembered(country: str) -> None:
    assert bool(phones.example(country)) == bool(country)
    assert phones._example.cache_info().currsize <= len(SUPPORTED_REGIONS)


# Headers and cookies

READ = (
    "accept-encoding", "accept-language", "cf-ipcountry", "content-length", "content-type",
    "cookie", "hx-request", "hx-request-type", "hx-history-restore-request", "if-none-match",
    "range", "transfer-encoding", "x-forwarded-for", "x-request-id", "x-vercel-ip-country",
)  # fmt: skip
lines = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"de-AT,de;q=0.9", b"tlh", b"*", b"__Host-session=a; session=", b"9" * 30]),
)


@ON_SQLITE
@pytest.mark.environ(TRUSTED_PROXY_HOPS="1")
@several
@given(
    path=st.sampled_from(
        ["/", "/signup", "/account", "/verification", "/readyz", "/static/x", "/?a"]
    ),
    headers=st.lists(st.tuples(st.sampled_from(READ), lines), max_size=6),
)
async def test_no_header_breaks_a_page(
    client: httpx.AsyncClient, path: str, headers: list[tuple[str, bytes]]
) -> None:
    sent = [(name.encode(), value) for name, value in headers]
    answer = await client.get(path, headers=sent)
    assert answer.status_code in {200, 303, 304, 404, 413}
    assert "set-cookie" not in answer.headers


@ON_SQLITE
@several
@given(st.one_of(st.binary(min_size=1, max_size=80), st.from_regex(rb"[\w-]{43}", fullmatch=True)))
async def test_no_invented_cookie_opens_a_session(client: httpx.AsyncClient, token: bytes) -> None:
    for cookie in (b"session=" + token, b"__Host-session=" + token, b'session="' + token + b'"'):
        answer = await client.get("/account", headers=[(b"cookie", cookie)])
        assert (answer.status_code, answer.headers["location"]) == (303, "/signup")


@many
@given(
    headers=st.lists(st.tuples(st.sampled_from(READ), lines), max_size=4),
    served=st.frozensets(regions, max_size=3),
)
def test_whatever_headers_say_the_country_preselected_is_one_that_is_served(
    headers: list[tuple[str, bytes]], served: frozenset[str]
) -> None:
    said = Headers(raw=[(name.encode(), value) for name, value in headers])
    assert country_of(said, served) in (with_territories(served) or SUPPORTED_REGIONS)
