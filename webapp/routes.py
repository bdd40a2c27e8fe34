"""Every URL on one screen."""

from functools import partial
from typing import Any

from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from webapp.clients import session
from webapp.clients.oidc import authorize, discovery, logout, token, userinfo
from webapp.operate import metrics
from webapp.pages import (
    account,
    account_email,
    account_leave,
    account_name,
    account_passkeys,
    account_password,
    account_phone,
    account_phone_code,
    account_proof,
    account_recovery,
    account_sessions,
    email,
    entry,
    forgot,
    hints,
    hooks,
    lost_phone,
    lost_phone_code,
    lost_phone_link,
    phone,
    phone_stop,
    reset,
    signin,
    signin_code,
    signin_passkey,
    signup,
    verification,
)

get = partial(Route, methods=["GET"])  # and HEAD
post = partial(Route, methods=["POST"])


def form(path: str, page: Any) -> list[BaseRoute]:
    """The two routes of a page, a module or a ``CodeStep``, whose form is posted to its own URL."""
    return [get(path, page.show), post(path, page.submit)]


def routes(static: ASGIApp) -> list[BaseRoute]:
    return [
        get("/", entry.show),
        # Sign up
        *form("/signup", signup),
        *form("/verification", verification.STEP),
        post("/verification/resend", verification.STEP.resend),
        get("/verification/delivery", verification.STEP.show_delivery),
        *form("/verification/phone", phone),
        get("/countries", hints.countries),
        post("/hints/phone", hints.phone),
        post("/hints/password", hints.password),
        # Sign in and out
        *form("/signin", signin),
        *form("/signin/code", signin_code.STEP),
        post("/signin/resend", signin_code.STEP.resend),
        get("/signin/code/delivery", signin_code.STEP.show_delivery),
        post("/signin/passkey", signin_passkey.submit),
        post("/signin/passkey/options", signin_passkey.options),
        get("/continue", signin.show_onward),
        post("/signout", account.sign_out),
        # A forgotten password
        *form("/password/forgot", forgot),
        get("/password/forgot/sent", forgot.show_sent),
        *form("/password/reset/{token}", reset),
        post("/password/reset/{token}/send", reset.send),
        # A lost phone
        *form("/phone/lost", lost_phone),
        *form("/phone/lost/code", lost_phone_code),
        post("/phone/lost/resend", lost_phone_code.resend),
        post("/phone/lost/email", lost_phone.email),
        get("/phone/lost/sent", lost_phone.show_sent),
        *form("/phone/new/{token}", lost_phone_link),
        post("/phone/new/{token}/code", lost_phone_link.submit_code),
        post("/phone/new/{token}/resend", lost_phone_link.resend),
        *form("/phone/stop/{token}", phone_stop),
        # The account
        get("/account", account.show),
        *form("/account/name", account_name),
        *form("/account/email", account_email),
        post("/account/email/resend", email.resend),
        *form("/email/confirm/{token}", email),
        *form("/account/password", account_password),
        get("/.well-known/change-password", account_password.well_known),
        *form("/account/phone", account_phone),
        *form("/account/phone/code", account_phone_code),
        post("/account/phone/resend", account_phone_code.resend),
        *form("/account/recovery", account_recovery),
        get("/account/sessions", account_sessions.show),
        post("/account/sessions/end", account_sessions.end),
        *form("/account/passkeys", account_passkeys),
        post("/account/passkeys/options", account_passkeys.options),
        post("/account/passkeys/remove", account_passkeys.remove),
        *form("/account/proof", account_proof),
        post("/account/proof/passkey", account_proof.submit_passkey),
        post("/account/proof/passkey/options", account_proof.passkey_options),
        get("/account/data", account_leave.download),
        *form("/account/delete", account_leave),
        get("/account/deleted", account_leave.deleted),
        # For applications, vendors and platforms
        get("/session", session.show),
        get("/session/gate", session.gate),
        post("/hooks/twilio/{secret}", hooks.twilio),
        Route("/hooks/vonage/{secret}", hooks.vonage, methods=["GET", "POST"]),
        get("/metrics", metrics.show),
        get("/healthz", entry.healthz),
        get("/readyz", entry.readyz),
        Mount("/static", static),
    ]


def oidc_routes() -> list[BaseRoute]:
    """Those of OpenID Connect, where `OIDC_CLIENTS` names an application."""
    return [
        get("/.well-known/openid-configuration", discovery.show),
        get("/oidc/jwks", discovery.keys),
        *form("/oidc/authorize", authorize),
        post("/oidc/token", token.submit),
        *form("/oidc/userinfo", userinfo),
        *form("/oidc/logout", logout),
        post("/oidc/signout", logout.confirm),
    ]
