"""OpenID Connect: an application signs people in with their account here."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from joserfc import jws
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.oidc import CLIENTS, ISSUER, OTHER_CALLBACK, OTHER_SECRET, Application, error_of, server
from tests.people import ADA, NUMBER, sign_up
from tests.rows import Rows
from tests.servers import production_environ
from tests.visitor import Visitor
from webapp.accounts.people.remembered_browsers import RememberedBrowser
from webapp.app import create_app
from webapp.clients.oidc.grants import CODE_LIFETIME, TOKEN_LIFETIME, Grant
from webapp.clients.oidc.keys import KEPT_AFTER, PUBLISHED_AFTER, Keyring, SigningKey
from webapp.clients.purge import purge
from webapp.settings import Settings

pytestmark = pytest.mark.environ(OIDC_CLIENTS=CLIENTS)


@pytest.fixture
async def application(app: Starlette) -> AsyncIterator[Application]:
    async with server(app) as calls:
        yield Application(calls)


@pytest.fixture
async def other(app: Starlette) -> AsyncIterator[Application]:
    """Another application of the owner's."""
    async with server(app) as calls:
        yield Application(calls, "other", OTHER_SECRET, OTHER_CALLBACK)


async def test_an_application_signs_a_person_in_and_learns_who_it_is(
    ada: Visitor, client: httpx.AsyncClient, application: Application, clock: Clock
) -> None:
    signed_in_at = int(clock().timestamp())
    clock.advance(60)
    tokens = await application.tokens(client)
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
    assert tokens["scope"] == "openid profile email phone"
    subject = (await client.get("/session")).json()["sub"]

    claims = await application.claims(tokens["id_token"])
    assert claims.pop("at_hash")
    assert claims == {
        "iss": ISSUER,
        "sub": subject,
        "aud": "app",
        "nonce": application.nonce,
        "iat": int(clock().timestamp()),
        "exp": int(clock().timestamp()) + 600,
        "auth_time": signed_in_at,
    }
    person = await application.userinfo(tokens["access_token"])
    assert person.json() == {
        "sub": subject,
        "name": ADA["name"],
        "email": ADA["email"],
        "email_verified": False,
        "phone_number": NUMBER,
        "phone_number_verified": True,
    }


