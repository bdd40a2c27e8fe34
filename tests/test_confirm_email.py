"""Confirming an email address, by HTTP: our link, the page that it opens, asking for another."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.mail import CUT, MailServer, Received, mail_server
from tests.people import ADA, NUMBER, OTHER_NUMBER, sign_up, verify
from tests.phone import Phone
from tests.rows import Rows
from tests.visitor import Page, Visitor
from webapp.accounts.people.users import User
from webapp.settings import Settings

EMAIL = ADA["email"]
HTMX = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
SERVED = "confirm your email address"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def environ(environ: dict[str, str], server: MailServer) -> dict[str, str]:
    """A real mail server, whose outbox the test empties by itself."""
    url = f"smtp://127.0.0.1:{server.port}"
    return {"SMTP_URL": url, "MAIL_FROM": "no-reply@example.org", "OUTBOX_IN_WEB": "0", **environ}


class Mailbox:
    """Ada's, once the outbox was emptied."""

    def __init__(self, app: Starlette, server: MailServer) -> None:
        self.app, self.server = app, server

    async def emails(self) -> list[Received]:
        await self.app.state.outbox.deliver()
        return self.server.to(EMAIL)

    async def link(self) -> str:
        """The path of the link in the newest email, which is the same in both of its forms."""
        newest = (await self.emails())[-1]
        [link] = re.findall(r"https?://\S+", newest.text)
        assert f'href="{link}"' in newest.html
        return str(urlsplit(link).path)


@pytest.fixture
def mailbox(app: Starlette, server: MailServer) -> Mailbox:
    return Mailbox(app, server)


@pytest.fixture
async def account(visitor: Visitor, phone: Phone) -> Page:
    """Ada's account, as it is just after sign-up."""
    await sign_up(visitor)
    page = await verify(visitor, phone)
    assert page.verified is True
    return page


async def confirmed() -> bool:
    return (await User.get(email=EMAIL)).email_confirmed_at is not None


async def press(visitor: Visitor, link: str) -> Page:
    await visitor.visit(link)
    return await visitor.submit(link)


# --- the way it is meant -------------------------------------------------------------------------


@HTMX
async def test_the_link_in_the_email_confirms_the_address(
    visitor: Visitor, account: Page, mailbox: Mailbox
) -> None:
    assert SERVED in account.text.lower()
    link = await mailbox.link()
    page = await visitor.visit(link)
    assert (page.status, page.step) == (200, "confirm-email")
    assert EMAIL in page.text
    page = await visitor.submit(link)
    assert (page.status, page.path, page.title.split(" – ")[0]) == (
        200,
        link,
        "Your email address is confirmed",
    )
    assert await confirmed()
    page = await visitor.visit("/account")
    assert SERVED not in page.text.lower()
    assert "(confirmed)" in page.text
    assert (await visitor.client.get("/session")).json()["email_verified"] is True


async def test_it_works_in_a_browser_that_is_signed_in_nowhere(
    client: httpx.AsyncClient, account: Page, mailbox: Mailbox
) -> None:
    client.cookies.clear()
    page = await press(Visitor(client), await mailbox.link())
    assert page.title.startswith("Your email address is confirmed")
    assert await confirmed()


async def test_to_look_at_a_link_changes_nothing_however_often(
    visitor: Visitor, account: Page, mailbox: Mailbox
) -> None:
    link = await mailbox.link()
    for _ in range(3):
        assert (await visitor.visit(link)).status == 200
        assert (await visitor.client.head(link)).status_code == 200
    assert not await confirmed()
    await press(visitor, link)
    assert await confirmed()


async def test_the_email_holds_no_name_that_a_stranger_typed(
    visitor: Visitor, phone: Phone, mailbox: Mailbox
) -> None:
    await sign_up(visitor, name="Buy at evil.example now")
    await verify(visitor, phone)
    [email] = await mailbox.emails()
    assert "evil" not in email.content.decode()
    assert email.message["Subject"] == "Confirm your email address for Demo"


