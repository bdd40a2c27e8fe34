"""The least application whose people sign up, in and out with their account here.

`make example` serves it at http://localhost:8001 beside the accounts at http://localhost:8000.
"""

import os
from html import escape

from authlib.integrations.starlette_client import OAuth
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

ACCOUNTS = os.environ.get("ACCOUNTS_URL", "http://localhost:8000")
SECRET = os.environ.get("CLIENT_SECRET", "known-to-everybody-so-only-for-development")

accounts = OAuth().register(
    "accounts",
    client_id="example",
    client_secret=SECRET,
    server_metadata_url=f"{ACCOUNTS}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email phone", "code_challenge_method": "S256"},
)


NOBODY = "<h1>My application</h1><a href=/signup>Sign up</a> <a href=/signin>Sign in</a>"
SOMEBODY = (
    "<h1>Hello, {name}</h1><p>Your phone is {phone_number}.</p>"
    "<form method=post action=/signout><button>Sign out</button></form>"
)


async def home(request: Request) -> Response:
    person = request.session.get("person")
    shown = {name: escape(str(value)) for name, value in person.items()} if person else {}
    return HTMLResponse(SOMEBODY.format(**shown) if person else NOBODY)


async def sign_up(request: Request) -> Response:
    return await accounts.authorize_redirect(request, request.url_for("callback"), prompt="create")


async def sign_in(request: Request) -> Response:
    return await accounts.authorize_redirect(request, request.url_for("callback"))


async def callback(request: Request) -> Response:
    token = await accounts.authorize_access_token(request)
    person = await accounts.userinfo(token=token)
    request.session.update(person=dict(person), id_token=token["id_token"])
    return RedirectResponse("/")


async def sign_out(request: Request) -> Response:
    hint = request.session.get("id_token")
    request.session.clear()
    return await accounts.logout_redirect(request, request.url_for("home"), id_token_hint=hint)


app = Starlette(
    routes=[
        Route("/", home),
        Route("/signup", sign_up),
        Route("/signin", sign_in),
        Route("/callback", callback),
        Route("/signout", sign_out, methods=["POST"]),
    ],
    # Cookies know no ports, so its name must not be that of the accounts' cookie.
    middleware=[Middleware(SessionMiddleware, secret_key=SECRET, session_cookie="example")],
)
