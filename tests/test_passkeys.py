"""Passkeys: adding one, signing in by it alone, and every way in which an answer may be false."""

import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tests.authenticator import Authenticator, Passkey, decoded, encoded
from tests.conftest import Clock
from tests.people import ADA, NUMBER, PASSWORD, sign_up, verify
from tests.phone import Phone
from tests.visitor import Page, Visitor
from webapp.accounts.challenges.passkey_challenges import PasskeyChallenge, Purpose, issue
from webapp.accounts.people import passkeys
from webapp.accounts.people.sessions import Session
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import (
    PASSKEY_CHALLENGE_LIFETIME,
    PASSKEYS_PER_ACCOUNT,
    RECENT_PROOF,
)
from webapp.accounts.purge import purge

BOTH_WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
UNKNOWN = "We do not know this passkey"
TOO_LATE = "took too long"
OURS = {"Sec-Fetch-Site": "same-origin"}
TEN_MINUTES = 600
LATER = RECENT_PROOF.total_seconds() + 1


@pytest.fixture
def device(client: httpx.AsyncClient) -> Authenticator:
    """Ada's telephone, at our site."""
    return Authenticator(origin_of(client))


@pytest.fixture
async def ada(ada: Visitor, app: Starlette) -> Visitor:
    """Ada, verified a moment ago; what she was sent then is delivered."""
    await app.state.outbox.deliver()
    return ada


@pytest.fixture
async def account(ada: Visitor, clock: Clock, device: Authenticator) -> User:
    """Ada's account, with a passkey on her device; she is signed out."""
    assert (await add(ada, device)).status == 200
    await ada.visit("/account")
    await ada.submit("/signout")
    clock.advance(TEN_MINUTES)
    return await User.get(email=ADA["email"])


def origin_of(client: httpx.AsyncClient) -> str:
    return f"{client.base_url.scheme}://{client.base_url.netloc.decode()}"


async def add(visitor: Visitor, device: Authenticator, name: str = "Telephone") -> Page:
    """Add a passkey as our script does."""
    await visitor.visit("/account/passkeys")
    options = await asked(visitor, "/account/passkeys/options")
    return await added(visitor, device.create(options), name)


async def added(visitor: Visitor, credential: str, name: str = "") -> Page:
    return await visitor.post(
        "/account/passkeys", {"credential": credential, "failure": "", "name": name}
    )


def names(page: Page) -> list[str]:
    """The passkeys on the account's page."""
    return [node.text() for node in page.html.css(".facts strong")]


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
    account: User, visitor: Visitor, device: Authenticator, clock: Clock
) -> None:
    challenge = await issue(Purpose.ADD, account.id, clock())
    options = {"challenge": encoded(challenge), "userVerification": "required"}
    assert refused(await answer(visitor, device.get(options)), TOO_LATE)


