"""`python -m webapp people`: what an operator sees of accounts, and does to them."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import ADA, NUMBER, OTHER_NUMBER, PASSWORD, sign_up, verify, wrong
from tests.phone import Phone
from tests.rows import TABLES, Rows
from tests.servers import command, production_environ
from tests.site import until
from tests.visitor import Visitor

pytestmark = pytest.mark.slow
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOK = {"WEBHOOK_URL": "http://127.0.0.1:9/", "WEBHOOK_SECRET": SECRET}
CREDENTIALS = {"email": ADA["email"], "password": PASSWORD}


@dataclass
class Operator:
    """Somebody at the command line of a deployment."""

    database_url: str

    def run(self, *arguments: str, **settings: str) -> tuple[int, str, str]:
        """Exit status, output, and what went to standard error."""
        environ = production_environ(self.database_url, USER="grace", **settings)
        done = command("people", *arguments, environ=environ)
        return done.returncode, done.stdout, done.stderr

    def __call__(self, *arguments: str, **settings: str) -> str:
        """What a command prints that does what it should, and logs it."""
        status, output, log = self.run(*arguments, **settings)
        assert status == 0, log
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        [noted] = [line for line in lines if line["event"].startswith("people_")]
        assert noted["operator"] == "grace"
        assert ADA["email"] not in log
        assert NUMBER not in log
        return output

    def records(self, action: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(action).splitlines()]


@pytest.fixture
def operator(app: Starlette, database_url: str) -> Operator:
    return Operator(database_url)


@pytest.fixture
async def ada(app: Starlette, visitor: Visitor, phone: Phone, database_url: str) -> Visitor:
    """Signed up, and in again, with a wrong code on the way."""
    await sign_up(visitor)
    await visitor.submit("/verification", code=wrong(await phone.code(NUMBER)))
    assert (await verify(visitor, phone)).verified
    await phone.text(NUMBER, "Signup complete")
    waiting = "SELECT count(*) FROM outbox WHERE state = 'pending'"
    await until(lambda: not Rows(database_url).one(waiting))
    return visitor


def subject(operator: Operator) -> str:
    return str(Rows(operator.database_url).one("SELECT subject FROM users"))


async def sign_in(visitor: Visitor) -> int:
    visitor.client.cookies.clear()
    await visitor.visit("/signin")
    return (await visitor.post("/signin", CREDENTIALS)).status


async def test_the_list_has_a_line_of_json_for_each(operator: Operator, ada: Visitor) -> None:
    [person] = operator.records("list")
    assert person.pop("created_at") <= person.pop("verified_at")
    assert person == {
        "sub": subject(operator),
        "name": ADA["name"],
        "email": ADA["email"],
        "email_confirmed": False,
        "phone": NUMBER,
        "country": "GB",
    }


async def test_the_export_has_what_is_stored_and_no_secret(
    operator: Operator, ada: Visitor
) -> None:
    [person] = operator.records("export")
    assert [code["outcome"] for code in person["verifications"]] == ["approved"]
    assert len(person["sessions"]) == 1
    [text] = [message for message in person["messages"] if message["channel"] == "text"]
    assert (text["to"], text["state"]) == (NUMBER, "sent")
    stored = json.dumps(person)
    rows = Rows(operator.database_url)
    for secret in (
        "password_hash FROM users",
        "token_hash FROM sessions",
        "network FROM verifications",
    ):
        assert rows.one(f"SELECT {secret}") not in stored


@pytest.mark.environ(OUTBOX_IN_WEB="0")
async def test_the_export_has_no_link_that_still_works(
    operator: Operator, visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    waiting = "SELECT body FROM outbox WHERE channel = 'email'"
    assert "/email/confirm/" in Rows(operator.database_url).one(waiting)
    [person] = operator.records("export")
    [email] = [message for message in person["messages"] if message["channel"] == "email"]
    assert (email["to"], email["body"], email["html"]) == (ADA["email"], "", "")


@pytest.mark.parametrize("who", ["email", "number", "sub"])
async def test_a_person_is_shown_as_a_story(operator: Operator, ada: Visitor, who: str) -> None:
    spellings = {"email": "ADA@Example.com", "number": "+44 7400 123456"}
    lines = operator("show", spellings.get(who) or subject(operator)).splitlines()
    assert lines[0].startswith(f"Ada Lovelace, {ADA['email']}, {NUMBER}, sub ")
    told = [line.split("  ", 2)[2] for line in lines[1:-1]]
    assert told[0] == f"signed up with {ADA['email']} and {NUMBER}"
    assert any("1 sent, 2 checked, approved" in line for line in told)
    assert any(line.startswith("session (open)") for line in told)
    assert any("text" in line and "sent after 1 attempts" in line for line in told)
    assert lines[-1] == "verified"


async def test_several_accounts_of_one_number_are_named_and_nothing_is_done(
    operator: Operator, ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(60)
    ada.client.cookies.clear()
    await sign_up(ada, email="eve@example.com")
    for action in (["show"], ["erase", "--yes"], ["sign-out"], ["unlock"]):
        status, output, log = operator.run(action[0], NUMBER, *action[1:])
        assert (status, output) == (1, "")
        assert f"2 accounts: {NUMBER}" in log
        assert ADA["email"] in log
        assert "eve@example.com" in log
    assert len(operator.records("list")) == 2


@pytest.mark.parametrize("who", ["nobody@example.com", "+447400999999", "0" * 32, "ada"])
async def test_who_is_nobody_is_said(operator: Operator, ada: Visitor, who: str) -> None:
    status, output, log = operator.run("erase", who, "--yes")
    assert (status, output) == (1, "")
    assert who in log


async def test_nothing_is_erased_without_a_yes(operator: Operator, ada: Visitor) -> None:
    status, output, log = operator.run("erase", ADA["email"])
    assert (status, output) == (1, "")
    assert "--yes" in log
    assert len(operator.records("list")) == 1


def traces(database_url: str, *names: str) -> set[tuple[str, str]]:
    """The tables and columns in which one of ``names`` stands."""
    rows = Rows(database_url)
    return {
        (model._meta.db_table, column)
        for model in TABLES
        for column in model._meta.fields_db_projection.values()
        for (value,) in rows.all(f'SELECT "{column}" FROM "{model._meta.db_table}"')
        if any(name in str(value) for name in names)
    }


async def test_an_erased_person_leaves_no_trace(
    operator: Operator, ada: Visitor, database_url: str
) -> None:
    wrong_password = CREDENTIALS | {"password": "another password altogether"}
    await ada.post("/signout", {})
    await ada.post("/signin", wrong_password)
    await ada.visit("/password/forgot")
    await ada.post("/password/forgot", {"email": ADA["email"]})
    operator("change-phone", ADA["email"], OTHER_NUMBER)  # the old number is one of hers too
    who = (ADA["name"], ADA["email"], NUMBER, OTHER_NUMBER, subject(operator))
    assert ("usage", "key") in traces(database_url, NUMBER)
    told = operator("erase", ADA["email"], "--yes").splitlines()
    assert traces(database_url, *who) == set()
    assert {"removed 1 accounts", "removed 1 password checks", "removed 2 texts"} <= set(told)
    left = {model._meta.db_table: Rows(database_url).all(f'SELECT * FROM "{model._meta.db_table}"')
            for model in TABLES}  # fmt: skip
    assert {table for table, rows in left.items() if rows} <= {"usage", "oidc_keys", "daily_totals"}
    assert await sign_in(ada) == 422


async def test_what_goes_by_a_number_stays_while_another_account_has_it(
    operator: Operator, ada: Visitor, phone: Phone, clock: Clock, database_url: str
) -> None:
    clock.advance(60)
    ada.client.cookies.clear()
    await sign_up(ada, email="eve@example.com")
    operator("erase", ADA["email"], "--yes")
    assert {("users", "phone"), ("usage", "key"), ("outbox", "to")} <= traces(database_url, NUMBER)
    assert traces(database_url, ADA["email"]) == set()
    assert [person["email"] for person in operator.records("list")] == ["eve@example.com"]


async def test_applications_hear_of_what_an_operator_does(
    operator: Operator, ada: Visitor, database_url: str
) -> None:
    sub = subject(operator)
    operator("change-phone", ADA["email"], OTHER_NUMBER, **HOOK)
    told = "SELECT body FROM outbox WHERE channel = 'webhook' ORDER BY id"
    [(updated,)] = Rows(database_url).all(told)
    assert json.loads(updated)["type"] == "account.updated"
    assert json.loads(updated)["data"]["phone_number"] == OTHER_NUMBER
    operator("erase", sub, "--yes", **HOOK)
    [(deleted,)] = Rows(database_url).all(told)  # and nobody hears any more of what was before
    assert json.loads(deleted)["type"] == "account.deleted"
    assert json.loads(deleted)["data"] == {"sub": sub}


async def test_who_is_signed_out_has_to_prove_themselves_wholly(
    operator: Operator, ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(60)
    assert await sign_in(ada) == 200
    remembered = {"code": await phone.code(NUMBER), "remember": "1"}
    assert (await ada.post("/signin/code", remembered)).verified
    operator("sign-out", ADA["email"])
    assert (await ada.visit("/account")).step != "account"
    clock.advance(60)
    assert (await ada.post("/signin", CREDENTIALS)).step == "signin-code"


async def test_who_is_unlocked_may_try_again_at_once(
    operator: Operator, ada: Visitor, database_url: str
) -> None:
    await ada.post("/signout", {})
    await ada.visit("/signin")
    for _ in range(8):
        await ada.post("/signin", CREDENTIALS | {"password": "another altogether"})
    assert await sign_in(ada) == 429
    operator("unlock", ADA["email"])
    assert await sign_in(ada) == 200


async def test_another_number_is_given_with_every_way_in_ended(
    operator: Operator, ada: Visitor, phone: Phone, clock: Clock
) -> None:
    told = operator("change-phone", ADA["email"], "+44 7400 123457")
    assert told.startswith(f"{NUMBER} is {OTHER_NUMBER} now")
    assert (await ada.visit("/account")).step != "account"
    clock.advance(60)
    await phone.text(NUMBER, "mobile number was changed")
    assert await sign_in(ada) == 200
    assert (await ada.post("/signin/code", {"code": await phone.code(OTHER_NUMBER)})).verified


@pytest.mark.parametrize(
    ("number", "words"),
    [("07400 123457", "07400 123457"), ("+44 20 7946 0000", "landline"), ("+449", "+449")],
)
async def test_a_number_that_cannot_be_texted_is_not_given(
    operator: Operator, ada: Visitor, number: str, words: str
) -> None:
    status, _, log = operator.run("change-phone", ADA["email"], number)
    assert status == 1
    assert words in log
    assert operator.records("list")[0]["phone"] == NUMBER


async def test_who_is_not_verified_changes_the_number_themselves(
    operator: Operator, app: Starlette, visitor: Visitor
) -> None:
    await sign_up(visitor)
    status, _, log = operator.run("change-phone", ADA["email"], OTHER_NUMBER)
    assert (status, "not verified" in log) == (1, True)
