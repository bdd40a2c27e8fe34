"""A person takes their data along, and deletes the account."""

import json

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.oidc import CLIENTS, Application
from tests.people import ADA, NUMBER, PASSWORD, sign_up, verify
from tests.phone import Phone
from tests.rows import TABLES, Rows
from tests.test_account import BOTH_WAYS, LATER, TEN_MINUTES, browser, sign_in
from tests.visitor import Page, Visitor
from webapp.accounts.people.users import User
from webapp.settings import Settings

EMAIL, NAME = ADA["email"], ADA["name"]


async def delete(visitor: Visitor, current: str = PASSWORD) -> Page:
    await visitor.visit("/account/delete")
    return await visitor.submit("/account/delete", current=current)


async def test_the_data_is_a_download_of_all_but_secrets(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(TEN_MINUTES)
    await sign_in(ada, phone, remember="1")
    answer = await ada.client.get("/account/data")
    assert answer.headers["content-disposition"] == 'attachment; filename="account.json"'
    assert answer.headers["content-type"].startswith("application/json")
    assert "no-store" in answer.headers["cache-control"]
    data = json.loads(answer.text)
    session = (await ada.client.get("/session")).json()
    for claim in ("sub", "name", "email", "phone_number"):
        assert data[claim] == session[claim]
    assert data["sessions"][0]["signed_in_at"] == clock.now.isoformat()
    assert "Firefox" in data["remembered_browsers"][0]["browser"]
    assert (data["country"], data["passkeys"], data["phone_changes"]) == ("GB", [], [])
    assert [link["address"] for link in data["links"]] == [EMAIL]
    assert data["has_recovery_code"] is False
    assert "argon2" not in answer.text
    secrets = ("token_hash", "password_hash", "claimed_email")
    assert [name for name in secrets if name in answer.text] == []


async def test_nobody_else_has_the_data(client: httpx.AsyncClient, visitor: Visitor) -> None:
    assert (await client.get("/account/data")).status_code == 303
    await sign_up(visitor)
    answer = await client.get("/account/data")
    assert (answer.status_code, EMAIL in answer.text) == (303, False)


@BOTH_WAYS
async def test_an_account_is_gone_at_once_and_its_email_free(
    ada: Visitor, phone: Phone, app: Starlette, clock: Clock, database_url: str
) -> None:
    clock.advance(LATER)
    with browser(ada) as elsewhere:
        await sign_in(elsewhere, phone, remember="1")
        with capture_logs() as lines:
            page = await delete(ada)
        assert (page.status, page.path, page.step) == (200, "/account/deleted", "account-deleted")
        assert [line["event"] for line in lines if line["event"] == "account_deleted"]
        assert (await elsewhere.client.get("/session")).status_code == 401
    assert not ada.client.cookies
    await phone.text(NUMBER, "^Demo: Your account was deleted")
    await app.state.outbox.deliver()
    left = {
        table._meta.db_table: Rows(database_url).all(f"SELECT * FROM {table._meta.db_table}")
        for table in TABLES
    }
    assert NAME not in str(left)
    assert EMAIL not in str(left)
    kept = {name for name, found in left.items() if found}
    assert kept <= {"usage", "phone_events", "daily_totals", "outbox"}, "which name nobody"
    clock.advance(TEN_MINUTES)
    await sign_up(ada)
    assert (await verify(ada, phone)).verified
    assert await User.all().count() == 1


@BOTH_WAYS
async def test_a_wrong_password_deletes_nothing(ada: Visitor) -> None:
    page = await delete(ada, "not my password")
    assert (page.status, page.step, set(page.errors)) == (422, "account-delete", {"current"})
    assert set((await ada.post("/account/delete", {})).errors) == {"current"}
    assert await User.all().count() == 1


@pytest.mark.environ(OIDC_CLIENTS=CLIENTS)
async def test_it_ends_what_applications_were_given(ada: Visitor, settings: Settings) -> None:
    transport = ada.client._transport
    async with httpx.AsyncClient(transport=transport, base_url=settings.base_url) as server:
        application = Application(server)
        token = (await application.tokens(ada.client))["access_token"]
        code = await application.code(ada.client)
        assert (await application.userinfo(token)).status_code == 200
        await delete(ada)
        assert (await application.userinfo(token)).status_code == 401
        assert (await application.redeem(code)).status_code == 400


async def test_a_confirmed_email_is_told_although_its_row_is_gone(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    await User.all().update(email_confirmed_at=clock())
    await delete(ada)
    await phone.text(EMAIL, "was deleted on")


@pytest.mark.environ(
    WEBHOOK_URL="https://app.example/hook",
    WEBHOOK_SECRET="whsec_" + "a" * 32,
    OUTBOX_IN_WEB="0",
)
async def test_what_waits_to_be_sent_of_the_person_is_sent_no_more(
    ada: Visitor, database_url: str
) -> None:
    subject = (await User.get()).subject
    await delete(ada)
    rows = Rows(database_url).all(
        "SELECT channel, subject, \"to\", body FROM outbox WHERE channel <> 'text'"
    )
    [(channel, event, to, body)] = rows
    assert (channel, event, to) == ("webhook", "account.deleted", "")
    assert json.loads(body)["data"] == {"sub": subject}
