"""Where a person is sent on to: our own pages and the origins that the operator named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.web.return_to import LONGEST, allowed

OURS = "https://accounts.example.com"
APP = "https://app.example.com"
PORT = "http://localhost:8001"
ORIGINS = [APP, PORT]

TAKEN = {
    "/": "/",
    "/account": "/account",
    "/oidc/authorize?client_id=app&scope=openid%20email&state=a/../b": (
        "/oidc/authorize?client_id=app&scope=openid%20email&state=a/../b"
    ),
    "/app/#top": "/app/#top",
    "/app//twice": "/app//twice",
    "/sandboxes": "/sandboxes",
    OURS: "/",
    f"{OURS}/account": "/account",
    f"{OURS}?step=1": "/?step=1",
    APP: APP,
    f"{APP}/": f"{APP}/",
    f"{APP}/orders?page=2#last": f"{APP}/orders?page=2#last",
    f"{APP}?next=https://evil.example": f"{APP}?next=https://evil.example",
    f"{PORT}/callback": f"{PORT}/callback",
}

REFUSED = [
    "",
    "account",
    ".",
    "..",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5cevil.example",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/./\\evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/%2e%2e//evil.example",
    "/app/../sandbox/phone",
    "/sandbox",
    "/sandbox/phone",
    "/%73andbox/phone",
    f"{OURS}/sandbox/phone",
    f"{OURS}//evil.example",
    f"{OURS}\\@evil.example",
    f"{OURS}.evil.example",
    f"{OURS}@evil.example",
    f"{OURS}:password@evil.example",
    f"{OURS}:444/",
    "https://evil.example",
    f"https://evil.example/{APP}",
    f"https://evil.example?{APP}",
    f"https://evil.example#{APP}",
    f"https://evil.example\\@{APP[8:]}",
    f"https://user:password@{APP[8:]}",
    f"https://{APP[8:]}.evil.example",
    f"https://{APP[8:]}@evil.example",
    f"https://{APP[8:]}%2f@evil.example",
    f"https://{APP[8:]}%00.evil.example",
    f"https://{APP[8:]}\\.evil.example",
    f"https://{APP[8:]};evil.example",
    f"https://{APP[8:]}:444",
    f"https://{APP[8:]}:",
    f"https://evil-{APP[8:]}",
    f"http://{APP[8:]}",
    f"HTTPS://{APP[8:]}",
    f"https:{APP[8:]}",
    f"https:/{APP[8:]}",
    f"https:///{APP[8:]}",
    f"//{APP[8:]}",
    f" {APP}",
    f"{APP} ",
    f"\t{APP}",
    f"{APP}\n",
    f"{APP}/\r\nSet-Cookie: session=mine",
    f"{APP}/\x00",
    "/\t/evil.example",
    "/\n/evil.example",
    "/ /evil.example",
    "\x01https://evil.example",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "JavaScript://app.example.com/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "blob:https://app.example.com/1",
    "file:///etc/passwd",
    "ftp://app.example.com",
    "https://аpp.example.com",  # a Cyrillic а
    "https://app。example.com",
    "https://app.example.com／evil.example",
    "/é",
    "/" + LONGEST * "a",
    f"{APP}/" + LONGEST * "a",
    "null",
    "undefined",
]


@pytest.mark.parametrize(("text", "followed"), TAKEN.items())
def test_our_own_pages_and_the_origins_named_are_followed(text: str, followed: str) -> None:
    assert allowed(text, OURS, ORIGINS) == followed


@pytest.mark.parametrize("text", REFUSED)
def test_nothing_else_is(text: str) -> None:
    assert allowed(text, OURS, ORIGINS) == ""


def test_without_origins_only_our_own_pages_are_followed() -> None:
    assert allowed("/account", OURS) == "/account"
    assert allowed(APP, OURS) == ""


PIECES = st.sampled_from(
    ["/", "\\", ".", "@", ":", "%2f", "%5c", "?", "#", APP, OURS, "evil.example"]
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_no_mixture_leads_to_another_host(text: str) -> None:
    followed = allowed(text, OURS, ORIGINS)
    ends = ("", "/", "?", "#")
    assert (
        not followed
        or (followed.startswith("/") and followed[1:2] not in {"/", "\\"})
        or any(followed.startswith(APP) and followed[len(APP) :][:1] == end[:1] for end in ends)
    )
