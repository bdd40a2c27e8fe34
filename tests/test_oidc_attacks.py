"""Attacks on OpenID Connect, by the names that RFC 9700 and the ASVS give them."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.oidc import (
    CALLBACK,
    CLIENTS,
    ISSUER,
    OTHER_CALLBACK,
    OTHER_SECRET,
    SECRET,
    Application,
    challenge,
    error_of,
    server,
)
from tests.rows import Rows
from tests.visitor import Visitor
from webapp.web import log as logs

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
pytestmark = pytest.mark.environ(OIDC_CLIENTS=CLIENTS)
VERIFIER = "v" * 43


@pytest.fixture
async def application(app: Starlette) -> AsyncIterator[Application]:
    async with server(app) as calls:
        yield Application(calls)


@pytest.fixture
async def other(app: Starlette) -> AsyncIterator[Application]:
    async with server(app) as calls:
        yield Application(calls, "other", OTHER_SECRET, OTHER_CALLBACK)


# Open redirection: what names no application, or none of its addresses, is answered here.


@SQLITE
@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_id": "APP"},
        {"redirect_uri": None},
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": f"{CALLBACK}?more=1"},
        {"redirect_uri": f"{CALLBACK}/../evil"},
        {"redirect_uri": f"{CALLBACK}#"},
        {"redirect_uri": CALLBACK.upper()},
        {"redirect_uri": CALLBACK.replace("https", "http")},
        {"redirect_uri": CALLBACK.replace("app.", "app.evil.")},
        {"redirect_uri": f"{CALLBACK}\r\nLocation: https://evil.example"},
        {"redirect_uri": OTHER_CALLBACK},
        {"redirect_uri": "/account"},
    ],
)
async def test_a_wrong_client_or_address_never_redirects(
    changes: dict[str, str | None],
    ada: Visitor,
    client: httpx.AsyncClient,
    application: Application,
) -> None:
    for more in ({}, {"response_type": "token"}, {"prompt": "none"}):
        answer = await application.authorize(client, **{**more, **changes})
        assert (answer.status_code, "Location" in answer.headers) == (400, False)
        assert "This link doesn’t work" in answer.text
        assert "evil" not in answer.text


@SQLITE
@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "nonce", "scope", "prompt"])
async def test_no_parameter_comes_twice(
    name: str, ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    request = application.request(prompt="none")
    answer = await client.get("/oidc/authorize", params=[*request.items(), (name, request[name])])
    if name in {"client_id", "redirect_uri", "state"}:
        assert (answer.status_code, "Location" in answer.headers) == (400, False)
    else:
        assert application.answer(answer)["error"] == "invalid_request"


@pytest.mark.parametrize("name", ["nonce", "scope", "prompt", "code_challenge"])
async def test_no_parameter_has_a_character_that_the_database_cannot_store(
    name: str, ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    value = application.request()[name] if name != "prompt" else "consent"
    answer = await application.authorize(client, **{name: f"{value}\0"})
    assert application.answer(answer)["error"] == "invalid_request"


# Code injection, replay, and codes of others.


async def test_a_stolen_code_is_worth_nothing_in_another_persons_sign_in(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    """The attacker has their own sign-in at the application, with its own code_verifier."""
    stolen = await application.code(client)
    injected = Application(application.server)
    assert error_of(await injected.redeem(stolen)) == (400, "invalid_grant")
    assert error_of(await application.redeem(stolen)) == (400, "invalid_grant")


async def test_a_code_is_for_the_client_that_it_was_given_to(
    ada: Visitor, client: httpx.AsyncClient, application: Application, other: Application
) -> None:
    code = await application.code(client)
    answer = await other.redeem(
        code, redirect_uri=application.callback, code_verifier=application.verifier
    )
    assert error_of(answer) == (400, "invalid_grant")
    assert error_of(await application.redeem(code)) == (400, "invalid_grant")


async def test_a_code_is_for_the_address_that_it_was_sent_to(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    for uri in ("https://app.example.com/second", f"{CALLBACK}/"):
        code = await application.code(client)
        assert error_of(await application.redeem(code, redirect_uri=uri)) == (400, "invalid_grant")


async def test_a_code_that_is_used_twice_takes_back_what_it_gave(
    ada: Visitor, client: httpx.AsyncClient, application: Application, clock: Clock
) -> None:
    code = await application.code(client)
    token = (await application.redeem(code)).json()["access_token"]
    assert (await application.userinfo(token)).status_code == 200
    clock.advance(30)
    assert error_of(await application.redeem(code)) == (400, "invalid_grant")
    assert error_of(await application.userinfo(token)) == (401, "invalid_token")


async def test_a_code_used_many_times_at_once_gives_one_token_and_takes_it_back(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    code = await application.code(client)
    answers = await asyncio.gather(*(application.redeem(code) for _ in range(20)))
    given = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    assert len(given) == 1
    assert {error_of(answer) for answer in answers if answer.status_code != 200} == {
        (400, "invalid_grant")
    }
    assert error_of(await application.userinfo(given[0])) == (401, "invalid_token")


# PKCE.


@SQLITE
@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"code_challenge": "=" * 43},
        {"code_challenge": challenge(VERIFIER) + "="},
    ],
)
async def test_pkce_is_not_left_out_or_downgraded(
    changes: dict[str, str | None],
    ada: Visitor,
    client: httpx.AsyncClient,
    application: Application,
) -> None:
    answer = application.answer(await application.authorize(client, **changes))
    assert (answer["error"], "code" in answer) == ("invalid_request", False)


@SQLITE
@pytest.mark.parametrize(
    "verifier", ["", "x", "w" * 43, challenge(VERIFIER), VERIFIER + " ", "é" * 43]
)
async def test_a_code_needs_the_verifier_that_it_was_asked_for_with(
    verifier: str, ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    application.verifier = VERIFIER
    code = await application.code(client)
    error = "invalid_grant" if verifier else "invalid_request"
    assert error_of(await application.redeem(code, code_verifier=verifier)) == (400, error)


# Mix-up.


async def test_every_answer_names_us(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    """RFC 9207: an application that knows several providers sees which one answers."""
    given = application.answer(await application.authorize(client))
    refused = application.answer(await application.authorize(client, scope="email"))
    assert (given["iss"], refused["iss"], refused["error"]) == (ISSUER, ISSUER, "invalid_scope")
    discovery = (await application.server.get("/.well-known/openid-configuration")).json()
    assert discovery["issuer"] == ISSUER
    assert discovery["authorization_response_iss_parameter_supported"] is True


@SQLITE
async def test_an_address_with_a_query_keeps_it(
    ada: Visitor, client: httpx.AsyncClient, other: Application
) -> None:
    answer = other.answer(await other.authorize(client))
    assert answer["tenant"] == "1"
    assert answer["code"]


# The client's secret.


@SQLITE
@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        ("app", ""),
        ("app", "wrong"),
        ("app", OTHER_SECRET),
        ("app", SECRET[:-1]),
        ("nobody", SECRET),
        ("", ""),
        ("nobody", ""),
    ],
)
async def test_a_code_needs_the_clients_secret(
    client_id: str, secret: str, ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    code = await application.code(client)
    impostor = Application(application.server, client_id, secret, verifier=application.verifier)
    answer = await impostor.redeem(code)
    assert error_of(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    fields = {"client_id": client_id, "client_secret": secret, "code": code}
    answer = await application.server.post("/oidc/token", data=fields)
    assert error_of(answer) == (401, "invalid_client")
    assert (await application.redeem(code)).status_code == 200  # nobody has used it up


@SQLITE
async def test_a_client_has_one_secret_and_shows_it_once(application: Application) -> None:
    fields = {"client_id": "app", "client_secret": SECRET}
    answer = await application.server.post("/oidc/token", data=fields, auth=("app", SECRET))
    assert error_of(answer) == (400, "invalid_request")
    answer = await application.server.post(
        "/oidc/token", data={"client_id": "other"}, auth=("app", SECRET)
    )
    assert error_of(answer) == (400, "invalid_request")


@SQLITE
@pytest.mark.parametrize("head", ["Basic", "Basic !", "Basic YXBw", "Bearer x", "Basic /w=="])
async def test_a_head_that_cannot_be_read_is_no_secret(head: str, application: Application) -> None:
    answer = await application.server.post("/oidc/token", headers={"Authorization": head})
    assert error_of(answer) == (401, "invalid_client")


@SQLITE
@pytest.mark.parametrize(
    "grant", ["password", "client_credentials", "refresh_token", "implicit", ""]
)
async def test_a_code_is_the_only_grant(grant: str, application: Application) -> None:
    answer = await application.redeem("code", grant_type=grant)
    assert error_of(answer) == (400, "unsupported_grant_type")


@SQLITE
async def test_a_body_that_cannot_be_read_is_an_error_in_json(application: Application) -> None:
    for content_type in ("application/json", "application/x-www-form-urlencoded; charset=utf-7"):
        answer = await application.server.post(
            "/oidc/token", content=b"{}", headers={"Content-Type": content_type}
        )
        assert error_of(answer)[1] in {"invalid_request", "invalid_client"}
        assert answer.headers["Cache-Control"] == "no-store"


# Tokens that we are shown.


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    head, claims, _ = token.split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims)]
    return decoded[0], decoded[1]


def unsigned(head: dict[str, Any], claims: dict[str, Any]) -> str:
    def encoded(part: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")

    return f"{encoded(head)}.{encoded(claims)}."


async def test_a_forged_token_is_no_hint_of_anybody(
    ada: Visitor, client: httpx.AsyncClient, application: Application, other: Application
) -> None:
    genuine = (await application.tokens(client))["id_token"]
    head, claims = parts(genuine)
    public = (await application.server.get("/oidc/jwks")).json()["keys"][0]
    own = RSAKey.generate_key(2048, auto_kid=True)
    symmetric = OctKey.import_key(json.dumps(public))
    forgeries = {
        "alg none": unsigned({**head, "alg": "none"}, claims),
        "no signature": unsigned(head, claims),
        "a signature less": genuine.rpartition(".")[0] + ".",
        "other claims": ".".join(
            [unsigned(head, {**claims, "sub": "x"}).rpartition(".")[0], genuine.rpartition(".")[2]]
        ),
        "a key of their own": jwt.encode({"alg": "RS256", "kid": head["kid"]}, claims, own),
        "a key of their own, named": jwt.encode({"alg": "RS256", "kid": own.kid}, claims, own),
        "a key of their own, inside": jwt.encode(
            {"alg": "RS256", "kid": own.kid, "jwk": own.as_dict(private=False)}, claims, own
        ),
        "our public key as a secret": jwt.encode(
            {"alg": "HS256", "kid": head["kid"]}, claims, symmetric
        ),
        "their secret as ours": jwt.encode(
            {"alg": "HS256", "kid": head["kid"]}, claims, OctKey.import_key(SECRET)
        ),
        "no token": "a.b.c",
        "nothing like one": "é",
    }
    for name, token in forgeries.items():
        answer = application.answer(
            await application.authorize(client, prompt="none", id_token_hint=token)
        )
        assert answer.get("error") == "invalid_request", name
        page = await client.get("/oidc/logout", params={"id_token_hint": token})
        assert (page.status_code, "Sign out?" in page.text) == (200, True), name
    assert (await client.get("/session")).status_code == 200
    answer = application.answer(
        await application.authorize(client, prompt="none", id_token_hint=genuine)
    )
    assert answer["code"]


async def test_a_token_for_another_audience_is_no_hint(
    ada: Visitor, client: httpx.AsyncClient, application: Application, other: Application
) -> None:
    foreign = (await other.tokens(client))["id_token"]
    answer = application.answer(
        await application.authorize(client, prompt="none", id_token_hint=foreign)
    )
    assert answer["error"] == "invalid_request"


async def test_an_id_token_opens_nothing(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    tokens = await application.tokens(client)
    for wrong in (tokens["id_token"], tokens["access_token"] + "x", "", "'"):
        assert (await application.userinfo(wrong)).status_code == 401
    query = {"access_token": tokens["access_token"]}
    assert (await application.server.get("/oidc/userinfo", params=query)).status_code == 401


# What is kept, and what is told.


async def test_neither_codes_nor_tokens_nor_keys_are_stored_or_logged(
    ada: Visitor, client: httpx.AsyncClient, application: Application, database_url: str
) -> None:
    stream = io.StringIO()
    logs.configure("json", stream=stream)
    code = await application.code(client)
    tokens = (await application.redeem(code)).json()
    await application.redeem(code)
    await application.userinfo(tokens["access_token"])
    await client.get("/oidc/logout", params={"id_token_hint": tokens["id_token"]})
    rows = Rows(database_url)
    stored = str(rows.all("SELECT * FROM oidc_grants") + rows.all("SELECT * FROM oidc_keys"))
    private = base64.urlsafe_b64decode(rows.one("SELECT sealed FROM oidc_keys"))
    logged = stream.getvalue()
    assert "grant_revoked" in logged
    for secret in (code, tokens["access_token"], tokens["id_token"], application.verifier, SECRET):
        assert secret not in logged
        assert secret not in stored
    assert b'"kty"' not in private
    assert b'"d"' not in private


async def test_tokens_are_kept_by_no_cache(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    answer = await application.redeem(await application.code(client))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    person = await application.userinfo(answer.json()["access_token"])
    assert person.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


@SQLITE
async def test_a_foreign_page_posts_only_what_it_could_link_to(
    ada: Visitor, client: httpx.AsyncClient, application: Application
) -> None:
    """The four pages that take posts of others answer with a link, or want a secret."""
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for path, status in {
        "/oidc/authorize": 303,
        "/oidc/logout": 303,
        "/oidc/token": 401,
        "/oidc/userinfo": 401,
        "/oidc/signout": 403,
        "/oidc/logout/": 403,
        "/oidc/token/x": 403,
    }.items():
        answer = await client.post(path, data={"client_id": "app"}, headers=foreign)
        assert answer.status_code == status, path
        assert "Set-Cookie" not in answer.headers
    assert (await client.get("/session")).status_code == 200
