"""Passkeys: signing in by one alone, and every way in which an answer may be false."""

import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tests.authenticator import Authenticator, Passkey, decoded, encoded
from tests.conftest import Clock
from tests.people import ADA, CONFIRMATION, NUMBER, PASSWORD, sign_up, verify
from tests.phone import Phone
from tests.visitor import Page, Visitor
from webapp.accounts.challenges.passkey_challenges import PasskeyChallenge
from webapp.accounts.journeys import keep_passkeys
from webapp.accounts.people import passkeys
from webapp.accounts.people.sessions import Session
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import PASSKEY_CHALLENGE_LIFETIME
from webapp.accounts.purge import purge

BOTH_WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
UNKNOWN = "We do not know this passkey"
TOO_LATE = "took too long"
OURS = {"Sec-Fetch-Site": "same-origin"}
TEN_MINUTES = 600


@pytest.fixture
def device(client: httpx.AsyncClient) -> Authenticator:
    """Ada's telephone, at our site."""
    return Authenticator(origin_of(client))


@pytest.fixture
async def account(
    visitor: Visitor, phone: Phone, clock: Clock, app: Starlette, device: Authenticator
) -> User:
    """Ada's account, verified and with a passkey on her device; she is signed out."""
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    await phone.text(NUMBER, CONFIRMATION)
    await visitor.submit("/signout")
    user = await User.get(email=ADA["email"])
    await add_passkey(app, user, device)
    clock.advance(TEN_MINUTES)
    return user


def origin_of(client: httpx.AsyncClient) -> str:
    return f"{client.base_url.scheme}://{client.base_url.netloc.decode()}"


async def add_passkey(app: Starlette, user: User, device: Authenticator) -> None:
    site = app.state.site
    options = await keep_passkeys.ask_for_new(site, user)
    await keep_passkeys.add(site, user, device.create(options), "Telephone")


async def asked(visitor: Visitor, path: str = "/signin/passkey/options") -> dict[str, Any]:
    """The options that our script gets."""
    response = await visitor.client.post(path, headers=OURS)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def answer(visitor: Visitor, credential: str, **more: str) -> Page:
    return await visitor.post("/signin/passkey", {"credential": credential, "failure": "", **more})


async def use(visitor: Visitor, device: Authenticator, passkey: Passkey | None = None) -> Page:
    await visitor.visit("/signin")
    return await answer(visitor, device.get(await asked(visitor), passkey))


def refused(page: Page, words: str = UNKNOWN) -> bool:
    assert words in page.text
    return (page.status, page.step, page.verified) == (422, "signin", None)


# Signing in


@BOTH_WAYS
async def test_a_passkey_alone_signs_its_person_in(
    account: User, visitor: Visitor, phone: Phone, device: Authenticator
) -> None:
    texts = len(await phone.texts(NUMBER))
    page = await use(visitor, device)
    assert (page.status, page.path, page.verified) == (200, "/account", True)
    assert ADA["email"] in page.text
    assert len(await phone.texts(NUMBER)) == texts, "no code is needed"


async def test_the_options_name_nobody_and_ask_for_a_verified_user(
    account: User, visitor: Visitor
) -> None:
    options = await asked(visitor)
    assert options["allowCredentials"] == []
    assert options["userVerification"] == "required"
    assert options["rpId"] == "localhost"
    assert len(decoded(options["challenge"])) == 32
    assert options["challenge"] != (await asked(visitor))["challenge"]


async def test_signing_in_by_passkey_gives_a_new_token(
    account: User, visitor: Visitor, device: Authenticator, phone: Phone
) -> None:
    await visitor.visit("/signin")
    await visitor.submit("/signin", email=ADA["email"], password=PASSWORD)
    [half] = await Session.all()
    assert (await use(visitor, device)).verified
    [whole] = await Session.all()
    assert half.token_hash != whole.token_hash, "and the one before is dead"