@pytest.mark.parametrize(
    ("scope", "known"),
    [
        ("openid", {"sub"}),
        ("email openid", {"sub", "email", "email_verified"}),
        ("openid profile", {"sub", "name"}),
        ("phone openid unheard-of", {"sub", "phone_number", "phone_number_verified"}),
    ],
)
async def test_an_application_learns_what_it_asks_for_and_no_more(
    scope: str, known: set[str], ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    tokens = await application.tokens(client, scope=scope)
    assert set(tokens["scope"].split()) == set(scope.split()) - {"unheard-of"}
    assert (await application.userinfo(tokens["access_token"])).json().keys() == known


async def test_two_applications_know_a_person_by_the_same_subject(
    ada: Visitor, client: httpx.AsyncClient, application: Application, other: Application
) -> None:
    first, second = await application.tokens(client), await other.tokens(client)
    one, two = await application.claims(first["id_token"]), await other.claims(second["id_token"])
    assert one["sub"] == two["sub"]
    assert (one["aud"], two["aud"]) == ("app", "other")


async def test_who_is_not_signed_in_is_shown_the_way_in_and_back(
    visitor: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    nobody = await application.authorize(client, login_hint="ada@example.com")
    await sign_up(visitor)
    unverified = await application.authorize(client, login_hint="ada@example.com")
    for answer in (nobody, unverified):
        url = httpx.URL(answer.headers["Location"])
        assert (answer.status_code, url.path) == (303, "/signin")
        assert url.params["login_hint"] == "ada@example.com"
        back = httpx.URL(url.params["return_to"])
        assert back.path == "/oidc/authorize"
        asked = application.request(login_hint=None)
        assert dict(back.params) == asked


async def test_who_has_no_account_is_led_to_the_form_and_back(
    client: httpx.AsyncClient, application: Application
) -> None:
    answer = await application.authorize(client, prompt="create", login_hint="ada@example.com")
    url = httpx.URL(answer.headers["Location"])
    assert (url.path, url.params["login_hint"]) == ("/signup", "ada@example.com")
    assert dict(httpx.URL(url.params["return_to"]).params) == application.request()


async def test_a_request_that_is_too_long_to_come_back_to_is_refused(
    client: httpx.AsyncClient, application: Application
) -> None:
    answer = application.answer(await application.authorize(client, state="s" * 1900))
    assert (answer["error"], answer["state"]) == ("invalid_request", "s" * 1900)


async def test_an_application_that_may_show_nothing_is_told_that_nobody_is_signed_in(
    client: httpx.AsyncClient, application: Application
) -> None:
    answer = application.answer(await application.authorize(client, prompt="none"))
    assert answer == {"error": "login_required", "iss": ISSUER, "state": application.state}


async def test_a_person_may_be_asked_to_sign_in_anew(
    ada: Visitor, client: httpx.AsyncClient, application: Application, clock: Clock
) -> None:
    clock.advance(100)
    for changes in ({"prompt": "login"}, {"max_age": "99"}, {"max_age": "0"}):
        answer = await application.authorize(client, **changes)
        url = httpx.URL(answer.headers["Location"])
        assert (url.path, url.params["prompt"]) == ("/signin", "login")
        back = url.params["return_to"]
        assert "prompt" not in back
        again = await client.get(back)  # without having signed in
        assert httpx.URL(again.headers["Location"]).path == "/signin"
        silent = await client.get(f"{back}&prompt=none")
        assert application.answer(silent)["error"] == "login_required"


async def test_who_signed_in_lately_enough_is_not_asked_again(
    ada: Visitor, client: httpx.AsyncClient, application: Application, clock: Clock
) -> None:
    clock.advance(100)
    assert await application.code(client, max_age="100")


async def test_who_comes_back_having_signed_in_anew_is_let_on(
    ada: Visitor,
    client: httpx.AsyncClient,
    application: Application,
    clock: Clock,
    database_url: str,
) -> None:
    clock.advance(100)
    answer = await application.authorize(client, prompt="login")
    back = httpx.URL(answer.headers["Location"]).params["return_to"]
    moment = clock().isoformat(" ") if database_url.startswith("sqlite") else clock()
    Rows(database_url).all("UPDATE sessions SET created_at = ?", moment)
    assert application.answer(await client.get(back))["code"]


async def test_another_person_than_the_application_expects_is_asked_to_sign_in(
    ada: Visitor, client: httpx.AsyncClient, application: Application, database_url: str
) -> None:
    hint = (await application.tokens(client))["id_token"]
    assert await application.code(client, prompt="none", id_token_hint=hint)
    Rows(database_url).all("UPDATE users SET subject = 'another'")
    silent = application.answer(
        await application.authorize(client, prompt="none", id_token_hint=hint)
    )
    assert silent["error"] == "login_required"
    answer = await application.authorize(client, id_token_hint=hint)
    assert httpx.URL(answer.headers["Location"]).params["prompt"] == "login"


async def test_a_code_and_a_token_are_short_lived(
    ada: Visitor, client: httpx.AsyncClient, application: Application, clock: Clock
) -> None:
    code = await application.code(client)
    clock.advance(CODE_LIFETIME.total_seconds())
    assert error_of(await application.redeem(code)) == (400, "invalid_grant")
    token = (await application.tokens(client))["access_token"]
    assert (await application.userinfo(token)).status_code == 200
    clock.advance(TOKEN_LIFETIME.total_seconds())
    assert error_of(await application.userinfo(token)) == (401, "invalid_token")


async def test_signing_out_here_ends_codes_and_tokens(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    token, code = (await application.tokens(client))["access_token"], await application.code(client)
    await ada.visit("/account")
    await ada.submit("/signout")
    assert error_of(await application.userinfo(token)) == (401, "invalid_token")
    assert error_of(await application.redeem(code)) == (400, "invalid_grant")


async def test_without_an_application_nothing_of_it_is_there(database_url: str) -> None:
    production = create_app(Settings.load(production_environ(database_url, BASE_URL=ISSUER)))
    async with server(production) as calls:
        for path in ("/.well-known/openid-configuration", "/oidc/jwks", "/oidc/authorize"):
            assert (await calls.get(path)).status_code == 404


async def test_grants_and_old_keys_are_deleted_when_nothing_needs_them(
    ada: Visitor, client: httpx.AsyncClient, application: Application, clock: Clock, app: Starlette
) -> None:
    tokens, keys = await application.tokens(client), app.state.access.keys
    await keys.rotate()
    await purge(clock())
    assert (await application.userinfo(tokens["access_token"])).status_code == 200
    assert await SigningKey.all().count() == 2
    clock.advance(3600)
    await purge(clock())
    assert await Grant.all().count() == 0
    clock.advance(KEPT_AFTER.total_seconds())
    await purge(clock())
    assert await SigningKey.all().count() == 1


# Signing keys.


async def test_a_token_is_verified_by_its_key_after_the_next_one_signs(
    ada: Visitor, client: httpx.AsyncClient, application: Application, clock: Clock, app: Starlette
) -> None:
    before = (await application.tokens(client))["id_token"]
    name = await app.state.access.keys.rotate()
    after = (await application.tokens(client))["id_token"]
    assert jws.extract_compact(after.encode()).headers()["kid"] == name
    assert (await application.claims(before))["sub"] == (await application.claims(after))["sub"]
    clock.advance(PUBLISHED_AFTER.total_seconds())
    published = (await application.server.get("/oidc/jwks")).json()["keys"]
    assert [key["kid"] for key in published] == [name]
    answer = await client.get("/oidc/logout", params={"id_token_hint": before})
    assert "You’re signed out" in answer.text


async def test_a_stolen_key_is_not_published_for_a_moment_more(
    application: Application, app: Starlette
) -> None:
    await application.server.get("/oidc/jwks")
    await app.state.access.keys.rotate()
    name = await app.state.access.keys.rotate(at_once=True)
    published = (await application.server.get("/oidc/jwks")).json()["keys"]
    assert [key["kid"] for key in published] == [name]


async def test_only_public_halves_are_published(application: Application) -> None:
    [key] = (await application.server.get("/oidc/jwks")).json()["keys"]
    assert key.keys() == {"kty", "kid", "use", "alg", "n", "e"}
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")


async def test_many_who_ask_for_the_first_key_at_once_get_the_same(
    application: Application, app: Starlette, clock: Clock
) -> None:
    rings = [Keyring("k" * 32, clock) for _ in range(5)]
    keys = await asyncio.gather(*(ring.signing() for ring in rings))
    assert len({key.kid for key in keys}) == 1


async def test_another_secret_key_signs_with_a_key_of_its_own(
    application: Application, app: Starlette, clock: Clock
) -> None:
    """During a deploy with another `SECRET_KEY` neither release takes the other's key away."""
    old, new = Keyring("o" * 32, clock), Keyring("n" * 32, clock)
    first, second = await old.signing(), await new.signing()
    assert first.kid != second.kid
    assert [(await ring.signing()).kid for ring in (old, new)] == [first.kid, second.kid]
    published = {json.loads(key)["kid"] for key in await new.published()}
    assert published == {first.kid, second.kid}


# Signing out from the application.


async def test_the_application_signs_its_person_out_and_gets_them_back(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    hint = (await application.tokens(client))["id_token"]
    params = {
        "id_token_hint": hint,
        "post_logout_redirect_uri": "https://app.example.com/bye?a=1",
        "state": "s t",
    }
    answer = await client.get("/oidc/logout", params=params)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "https://app.example.com/bye?a=1&state=s+t"
    assert (await client.get("/session")).status_code == 401


async def test_a_browser_that_signed_out_from_the_application_is_known_afterwards(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    hint = (await application.tokens(client))["id_token"]
    await client.get("/oidc/logout", params={"id_token_hint": hint})
    [known] = await RememberedBrowser.all()
    assert known.asks_code


async def test_a_link_to_the_logout_ends_no_sign_up(
    visitor: Visitor, client: httpx.AsyncClient
) -> None:
    await sign_up(visitor)
    page = await visitor.visit("/oidc/logout")
    assert "You’re signed out" in page.text
    assert (await visitor.visit("/")).step == "verification"


async def test_a_token_signs_its_person_out_for_as_long_as_a_session_may_last(
    ada: Visitor, client: httpx.AsyncClient, application: Application, app: Starlette, clock: Clock
) -> None:
    hint = (await application.tokens(client))["id_token"]
    await Keyring(app.state.settings.secret_key, clock).rotate()
    clock.advance(app.state.settings.session_lifetime.total_seconds())
    await purge(clock())
    params = {"id_token_hint": hint, "post_logout_redirect_uri": "https://app.example.com/bye"}
    answer = await client.get("/oidc/logout", params=params)
    assert (answer.status_code, answer.headers.get("Location")) == (
        303,
        params["post_logout_redirect_uri"],
    )


async def test_by_post_too(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    hint = (await application.tokens(client))["id_token"]
    foreign = {"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"}
    answer = await client.post("/oidc/logout", data={"id_token_hint": hint}, headers=foreign)
    page = await client.get(answer.headers["Location"])
    assert "You’re signed out" in page.text
    assert (await client.get("/session")).status_code == 401


async def test_without_a_token_of_this_person_they_are_asked(
    ada: Visitor, client: httpx.AsyncClient, application: Application, database_url: str
) -> None:
    hint = (await application.tokens(client))["id_token"]
    rows = Rows(database_url)
    rows.all("UPDATE users SET subject = 'another'")
    onward = "https://app.example.com/bye"
    for params in (
        {},
        {"client_id": "app", "post_logout_redirect_uri": onward},
        {"id_token_hint": hint, "post_logout_redirect_uri": onward},
        {"id_token_hint": "no token"},
    ):
        page = await ada.visit(f"/oidc/logout?{httpx.QueryParams(params)}")
        assert (page.status, page.step, page.title[:9]) == (200, "signout", "Sign out?")
        assert (await client.get("/session")).status_code == 200
    await ada.visit(f"/oidc/logout?client_id=app&post_logout_redirect_uri={onward}")
    page = await ada.submit("/oidc/signout")
    assert "You’re signed out" in page.title
    link = page.html.css_first("main a.button")
    assert link
    assert link.attributes["href"] == onward
    assert (await client.get("/session")).status_code == 401


async def test_nobody_is_led_to_a_stranger_after_signing_out(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    hint = (await application.tokens(client))["id_token"]
    for params in (
        {"post_logout_redirect_uri": "https://app.example.com/bye"},
        {"client_id": "app", "post_logout_redirect_uri": "https://evil.example/"},
        {"client_id": "app", "post_logout_redirect_uri": "https://app.example.com.evil.example/"},
        {"client_id": "app", "post_logout_redirect_uri": "https://other.example.com/"},
        {"client_id": "app", "post_logout_redirect_uri": "javascript:alert(1)"},
        {"client_id": "app", "post_logout_redirect_uri": "/account"},
        {"client_id": "nobody", "post_logout_redirect_uri": "https://app.example.com/bye"},
        {"id_token_hint": hint, "post_logout_redirect_uri": "https://evil.example/"},
        {"id_token_hint": hint, "client_id": "other"},
    ):
        answer = await client.get("/oidc/logout", params=params)
        assert (answer.status_code, "Location" in answer.headers) == (400, False)
        assert "evil.example" not in answer.text
    assert (await client.get("/session")).status_code == 200
    page = await ada.post("/oidc/signout", {"onward": "https://evil.example/"})
    assert "evil.example" not in page.response.text


async def test_only_our_own_page_signs_out_without_a_token(
    ada: Visitor, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/oidc/signout", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert (await client.get("/session")).status_code == 200
