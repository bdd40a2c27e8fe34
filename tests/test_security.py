from collections.abc import AsyncIterator, Iterable
from ipaddress import ip_address, ip_network

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from webapp.web.client import UNKNOWN_CLIENT, client_networks
from webapp.web.headers import SecurityHeaders
from webapp.web.security import (
    AllowedHost,
    AllowedMethods,
    SameOrigin,
    host_of,
    origin_of,
)

ORIGIN = "https://example.com"
HEALTH = "/healthz"


def refuse(status: int) -> ASGIApp:
    return PlainTextResponse("refused", status)


async def welcome(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body that reached it."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


async def ask(
    app: ASGIApp,
    method: str = "GET",
    path: str = "/",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | AsyncIterator[bytes] = b"",
) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        return await client.request(method, path, headers=list(headers), content=body)


def scope_of(headers: Iterable[tuple[bytes, bytes]], method: str = "POST") -> Scope:
    return {"type": "http", "method": method, "path": "/", "headers": list(headers)}


async def status_of(app: ASGIApp, scope: Scope) -> int:
    """The answer's status, for headers that no client would let us send."""
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    (status,) = statuses
    return status


# Headers


async def own_policy(_request: Request) -> Response:
    return PlainTextResponse("kept", headers={"Cache-Control": "max-age=60"})


def site(*, https: bool = True) -> ASGIApp:
    return SecurityHeaders(Starlette(routes=[Route("/", own_policy)]), https=https)


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/nowhere", 404)])
async def test_every_answer_has_the_security_headers(path: str, status: int) -> None:
    answer = await ask(site(), path=path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    for directive in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    ):
        assert directive in policy.split("; ")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "otp-credentials=(self)" in answer.headers["permissions-policy"]
    assert "camera=()" in answer.headers["permissions-policy"]


async def test_refusals_have_the_security_headers_too() -> None:
    app = SecurityHeaders(AllowedHost(welcome, ["other.example"], refuse), https=True)
    answer = await ask(app)
    assert (answer.status_code, answer.headers["x-frame-options"]) == (400, "DENY")


async def test_only_a_site_under_https_demands_it() -> None:
    assert (await ask(site())).headers["strict-transport-security"] == (
        "max-age=63072000; includeSubDomains"
    )
    assert "strict-transport-security" not in (await ask(site(https=False))).headers


async def test_nothing_is_stored_unless_a_page_says_so() -> None:
    assert (await ask(site(), path="/nowhere")).headers["cache-control"] == "no-store"
    assert (await ask(site())).headers.get_list("cache-control") == ["max-age=60"]


# Host


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("example.com", 200),
        ("EXAMPLE.com", 200),
        ("example.com:443", 200),
        ("localhost:8000", 200),
        ("localhost", 400),
        ("localhost:8001", 400),
        ("example.com:8443", 400),
        ("example.com.", 400),
        ("www.example.com", 400),
        ("example.com@evil.example", 400),
        ("evil.example", 400),
        ("", 400),
    ],
)
async def test_only_our_own_hosts_are_served(host: str, status: int) -> None:
    app = AllowedHost(welcome, ["example.com", "localhost:8000"], refuse)
    assert (await ask(app, headers=[("Host", host)])).status_code == status


@pytest.mark.parametrize("hosts", [[], [b"example.com", b"example.com"], [b"example.com", b"x"]])
async def test_no_host_and_two_hosts_are_refused(hosts: list[bytes]) -> None:
    app = AllowedHost(welcome, ["example.com"], refuse)
    assert await status_of(app, scope_of((b"host", host) for host in hosts)) == 400


async def test_a_forwarded_host_counts_for_nothing() -> None:
    app = AllowedHost(welcome, ["example.com"], refuse)
    headers = [("Host", "evil.example"), ("X-Forwarded-Host", "example.com")]
    assert (await ask(app, headers=headers)).status_code == 400


async def test_health_is_told_under_any_host() -> None:
    app = AllowedHost(welcome, ["example.com"], refuse)
    stranger = [("Host", "10.0.0.7:5000")]
    assert (await ask(app, path=HEALTH, headers=stranger)).status_code == 200
    assert (await ask(app, path=f"{HEALTH}/x", headers=stranger)).status_code == 400


async def test_a_host_by_ipv6_is_known_with_and_without_the_default_port() -> None:
    app = AllowedHost(welcome, ["[::1]"], refuse)
    assert (await ask(app, headers=[("Host", "[::1]:443")])).status_code == 200
    assert (await ask(app, headers=[("Host", "[::1]:444")])).status_code == 400


@given(st.binary(max_size=40))
async def test_no_other_host_slips_through(host: bytes) -> None:
    app = AllowedHost(welcome, ["example.com"], refuse)
    ours = host.lower() in {b"example.com", b"example.com:443", b"example.com:80"}
    assert (await status_of(app, scope_of([(b"host", host)])) == 200) is ours