@BOTH_WAYS
async def test_a_passkey_leads_on_to_where_the_person_came_from(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    page = await visitor.visit("/signin?return_to=/account%3Ffrom%3Dhere")
    page = await visitor.submit("/signin/passkey", credential=device.get(await asked(visitor)))
    assert page.step == "continue"
    assert page.html.css_first("a[href='/account?from=here']")


async def test_a_passkey_that_is_synchronised_and_does_not_count_signs_in_again_and_again(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    device.counts = False
    for _ in range(2):
        assert (await use(visitor, device)).verified
        await visitor.submit("/signout")


# Answers that are false


async def test_an_answer_given_to_another_site_is_refused(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    device.origin = "https://signin.example"
    assert refused(await use(visitor, device))


async def test_an_answer_for_another_relying_party_is_refused(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    device.passkeys[-1].rp_id = "signin.example"
    assert refused(await use(visitor, device))


async def test_an_answer_from_a_frame_in_another_sites_page_is_refused(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    device.cross_origin = True
    assert refused(await use(visitor, device))


async def test_without_user_verification_a_passkey_is_one_factor_and_refused(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    device.user_verified = False
    assert refused(await use(visitor, device))


async def test_a_signature_by_another_key_is_refused(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    forged = Passkey("localhost", device.passkeys[-1].user_handle, id=device.passkeys[-1].id)
    assert refused(await use(visitor, device, forged))


async def test_an_answer_counts_once(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    credential = device.get(await asked(visitor))
    assert (await answer(visitor, credential)).verified
    await visitor.submit("/signout")
    assert refused(await answer(visitor, credential), TOO_LATE)


async def test_a_challenge_is_used_up_by_a_false_answer(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    options = await asked(visitor)
    device.user_verified = False
    assert refused(await answer(visitor, device.get(options)))
    device.user_verified = True
    assert refused(await answer(visitor, device.get(options)), TOO_LATE)


async def test_a_challenge_is_good_for_ten_minutes(
    account: User, visitor: Visitor, device: Authenticator, clock: Clock
) -> None:
    options = await asked(visitor)
    clock.advance(PASSKEY_CHALLENGE_LIFETIME.total_seconds())
    assert refused(await answer(visitor, device.get(options)), TOO_LATE)
    await purge(clock())
    assert await PasskeyChallenge.all().count() == 0


async def test_a_challenge_of_ones_own_making_is_refused(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    options = {"challenge": encoded(bytes(32)), "userVerification": "required"}
    assert refused(await answer(visitor, device.get(options)), TOO_LATE)


async def test_a_challenge_for_adding_a_passkey_signs_nobody_in(
    account: User, visitor: Visitor, device: Authenticator, app: Starlette
) -> None:
    options = await keep_passkeys.ask_for_new(app.state.site, account)
    options["userVerification"] = "required"
    assert refused(await answer(visitor, device.get(options)), TOO_LATE)


async def test_an_answer_to_create_is_no_answer_to_get(
    account: User, visitor: Visitor, device: Authenticator, app: Starlette
) -> None:
    options = await keep_passkeys.ask_for_new(app.state.site, account)
    options["challenge"] = (await asked(visitor))["challenge"]
    assert refused(await answer(visitor, device.create(options)))


async def test_an_unknown_passkey_is_told_the_same_as_a_false_one(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    unknown = await use(visitor, device, Passkey("localhost", device.passkeys[-1].user_handle))
    device.user_verified = False
    false = await use(visitor, device)
    assert refused(unknown)
    assert unknown.response.text == false.response.text


async def test_the_account_that_the_authenticator_names_must_be_the_passkeys(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    device.passkeys[-1].user_handle = encoded(b"somebody else")
    assert refused(await use(visitor, device))


async def test_a_passkey_of_a_deleted_account_signs_nobody_in(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    await account.delete()
    assert await passkeys.Passkey.all().count() == 0
    assert refused(await use(visitor, device))


async def test_a_passkey_of_an_account_that_is_not_verified_signs_nobody_in(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    await User.filter(id=account.id).update(verified_at=None)
    assert refused(await use(visitor, device))


async def test_a_count_that_goes_back_or_stands_still_is_a_copy_and_refused(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    device.passkeys[-1].sign_count = 7
    assert (await use(visitor, device)).verified
    await visitor.submit("/signout")
    for count in (7, 3):
        device.passkeys[-1].sign_count = count
        assert refused(await use(visitor, device))
    device.passkeys[-1].sign_count = 8
    assert (await use(visitor, device)).verified


@ON_SQLITE
@pytest.mark.parametrize(
    "credential",
    [
        "x", "[]", "null", "1", "{}", "[" * 10_000, '{"id": 1}', '{"id": "a", "response": []}',
        '{"id": "a", "response": {"clientDataJSON": 7}}',
        '{"id": "a", "response": {"clientDataJSON": "%%%"}}', "\ud800", "\x00",
    ],
)  # fmt: skip
async def test_an_unreadable_answer_is_refused_in_words(visitor: Visitor, credential: str) -> None:
    sent = credential.encode("utf-8", "replace").decode()
    assert refused(await answer(visitor, sent))


@ON_SQLITE
@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("clientDataJSON", ""), ("authenticatorData", ""), ("authenticatorData", "AAAA"),
        ("signature", ""), ("signature", "AAAA"), ("userHandle", None), ("userHandle", 5),
        ("userHandle", "_w"),
    ],
)  # fmt: skip
async def test_an_answer_with_a_part_missing_or_broken_is_refused(
    account: User, visitor: Visitor, device: Authenticator, part: str, value: object
) -> None:
    whole = json.loads(device.get(await asked(visitor)))
    whole["response"][part] = value
    assert refused(await answer(visitor, json.dumps(whole)))


@ON_SQLITE
@pytest.mark.parametrize("name", ["\x00", "../x", "é", "a" * 1365, ""])
async def test_an_id_that_no_passkey_can_have_is_refused(
    account: User, visitor: Visitor, device: Authenticator, name: str
) -> None:
    whole = json.loads(device.get(await asked(visitor)))
    whole["id"] = whole["rawId"] = name
    assert refused(await answer(visitor, json.dumps(whole)))


# What the browser says where it has none


@ON_SQLITE
@BOTH_WAYS
@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("", "need JavaScript"),
        ("NotAllowedError", "cancelled or not allowed"),
        ("TimeoutError", "took too long"),
        ("SecurityError", "at this address"),
        ("NotSupportedError", "This browser cannot use passkeys"),
        ("NetworkError", "could not ask for your passkey"),
        ("TypeError", "could not use a passkey"),
    ],
)
async def test_why_no_passkey_was_used_is_said_and_the_password_is_offered(
    visitor: Visitor, failure: str, words: str
) -> None:
    await visitor.visit("/signin?return_to=/account")
    page = await visitor.submit("/signin/passkey", failure=failure)
    assert refused(page, words)
    assert "password" in page.text
    page.form("/signin")
    assert page.html.css_first("form[action='/signin'] [name=return_to][value='/account']")


@pytest.mark.environ(SIGNINS_PER_IP="2/hour")
async def test_answers_count_with_passwords_against_the_limit_of_an_address(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    await visitor.visit("/signin")
    await visitor.submit("/signin", email=ADA["email"], password="not the password")
    await answer(visitor, "x")
    page = await use(visitor, device)
    assert (page.status, page.step) == (429, "signin")


@ON_SQLITE
async def test_challenges_for_one_address_are_limited(visitor: Visitor) -> None:
    for _ in range(120):
        await asked(visitor)
    response = await visitor.client.post("/signin/passkey/options", headers=OURS)
    assert response.status_code == 429
    assert await PasskeyChallenge.all().count() == 120


@ON_SQLITE
@pytest.mark.environ(BASE_URL="http://127.0.0.1:8000")
async def test_where_the_address_is_a_number_passkeys_are_not_offered(visitor: Visitor) -> None:
    page = await visitor.visit("/signin")
    assert not page.html.css_first("[data-passkey]")
    response = await visitor.client.post("/signin/passkey/options", headers=OURS)
    assert response.status_code == 422
    assert refused(await answer(visitor, "{}"))
