"""Every URL on one screen."""

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
    account_proof,
    account_sessions,
    email,
    entry,
    forgot,
    hints,
    phone,
    reset,
    signin,
    signin_code,
    signin_passkey,
    signup,
    verification,
)


def routes(static: ASGIApp) -> list[BaseRoute]:
    return [
        Route("/", entry.show),
        Route("/signup", signup.show),
        Route("/signup", signup.submit, methods=["POST"]),
        Route("/verification", verification.show),
        Route("/verification", verification.submit, methods=["POST"]),
        Route("/verification/resend", verification.resend, methods=["POST"]),
        Route("/verification/phone", phone.show),
        Route("/verification/phone", phone.submit, methods=["POST"]),
        Route("/signin", signin.show),
        Route("/signin", signin.submit, methods=["POST"]),
        Route("/signin/code", signin_code.show),
        Route("/signin/code", signin_code.submit, methods=["POST"]),
        Route("/signin/resend", signin_code.resend, methods=["POST"]),
        Route("/signin/passkey", signin_passkey.submit, methods=["POST"]),
        Route("/signin/passkey/options", signin_passkey.options, methods=["POST"]),
        Route("/password/forgot", forgot.show),
        Route("/password/forgot", forgot.submit, methods=["POST"]),
        Route("/password/forgot/sent", forgot.show_sent),
        Route("/password/reset/{token}", reset.show),
        Route("/password/reset/{token}", reset.submit, methods=["POST"]),
        Route("/password/reset/{token}/send", reset.send, methods=["POST"]),
        Route("/continue", signin.show_onward),
        Route("/account", account.show),
        Route("/account/data", account_leave.download),
        Route("/account/delete", account_leave.show),
        Route("/account/delete", account_leave.submit, methods=["POST"]),
        Route("/account/deleted", account_leave.deleted),
        Route("/account/email", account_email.show),
        Route("/account/email", account_email.submit, methods=["POST"]),
        Route("/account/name", account_name.show),
        Route("/account/name", account_name.submit, methods=["POST"]),
        Route("/account/password", account_password.show),
        Route("/account/password", account_password.submit, methods=["POST"]),
        Route("/account/sessions", account_sessions.show),
        Route("/account/sessions/end", account_sessions.end, methods=["POST"]),
        Route("/account/passkeys", account_passkeys.show),
        Route("/account/passkeys", account_passkeys.submit, methods=["POST"]),
        Route("/account/passkeys/options", account_passkeys.options, methods=["POST"]),
        Route("/account/passkeys/remove", account_passkeys.remove, methods=["POST"]),
        Route("/account/proof", account_proof.show),
        Route("/account/proof", account_proof.submit, methods=["POST"]),
        Route("/account/proof/passkey", account_proof.submit_passkey, methods=["POST"]),
        Route("/account/proof/passkey/options", account_proof.passkey_options, methods=["POST"]),
        Route("/.well-known/change-password", account_password.well_known),
        Route("/account/email/resend", email.resend, methods=["POST"]),
        Route("/email/confirm/{token}", email.show),
        Route("/email/confirm/{token}", email.submit, methods=["POST"]),
        Route("/signout", account.sign_out, methods=["POST"]),
        Route("/session", session.show),
        Route("/session/gate", session.gate),
        Route("/countries", hints.countries),
        Route("/hints/phone", hints.phone, methods=["POST"]),
        Route("/hints/password", hints.password, methods=["POST"]),
        Route("/metrics", metrics.show),
        Route("/healthz", entry.healthz),
        Route("/readyz", entry.readyz),
        Mount("/static", static),
    ]


def oidc_routes() -> list[BaseRoute]:
    """Those of OpenID Connect, where `OIDC_CLIENTS` names an application."""
    return [
        Route("/.well-known/openid-configuration", discovery.show),
        Route("/oidc/jwks", discovery.keys),
        Route("/oidc/authorize", authorize.show),
        Route("/oidc/authorize", authorize.submit, methods=["POST"]),
        Route("/oidc/token", token.submit, methods=["POST"]),
        Route("/oidc/userinfo", userinfo.show),
        Route("/oidc/userinfo", userinfo.submit, methods=["POST"]),
        Route("/oidc/logout", logout.show),
        Route("/oidc/logout", logout.submit, methods=["POST"]),
        Route("/oidc/signout", logout.confirm, methods=["POST"]),
    ]
