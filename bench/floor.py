"""The least sign-up on the product's own stack: what the product costs is read against it.

Starlette, asyncpg, httpx and argon2, a uvicorn worker a core: a session, a guess that is paid
before its answer, a transaction that verifies, a text afterwards. It has no limits, no errors in
words, no layout, and nothing in it survives a crash. Nobody should deploy it.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

import asyncpg
import httpx
import jinja2
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from webapp.accounts.people.passwords import Hasher

COUNTRIES = 245
GUESSES = 5
POOL = 9  # connections of one worker, as many as one of two of the product's
SERVICE, ACCOUNT = "VA" + "0" * 32, "AC" + "0" * 32
CREDENTIALS = (ACCOUNT, "0" * 32)

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id bigserial PRIMARY KEY, name text, email text, verified_email text UNIQUE, phone text,
    password_hash text, verified_at timestamptz
);
CREATE TABLE IF NOT EXISTS verifications (
    id bigserial PRIMARY KEY, user_id bigint, reference text, checks int DEFAULT 0
);
CREATE INDEX IF NOT EXISTS verifications_of ON verifications (user_id);
CREATE TABLE IF NOT EXISTS sessions (token_hash text PRIMARY KEY, user_id bigint);
"""
VISITOR = """
SELECT users.*, verifications.id AS verification, reference
FROM sessions JOIN users ON users.id = sessions.user_id
JOIN verifications ON verifications.user_id = users.id
WHERE token_hash = $1
"""
PAY_FOR_A_GUESS = f"""
UPDATE verifications SET checks = checks + 1 WHERE id = $1 AND checks < {GUESSES} RETURNING id
"""

pages = jinja2.Environment(autoescape=True)
SIGNUP = pages.from_string("""<!doctype html><html lang="en"><title>Sign up</title>
<form data-step="signup" method="post"><input name="name"><input name="email">
<select name="country">{% for number in range(count) %}
<option value="{{ number }}">Country {{ number }}</option>{% endfor %}
</select><input name="phone"><input name="password" type="password"><button>Sign up</button></form>
""").render(count=COUNTRIES)
CODE = pages.from_string("""<!doctype html><html lang="en"><title>Code</title><p>{{ phone }}</p>
<form data-step="verification" method="post"><input name="code"><button>Confirm</button></form>""")
DONE = pages.from_string("""<!doctype html><html lang="en"><title>Done</title>
<p data-verified="true">{{ name }}, your phone {{ phone }} is verified.</p>""")


async def show_form(_: Request) -> Response:
    return HTMLResponse(SIGNUP)


async def sign_up(request: Request) -> Response:
    typed, state = await request.form(), request.app.state
    loop, password = asyncio.get_running_loop(), str(typed["password"])
    password_hash = await loop.run_in_executor(state.threads, state.hasher.hash, password)
    answers = (typed["name"], typed["email"], typed["phone"], password_hash)
    async with state.pool.acquire() as connection, connection.transaction():
        user = await connection.fetchval(
            "INSERT INTO users (name, email, phone, password_hash) VALUES ($1, $2, $3, $4)"
            " RETURNING id",
            *answers,
        )
        token = await open_session(connection, user)
        verification = await connection.fetchval(
            "INSERT INTO verifications (user_id) VALUES ($1) RETURNING id", user
        )
    sent = await ask(state, "Verifications", To=typed["phone"], Channel="sms")
    await state.pool.execute(
        "UPDATE verifications SET reference = $2 WHERE id = $1", verification, sent["sid"]
    )
    return go("/verification", token)


async def show_code(request: Request) -> Response:
    return HTMLResponse(CODE.render(phone=(await visitor(request))["phone"]))


async def check(request: Request) -> Response:
    typed, state, user = await request.form(), request.app.state, await visitor(request)
    if not await state.pool.fetchval(PAY_FOR_A_GUESS, user["verification"]):
        return HTMLResponse("Too many wrong codes", 429)
    verification = {"VerificationSid": user["reference"], "Code": typed["code"]}
    if (await ask(state, "VerificationCheck", **verification))["status"] != "approved":
        return HTMLResponse("Wrong code", 422)
    async with state.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE users SET verified_at = now(), verified_email = lower(email)"
            " WHERE id = $1 AND verified_at IS NULL",
            user["id"],
        )
        await connection.execute("DELETE FROM sessions WHERE user_id = $1", user["id"])
        token = await open_session(connection, user["id"])
    response = go("/account", token)
    response.background = BackgroundTask(text, state, user["phone"])
    return response


async def account(request: Request) -> Response:
    user = await visitor(request)
    return HTMLResponse(DONE.render(name=user["name"], phone=user["phone"]))


async def visitor(request: Request) -> Any:
    return await request.app.state.pool.fetchrow(VISITOR, hashed(request.cookies["session"]))


async def open_session(connection: Any, user: int) -> str:
    token = token_urlsafe(32)
    await connection.execute("INSERT INTO sessions VALUES ($1, $2)", hashed(token), user)
    return token


def hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def go(path: str, token: str) -> Response:
    response = RedirectResponse(path, 303)
    response.set_cookie("session", token, httponly=True, samesite="lax")
    return response


async def ask(state: Any, resource: str, **form: Any) -> Any:
    url = f"/v2/Services/{SERVICE}/{resource}"
    return (await state.vendor.post(url, data=form)).raise_for_status().json()


async def text(state: Any, phone: str) -> None:
    form = {"To": phone, "From": "+15005550006", "Body": "Signup complete"}
    await state.vendor.post(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", data=form)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    state = app.state
    state.hasher, state.threads = Hasher(1).argon2, ThreadPoolExecutor(1)
    async with (
        asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=POOL) as state.pool,
        httpx.AsyncClient(
            base_url=os.environ["VENDOR_URL"], auth=CREDENTIALS, timeout=10
        ) as state.vendor,
    ):
        async with state.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            await connection.execute(SCHEMA)
        yield


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/signup", show_form),
        Route("/signup", sign_up, methods=["POST"]),
        Route("/verification", show_code),
        Route("/verification", check, methods=["POST"]),
        Route("/account", account),
    ],
)