async def test_an_answer_to_create_is_no_answer_to_get(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    signature = json.loads(device.get(await asked(visitor)))
    client_data = json.loads(decoded(signature["response"]["clientDataJSON"]))
    client_data["type"] = "webauthn.create"
    signature["response"]["clientDataJSON"] = encoded(json.dumps(client_data).encode())
    assert refused(await answer(visitor, json.dumps(signature)))


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


# Adding and removing


@BOTH_WAYS
async def test_a_passkey_is_added_and_removed_on_the_accounts_page(
    ada: Visitor, device: Authenticator, clock: Clock
) -> None:
    page = await ada.visit("/account")
    assert page.html.css_first(".section a[href='/account/passkeys']"), "offered after sign-up"
    page = await add(ada, device, "Telephone")
    assert (page.path, page.step) == ("/account/passkeys", "account-passkeys")
    assert "Your passkey is added" in page.text
    assert names(page) == ["Telephone"]
    assert "not used yet" in page.text
    page = await add(ada, device, "")
    assert names(page) == ["Telephone", "Firefox on Linux"]
    page = await ada.submit("/account/passkeys/remove")
    assert "The passkey is removed" in page.text
    assert names(page) == ["Firefox on Linux"]


async def test_the_options_for_a_new_one_name_the_person_by_nothing_that_counts(
    ada: Visitor, device: Authenticator
) -> None:
    await add(ada, device)
    options = await asked(ada, "/account/passkeys/options")
    user = await User.get()
    assert options["user"]["id"] == encoded(user.subject.encode())
    assert options["user"]["name"] == ADA["email"]
    assert options["rp"]["id"] == "localhost"
    assert options["attestation"] == "none"
    [excluded] = options["excludeCredentials"]
    assert excluded["id"] == encoded(device.passkeys[0].id)
    assert excluded["transports"] == ["internal", "hybrid"]


async def test_what_a_passkey_did_is_on_the_accounts_page(
    account: User, visitor: Visitor, device: Authenticator
) -> None:
    await use(visitor, device)
    assert "last used on" in (await visitor.visit("/account/passkeys")).text


async def test_adding_and_removing_is_told_to_the_person(
    ada: Visitor, device: Authenticator, phone: Phone, app: Starlette
) -> None:
    await add(ada, device)
    await app.state.outbox.deliver()
    assert "passkey was added" in (await phone.texts(NUMBER))[0].body
    await ada.submit("/account/passkeys/remove")
    await app.state.outbox.deliver()
    assert "passkey was removed" in (await phone.texts(NUMBER))[0].body


async def test_whoever_signed_up_but_is_not_verified_has_no_passkeys(visitor: Visitor) -> None:
    await sign_up(visitor)
    assert (await visitor.visit("/account/passkeys")).path == "/verification"
    response = await visitor.client.post("/account/passkeys/options", headers=OURS)
    assert response.status_code == 303


async def test_nobody_adds_a_passkey_without_signing_in(visitor: Visitor) -> None:
    assert (await visitor.visit("/account/passkeys")).step == "signin"
    for path in ("", "/options", "/remove"):
        response = await visitor.client.post(f"/account/passkeys{path}", headers=OURS)
        assert response.headers["location"] == "/signin?return_to=%2Faccount%2Fpasskeys"


@pytest.mark.parametrize("fault", ["origin", "user_verified", "cross_origin", "rp_id"])
async def test_a_new_passkey_that_is_not_made_for_us_is_refused(
    ada: Visitor, device: Authenticator, fault: str
) -> None:
    options = await asked(ada, "/account/passkeys/options")
    if fault == "rp_id":
        options["rp"]["id"] = "signin.example"
    else:
        wrong = {"origin": "https://signin.example", "user_verified": False, "cross_origin": True}
        setattr(device, fault, wrong[fault])
    page = await added(ada, device.create(options))
    assert (page.status, page.step) == (422, "account-passkeys")
    assert "We cannot use the passkey" in page.text
    assert await passkeys.Passkey.all().count() == 0


async def test_a_challenge_adds_one_passkey_to_its_own_account(
    ada: Visitor, device: Authenticator, client: httpx.AsyncClient, phone: Phone
) -> None:
    options = await asked(ada, "/account/passkeys/options")
    eve = Visitor(httpx.AsyncClient(transport=client._transport, base_url=client.base_url))
    await sign_up(eve, email="eve@example.com", phone="07400 123457")
    assert (await verify(eve, phone, "+447400123457")).verified
    page = await added(eve, device.create(options))
    assert (page.status, TOO_LATE in page.text) == (422, True)
    assert (await added(ada, device.create(options))).status == 200
    page = await added(ada, device.create(options))
    assert (page.status, TOO_LATE in page.text) == (422, True)
    assert await passkeys.Passkey.all().count() == 1


async def test_a_passkey_of_another_account_is_not_taken_over(
    account: User, visitor: Visitor, device: Authenticator, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor, email="eve@example.com", phone="07400 123457")
    assert (await verify(visitor, phone, "+447400123457")).verified
    options = await asked(visitor, "/account/passkeys/options")
    copied = Authenticator(device.origin)
    copied.next_id = device.passkeys[0].id
    page = await added(visitor, copied.create(options))
    assert (page.status, "already belongs to an account" in page.text) == (422, True)
    name = encoded(device.passkeys[0].id)
    page = await visitor.post("/account/passkeys/remove", {"passkey": name})
    assert "is removed" not in page.text
    [left] = await passkeys.Passkey.all()
    assert left.user_id == account.id


async def test_what_is_no_id_of_a_passkey_removes_none(ada: Visitor, device: Authenticator) -> None:
    assert (await add(ada, device)).status == 200
    page = await ada.post("/account/passkeys/remove", {"passkey": "\0"})
    assert (page.status, "is removed" in page.text) == (200, False)
    assert await passkeys.Passkey.all().count() == 1


async def test_an_account_has_twenty_passkeys_at_most(ada: Visitor, device: Authenticator) -> None:
    for _ in range(PASSKEYS_PER_ACCOUNT):
        assert (await add(ada, device)).status == 200
    page = await add(ada, device)
    assert (page.status, "Remove one first" in page.text) == (429, True)
    assert await passkeys.Passkey.all().count() == PASSKEYS_PER_ACCOUNT


async def test_a_name_that_is_too_long_is_told_beside_its_field(
    ada: Visitor, device: Authenticator
) -> None:
    page = await add(ada, device, "a" * 61)
    assert (page.status, set(page.errors)) == (422, {"name"})
    page = await ada.submit("/account/passkeys", failure="InvalidStateError", name="Laptop")
    assert (page.status, "This device already has a passkey" in page.text) == (422, True)
    assert page.html.css_first("#name[value='Laptop']"), "nothing typed is lost"


# The proof before a change


@BOTH_WAYS
async def test_adding_and_removing_ask_for_a_proof_of_the_last_ten_minutes(
    ada: Visitor, device: Authenticator, clock: Clock
) -> None:
    await add(ada, device)
    clock.advance(LATER)
    page = await ada.visit("/account/passkeys")
    assert names(page) == ["Telephone"], "to look needs none"
    assert not page.html.css("form[action^='/account/passkeys']")
    response = await ada.client.post("/account/passkeys/options", headers=OURS)
    assert response.status_code == 303
    for path in ("/account/passkeys", "/account/passkeys/remove"):
        name = encoded(device.passkeys[0].id)
        page = await ada.post(path, {"passkey": name, "credential": "x"})
        assert page.step == "account-proof"
    assert await passkeys.Passkey.all().count() == 1
    page = await ada.submit("/account/proof", current="not my password")
    assert (page.status, set(page.errors)) == (422, {"current"})
    page = await ada.submit("/account/proof", current=PASSWORD)
    assert (page.status, page.step) == (200, "account-passkeys")
    assert (await ada.submit("/account/passkeys/remove")).status == 200
    assert await passkeys.Passkey.all().count() == 0


@BOTH_WAYS
async def test_a_passkey_is_a_proof(ada: Visitor, device: Authenticator, clock: Clock) -> None:
    await add(ada, device)
    clock.advance(LATER)
    await ada.visit("/account/proof?return_to=/account/passkeys")
    [before] = await Session.all()
    options = await asked(ada, "/account/proof/passkey/options")
    assert [one["id"] for one in options["allowCredentials"]] == [encoded(device.passkeys[0].id)]
    page = await ada.submit("/account/proof/passkey", credential=device.get(options))
    assert (page.status, page.step) == (200, "account-passkeys")
    page.form("/account/passkeys/remove")
    [after] = await Session.all()
    assert after.token_hash != before.token_hash
    assert after.created_at == before.created_at


async def test_a_proof_leads_to_the_accounts_own_pages_alone(ada: Visitor, clock: Clock) -> None:
    clock.advance(LATER)
    for url in ("https://evil.example/", "//evil.example", "/account/../signout", "/signup"):
        await ada.visit(f"/account/proof?return_to={url}")
        page = await ada.submit("/account/proof", current=PASSWORD)
        assert page.path == "/account"
        clock.advance(LATER)


async def test_anothers_passkey_is_no_proof(
    account: User, visitor: Visitor, device: Authenticator, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor, email="eve@example.com", phone="07400 123457")
    assert (await verify(visitor, phone, "+447400123457")).verified
    clock.advance(LATER)
    await visitor.visit("/account/proof")
    options = await asked(visitor, "/account/proof/passkey/options")
    page = await visitor.post(
        "/account/proof/passkey", {"credential": device.get(options), "failure": ""}
    )
    assert (page.status, UNKNOWN in page.text) == (422, True)
    assert (await visitor.visit("/account/proof")).step == "account-proof"


async def test_a_challenge_for_signing_in_proves_nothing(
    ada: Visitor, device: Authenticator, clock: Clock
) -> None:
    await add(ada, device)
    clock.advance(LATER)
    fields = {"credential": device.get(await asked(ada)), "failure": ""}
    page = await ada.post("/account/proof/passkey", fields)
    assert (page.status, TOO_LATE in page.text) == (422, True)


async def test_a_challenge_for_a_proof_adds_no_passkey(ada: Visitor, device: Authenticator) -> None:
    options = await asked(ada, "/account/passkeys/options")
    proof = await asked(ada, "/account/proof/passkey/options")
    page = await added(ada, device.create(options | {"challenge": proof["challenge"]}))
    assert (page.status, TOO_LATE in page.text) == (422, True)