async def test_the_email_says_the_same_as_text_and_as_html_and_loads_nothing(
    account: Page, mailbox: Mailbox
) -> None:
    [email] = await mailbox.emails()
    tags = re.compile(r"<style>.*?</style>|<title>.*?</title>|<[^>]+>", re.DOTALL)
    words = " ".join(tags.sub(" ", email.html).split())
    paragraphs = [part.strip() for part in email.text.split("\n\n")]
    assert [part for part in paragraphs if part not in words] == []
    assert not re.search(r"<(img|link|script|iframe|object)|url\(|@import", email.html)
    assert "{{" not in email.html + email.text


# --- links that do not work ----------------------------------------------------------------------


async def over(visitor: Visitor, link: str) -> None:
    """The link says that it does not work, before and after it is pressed all the same."""
    for page in (await visitor.visit(link), await visitor.post(link, {})):
        assert page.status == 410
        assert "no longer works" in page.text
        assert page.html.css_first("a.button[href^='/']")


@HTMX
async def test_a_link_that_is_too_old_says_so_and_leads_on(
    visitor: Visitor, account: Page, mailbox: Mailbox, clock: Clock
) -> None:
    link = await mailbox.link()
    await visitor.visit(link)
    clock.advance(86_400)
    assert (await visitor.submit(link)).status == 410
    await over(visitor, link)
    assert not await confirmed()


@pytest.mark.parametrize("token", ["x" * 43, "nobodys", "%0d%0aSet-Cookie:%20a=b", "%3Cscript%3E"])
@HTMX
async def test_a_link_that_nobody_made_says_so(visitor: Visitor, account: Page, token: str) -> None:
    await over(visitor, f"/email/confirm/{token}")


async def test_a_link_pressed_twice_stays_confirmed(
    visitor: Visitor, account: Page, mailbox: Mailbox
) -> None:
    link = await mailbox.link()
    await press(visitor, link)
    for page in (await visitor.post(link, {}), await visitor.visit(link)):
        assert (page.status, page.title.startswith("Your email address is confirmed")) == (
            200,
            True,
        )


@pytest.mark.parametrize(
    "change", [{"password_hash": "$argon2id$2"}, {"email": "ada@example.net"}, {"phone": "+1"}]
)
async def test_a_link_ends_when_the_account_changes(
    visitor: Visitor, account: Page, mailbox: Mailbox, change: dict[str, str]
) -> None:
    link = await mailbox.link()
    await User.all().update(**change)
    await over(visitor, link)
    assert (await User.get()).email_confirmed_at is None


# --- asking for another one ----------------------------------------------------------------------


@HTMX
async def test_another_link_can_be_asked_for_after_a_minute(
    visitor: Visitor, account: Page, mailbox: Mailbox, clock: Clock
) -> None:
    assert account.resend_in == 60
    page = await visitor.submit("/account/email/resend")
    assert (page.status, page.response.headers["Retry-After"]) == (429, "60")
    assert "a moment ago" in page.text
    clock.advance(60)
    page = await visitor.visit("/account")
    assert page.resend_in == 0
    page = await visitor.submit("/account/email/resend")
    assert (page.status, page.path, page.resend_in) == (200, "/account", 60)
    first, second = await mailbox.emails()
    assert first.message["Message-ID"] != second.message["Message-ID"]
    await press(visitor, await mailbox.link())
    assert await confirmed()


@pytest.mark.environ(RESENDS_PER_IP="off")
async def test_an_address_is_sent_ten_emails_a_day(
    visitor: Visitor, account: Page, mailbox: Mailbox, clock: Clock
) -> None:
    for _ in range(9):
        clock.advance(60)
        assert (await visitor.post("/account/email/resend", {})).status == 200
    clock.advance(60)
    page = await visitor.post("/account/email/resend", {})
    assert page.status == 429
    assert "as many emails" in page.text
    assert len(await mailbox.emails()) == 10
    clock.advance(int(page.response.headers["Retry-After"]) + 1)
    assert (await visitor.post("/account/email/resend", {})).status == 200