# Methods


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "MADEUP"])
async def test_a_method_that_no_page_has_is_refused_with_those_that_are(method: str) -> None:
    answer = await ask(AllowedMethods(welcome, refuse), method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_the_methods_of_pages_are_let_through(method: str) -> None:
    assert (await ask(AllowedMethods(welcome, refuse), method)).status_code == 200


# Origin


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Sec-Fetch-Site", "same-origin")], 200),
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", ORIGIN)], 200),
        ([("Origin", ORIGIN)], 200),
        ([("Sec-Fetch-Site", "same-site"), ("Origin", ORIGIN)], 403),
        ([("Sec-Fetch-Site", "cross-site"), ("Origin", ORIGIN)], 403),
        ([("Sec-Fetch-Site", "none")], 403),
        ([("Sec-Fetch-Site", ""), ("Origin", ORIGIN)], 403),
        ([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "same-origin")], 403),
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", ORIGIN), ("Origin", ORIGIN)], 403),
        ([("Origin", "null")], 403),
        ([("Origin", "http://example.com")], 403),
        ([("Origin", "https://example.com:8443")], 403),
        ([("Origin", "https://www.example.com")], 403),
        ([("Origin", "https://example.com.evil.example")], 403),
        ([("Origin", ORIGIN), ("Origin", "https://evil.example")], 403),
        ([("Referer", f"{ORIGIN}/signup")], 403),
        ([], 403),
    ],
)
async def test_a_write_is_taken_from_our_own_pages_only(
    headers: list[tuple[str, str]], status: int
) -> None:
    app = SameOrigin(welcome, ORIGIN, refuse)
    assert (await ask(app, "POST", headers=headers)).status_code == status
    assert (await ask(app, "GET", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/sandbox/faults", 200), ("/sandbox", 403), ("/signup", 403), ("/x/sandbox/faults", 403)],
)
async def test_where_a_path_is_exempt_no_other_is(path: str, status: int) -> None:
    app = SameOrigin(welcome, ORIGIN, refuse, exempt=("/sandbox/",))
    assert (await ask(app, "POST", path)).status_code == status


origin_headers = st.tuples(
    st.sampled_from([b"sec-fetch-site", b"origin", b"referer", b"x-origin"]),
    st.sampled_from([b"same-origin", b"same-site", ORIGIN.encode(), b"null"]) | st.binary(),
)


@given(st.lists(origin_headers, max_size=4), st.sampled_from(["POST", "PUT", "DELETE", "TRACE"]))
async def test_no_mixture_of_headers_makes_a_foreign_write_ours(
    headers: list[tuple[bytes, bytes]], method: str
) -> None:
    sites = [value for name, value in headers if name == b"sec-fetch-site"]
    origins = [value for name, value in headers if name == b"origin"]
    ours = (sites, origins) in [
        ([b"same-origin"], []),
        ([b"same-origin"], origins[:1]),
        ([], [ORIGIN.encode()]),
    ]
    app = SameOrigin(welcome, ORIGIN, refuse)
    assert (await status_of(app, scope_of(headers, method)) == 200) is ours


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("https://example.com", "https://example.com", "example.com"),
        ("https://Example.COM:443/", "https://example.com", "example.com"),
        ("http://localhost:8000", "http://localhost:8000", "localhost:8000"),
        ("http://localhost:80/x", "http://localhost", "localhost"),
        ("https://example.com:80", "https://example.com:80", "example.com:80"),
        ("http://[::1]:8000", "http://[::1]:8000", "[::1]:8000"),
        ("https://müller.example", "https://xn--mller-kva.example", "xn--mller-kva.example"),
    ],
)
def test_origin_and_host_are_spelt_as_browsers_spell_them(url: str, origin: str, host: str) -> None:
    assert (origin_of(url), host_of(url)) == (origin, host)


# Client


def forwarded(*lines: str, peer: str = "10.0.0.1") -> Scope:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    return {"type": "http", "headers": headers, "client": (peer, 4711)}


@pytest.mark.parametrize(
    ("lines", "hops", "client"),
    [
        (["203.0.113.9"], 0, "10.0.0.1"),
        (["203.0.113.9"], 1, "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9"], 1, "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9, 10.1.1.1"], 2, "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9"], 1, "203.0.113.9"),
        (["198.51.100.1,203.0.113.9", "10.1.1.1"], 2, "203.0.113.9"),
        (["203.0.113.9:4711"], 1, "203.0.113.9"),
        ([], 1, UNKNOWN_CLIENT),
        (["203.0.113.9"], 2, UNKNOWN_CLIENT),
        (["203.0.113.9,"], 1, UNKNOWN_CLIENT),
        (["unknown"], 1, UNKNOWN_CLIENT),
        (["203.0.113.009"], 1, UNKNOWN_CLIENT),
        (["203.0.113.9; drop table"], 1, UNKNOWN_CLIENT),
        (["203.0.113.9" + " " * 100 + "x"], 1, UNKNOWN_CLIENT),
    ],
)
def test_a_client_is_told_by_the_proxies_we_trust(lines: list[str], hops: int, client: str) -> None:
    assert client_networks(forwarded(*lines), hops) == (client,)


