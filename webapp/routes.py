"""Every URL on one screen."""

from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from webapp.clients import session
from webapp.pages import account, entry, hints, phone, signup, verification


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
        Route("/account", account.show),
        Route("/signout", account.sign_out, methods=["POST"]),
        Route("/session", session.show),
        Route("/session/gate", session.gate),
        Route("/countries", hints.countries),
        Route("/hints/phone", hints.phone, methods=["POST"]),
        Route("/hints/password", hints.password, methods=["POST"]),
        Route("/healthz", entry.healthz),
        Route("/readyz", entry.readyz),
        Mount("/static", static),
    ]