@pytest.mark.environ(RESENDS_PER_IP="1/hour")
async def test_a_visitor_is_throttled_by_address(
    visitor: Visitor, account: Page, mailbox: Mailbox, clock: Clock
) -> None:
    clock.advance(60)
    await visitor.post("/account/email/resend", {})
    clock.advance(60)
    assert (await visitor.post("/account/email/resend", {})).status == 429
    assert len(await mailbox.emails()) == 2


async def test_nobody_asks_for_a_link_who_is_not_verified(
    visitor: Visitor, mailbox: Mailbox
) -> None:
    assert (await visitor.post("/account/email/resend", {})).path == "/signup"
    await sign_up(visitor)
    assert (await visitor.post("/account/email/resend", {})).path == "/verification"
    assert await mailbox.emails() == []


async def test_whoever_is_too_late_for_an_email_is_sent_none(
    client: httpx.AsyncClient, visitor: Visitor, account: Page, phone: Phone, mailbox: Mailbox
) -> None:
    client.cookies.clear()
    await sign_up(visitor, email=EMAIL.upper(), phone="07400 123457")
    assert (await verify(visitor, phone, OTHER_NUMBER)).verified is False
    assert len(await mailbox.emails()) == 1


# --- bad days ------------------------------------------------------------------------------------


async def test_an_account_is_verified_although_the_mail_server_is_away(
    visitor: Visitor, account: Page, mailbox: Mailbox, server: MailServer, clock: Clock
) -> None:
    server.reply("RCPT", "451 4.3.0 Later", CUT)
    assert await mailbox.emails() == []
    clock.advance(600)
    assert await mailbox.emails() == []
    clock.advance(1200)
    await press(visitor, await mailbox.link())
    assert await confirmed()


async def test_no_token_is_in_the_database_the_log_or_a_referrer(
    visitor: Visitor, account: Page, mailbox: Mailbox, database_url: str
) -> None:
    link = await mailbox.link()
    token = link.rpartition("/")[2]
    rows = Rows(database_url)
    assert token not in str([rows.all(f"SELECT * FROM {name}") for name in ("links", "outbox")])
    with capture_logs() as lines:
        await visitor.visit(link)
        await visitor.client.post(link)  # not from our page: refused before any route
        await visitor.client.get(link, headers={"Host": "evil.example"})
        await press(visitor, link)
    assert token not in str(lines)
    paths = {line["path"] for line in lines if line["event"] == "request"}
    assert paths == {"/email/confirm/[token]"}
    for answer in (await visitor.client.get(link), visitor.page and visitor.page.response):
        assert answer
        assert answer.headers["Referrer-Policy"] == "strict-origin"


async def test_an_old_browser_may_press_the_button_too(
    client: httpx.AsyncClient, account: Page, mailbox: Mailbox, settings: Settings
) -> None:
    """One that does not send Sec-Fetch-Site: its Origin is ours under this referrer policy."""
    answer = await client.post(await mailbox.link(), headers={"Origin": settings.base_url})
    assert answer.status_code == 303
    assert await confirmed()


@pytest.mark.environ(SMTP_URL="", MAIL_FROM="")
async def test_the_sandboxs_mailbox_has_the_link_in_development(
    visitor: Visitor, account: Page, app: Starlette, client: httpx.AsyncClient
) -> None:
    await app.state.outbox.deliver()
    [message] = (await client.get("/sandbox/messages.json", params={"to": EMAIL})).json()
    assert message["channel"] == "email"
    await press(visitor, urlsplit(message["link"]).path)
    assert await confirmed()
    assert len((await client.get("/sandbox/messages.json", params={"to": NUMBER})).json()) == 2


async def test_the_gallery_shows_every_email_in_both_forms(client: httpx.AsyncClient) -> None:
    shown = await client.get("/sandbox/gallery/emails/confirm-email")
    assert "Confirm my email address" in shown.text
    assert "style-src 'unsafe-inline'" in shown.headers["Content-Security-Policy"]
    text = await client.get("/sandbox/gallery/emails/confirm-email/text")
    assert text.text.startswith("Subject: Confirm your email address")
    index = (await client.get("/sandbox/gallery")).text
    assert "/sandbox/gallery/emails/confirm-email" in index
    assert (await client.get("/sandbox/gallery/emails/nobodys")).status_code == 404