@pytest.mark.parametrize(
    "spelling",
    [
        "2001:db8:1:2:3:4:5:6",
        "[2001:db8:1:2:ffff::1]:80",
        "[2001:db8:1:2::1]",
        "2001:db8:1:2::1%eth0",
    ],
)
def test_an_ipv6_client_is_counted_by_the_networks_that_providers_hand_out(spelling: str) -> None:
    assert client_networks(forwarded(spelling), 1) == (
        "2001:db8:1:2::/64",
        "2001:db8:1::/56",
        "2001:db8:1::/48",
    )


@pytest.mark.parametrize(
    "spelling",
    [
        "::ffff:203.0.113.9",  # by a socket for both kinds
        "2002:cb00:7109::1",  # 6to4
        "2002:cb00:7109:ffff:1:2:3:4",
        "2001:0:4136:e378:8000:63bf:34ff:8ef6",  # Teredo
        "2001:0:1234:5678:0:1:34ff:8ef6",
    ],
)
def test_an_ipv6_address_made_of_an_ipv4_address_is_counted_as_that(spelling: str) -> None:
    assert client_networks(forwarded(spelling), 1) == ("203.0.113.9",)


def test_without_an_address_a_client_is_unknown() -> None:
    nobody: Scope = {"type": "http", "headers": [], "client": None}
    assert client_networks(nobody, 0) == (UNKNOWN_CLIENT,)
    assert client_networks(forwarded(peer="a-socket"), 0) == (UNKNOWN_CLIENT,)


@given(st.lists(st.binary(max_size=60), max_size=4), st.integers(0, 4))
def test_whatever_is_sent_a_client_is_an_address_or_unknown(lines: list[bytes], hops: int) -> None:
    headers = [(b"x-forwarded-for", line) for line in lines]
    scope: Scope = {"type": "http", "headers": headers, "client": ("10.0.0.1", 1)}
    for network in client_networks(scope, hops):
        assert network == UNKNOWN_CLIENT or ip_network(network) is not None


@given(st.lists(st.text(max_size=30).filter(lambda text: text.isprintable()), max_size=4))
def test_what_a_visitor_writes_into_the_header_changes_nothing(forged: list[str]) -> None:
    lines = [(b"x-forwarded-for", line.encode()) for line in [*forged, "203.0.113.9"]]
    scope: Scope = {"type": "http", "headers": lines, "client": ("10.0.0.1", 1)}
    assert client_networks(scope, 1) == ("203.0.113.9",)


@given(st.ip_addresses(v=6))
def test_an_address_is_in_each_network_that_it_is_counted_by(address: object) -> None:
    networks = [ip_network(network) for network in client_networks(forwarded(str(address)), 1)]
    if networks[0].version == 6:
        assert [network.prefixlen for network in networks] == [64, 56, 48]
        assert all(ip_address(str(address)) in network for network in networks)


# What the log says of the proxies.

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@ON_SQLITE
@pytest.mark.environ(TRUSTED_PROXY_HOPS="2")
@pytest.mark.parametrize(
    ("came", "addresses"), [({}, 0), ({"X-Forwarded-For": "203.0.113.9"}, 1)], ids=["none", "one"]
)
async def test_too_many_hops_are_told_once_by_the_first_honest_request(
    client: httpx.AsyncClient, came: dict[str, str], addresses: int
) -> None:
    with capture_logs() as lines:
        await client.get("/healthz")  # platforms ask for it past the proxies
        for _ in range(3):
            await client.get("/signup", headers=came)
    [told] = [line for line in lines if line["event"] == "too_many_hops"]
    assert (told["hops"], told["addresses"], told["log_level"]) == (2, addresses, "warning")
    assert "TRUSTED_PROXY_HOPS" in told["check"]


@ON_SQLITE
@pytest.mark.environ(TRUSTED_PROXY_HOPS="1")
async def test_hops_that_fit_are_not_told(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        for came in ("203.0.113.9", "forged, 203.0.113.9"):
            await client.get("/signup", headers={"X-Forwarded-For": came})
    assert [line for line in lines if line["event"] == "too_many_hops"] == []


@ON_SQLITE
async def test_a_host_that_is_not_ours_is_in_the_log(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        answer = await client.get("/signup", headers={"Host": "web.internal:8000" + "x" * 200})
    assert answer.status_code == 400
    [told] = [line for line in lines if line["event"] == "host_refused"]
    assert told["hosts"][0].startswith("web.internal:8000")
    assert len(told["hosts"][0]) == 100
    assert "localhost:8000" in told["ours"]
