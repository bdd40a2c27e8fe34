"""Assembles the application: the only module that knows every part."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import argon2
import httpx
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route

from webapp.accounts.challenges.ceremonies import RelyingParty
from webapp.accounts.events import NoEvents
from webapp.accounts.forms.code import EXPECTED_CODE_LENGTH
from webapp.accounts.history.recorder import History, writing
from webapp.accounts.journeys import lost_phone
from webapp.accounts.journeys.site import Site
from webapp.accounts.people.passwords import OWASP_MINIMUM, Hasher
from webapp.accounts.people.strength import MIN_LENGTH
from webapp.accounts.policy.money import Allowance, Money
from webapp.accounts.policy.prices import Prices
from webapp.accounts.policy.rules import (
    ANSWERS_PER_SESSION,
    BROWSER_REMEMBERED,
    CODE_LIFETIME,
    FORMS_PER_SIGNUP,
    HINTS_PER_IP,
    PASSKEY_CHALLENGES_PER_IP,
    SessionLife,
    SpendingLimits,
)
from webapp.accounts.policy.work import ChallengeWhen, WorkPolicy
from webapp.accounts.purge import purge
from webapp.accounts.sending import texts
from webapp.accounts.sending.carriers import Carrier, EmailCarrier, TextCarrier
from webapp.accounts.sending.charges import Charges
from webapp.accounts.sending.delivery import Outbox, delivering
from webapp.accounts.sending.emails import EmailWriter
from webapp.accounts.sending.outbox import MessageChannel
from webapp.accounts.sending.receipts import Receipts
from webapp.clients import purge as clients_purge
from webapp.clients.access import Access
from webapp.clients.oidc.errors import (
    OAuthError,
    UntrustedRequest,
    answer_oauth_error,
    answer_untrusted,
)
from webapp.clients.webhooks import WebhookCarrier, Webhooks
from webapp.clock import DatabaseClock, synchronised
from webapp.database import DATABASE_ERRORS, Database
from webapp.middleware import middleware
from webapp.pages import errors
from webapp.pages.step import REDIRECTS, redirected
from webapp.providers.registry import Providers
from webapp.providers.smtp import Dial
from webapp.routes import oidc_routes, routes
from webapp.schema import log_mismatches
from webapp.settings import Settings
from webapp.web import log as logs
from webapp.web.cookies import TokenCookie
from webapp.web.readiness import Readiness
from webapp.web.security import origin_of
from webapp.web.static import Assets
from webapp.web.template_error import TemplateFailed
from webapp.web.templates import PageCache, Templates
from webapp.web.throttle import Throttle, fewest, multiplied

log = structlog.get_logger(__name__)
ROOT = Path(__file__).resolve().parent.parent
CACHED_PAGES = 64  # of some 40 KB each


@dataclass(frozen=True)
class Ports:
    """The world outside the process, which tests replace."""

    clock: Callable[[], datetime] = field(default_factory=DatabaseClock)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep  # before a vendor is asked again
    transport: httpx.AsyncBaseTransport | None = None  # in place of the network to the vendors
    receipts_by_themselves: bool = False  # whether the sandbox posts its callbacks by itself
    dial: Dial | None = None  # in place of the network to the mail server
    hashing: argon2.Parameters = field(
        default_factory=lambda: OWASP_MINIMUM
    )  # what a password's hash costs


def create_app(settings: Settings, ports: Ports = Ports()) -> Starlette:
    """The ASGI application."""
    logs.configure(settings.log_format, secret=settings.secret_key)
    assets = Assets(ROOT / "static", reload=settings.development)
    templates = Templates(
        ROOT / "templates",
        assets.asset,
        reload=settings.development,
        site_name=settings.site_name,
        development=settings.development,
        code_minutes=CODE_LIFETIME // timedelta(minutes=1),
        code_digits=EXPECTED_CODE_LENGTH,
        remembered_days=BROWSER_REMEMBERED.days,
        password_length=MIN_LENGTH,
        terms_url=settings.terms_url,
        privacy_url=settings.privacy_url,
        support_url=settings.support_url,
        offers_passkeys=_relying_party(settings) is not None,
    )
    assemble = _with_sandbox if settings.development else _assemble
    table = [*(oidc_routes() if settings.oidc_clients else []), *routes(assets)]
    app = assemble(settings, ports, table, templates)
    app.state.assets = assets
    return app


def _with_sandbox(
    settings: Settings, ports: Ports, table: list[BaseRoute], templates: Templates
) -> Starlette:
    """The application beside its pretend phone network. Not imported in production."""
    from webapp.development import (  # noqa: PLC0415
        Network,
        dial,
        simulated_hosts,
        with_credentials,
    )
    from webapp.pages import gallery  # noqa: PLC0415
    from webapp.pages.gallery import emails  # noqa: PLC0415
    from webapp.sandbox import Sandbox  # noqa: PLC0415

    sandbox = Sandbox(ports.clock)
    ports = replace(
        ports,
        transport=ports.transport or Network(sandbox, simulated_hosts(settings)),
        dial=ports.dial or dial(settings, sandbox),
    )
    pages = [
        Route("/sandbox/gallery", gallery.index),
        Route("/sandbox/gallery/emails/{name}", emails.show),
        Route("/sandbox/gallery/emails/{name}/text", emails.show_text),
        Route("/sandbox/gallery/{state}", gallery.show),
        Route("/sandbox/gallery/{state}/side-by-side", gallery.side_by_side),
        *sandbox.routes(templates.answer),
    ]
    app = _assemble(with_credentials(settings), ports, [*pages, *table], templates)
    app.state.sandbox = sandbox
    if ports.receipts_by_themselves:
        app.state.playing = partial(_play_receipts, sandbox, app)
    return app


def _assemble(
    settings: Settings, ports: Ports, table: list[BaseRoute], templates: Templates
) -> Starlette:
    app = Starlette(
        routes=table,
        middleware=middleware(settings),
        lifespan=_lifespan,
        exception_handlers=_handlers(settings),
    )
    state = app.state
    state.settings, state.templates = settings, templates
    state.empty_forms = PageCache(0 if settings.development else CACHED_PAGES)
    state.cookie = TokenCookie("session", https=settings.https, lifetime=settings.session_lifetime)
    state.browser_cookie = TokenCookie("browser", https=settings.https, lifetime=BROWSER_REMEMBERED)
    state.database = Database(
        settings.database_url,
        pool_size=max(1, settings.database_pool_size // settings.web_concurrency),
        schema=settings.database_schema,
    )
    state.readiness = Readiness(state.database.ready)
    state.throttle = Throttle(
        {
            "forms": multiplied(settings.signups_per_ip, FORMS_PER_SIGNUP),
            "signups": settings.signups_per_ip,
            "signins": settings.signins_per_ip,
            "checks": settings.checks_per_ip,
            "resends": settings.resends_per_ip,
            "hints": HINTS_PER_IP,
            "passkeys": PASSKEY_CHALLENGES_PER_IP,
            "answers": ANSWERS_PER_SESSION,
        },
        settings.redis_url,
        secret=settings.secret_key,
    )
    state.providers = connect_providers(settings, ports)
    spending = SpendingLimits(
        settings.sends_per_phone, settings.sends_per_hour, settings.prefix_brake
    )
    session_life = SessionLife(settings.session_idle, settings.session_lifetime)
    state.history = History(settings.secret_key, ports.clock)

    async def make_due_phone_changes(_: datetime) -> bool:
        return await lost_phone.make_due(state.site)

    money = _money(settings, state.providers, ports.clock)
    state.outbox = Outbox(
        _carriers(state.providers, spending, money, state.history),
        ports.clock,
        (partial(purge, sessions=session_life), clients_purge.purge, make_due_phone_changes),
    )
    events = Webhooks(state.outbox) if settings.webhook_url else NoEvents()
    money.events = events
    sources = (*state.providers.messengers, state.providers.verifier)
    charges = Charges(sources, money, state.history, ports.clock)
    state.receipts = Receipts(state.providers.verifier, state.history, charges, ports.clock)
    state.site = Site(
        verifier=state.providers.verifier,
        outbox=state.outbox,
        emails=_email_writer(settings, templates),
        events=events,
        history=state.history,
        hasher=Hasher(hash_threads(settings), ports.hashing),
        breaches=state.providers.passwords,
        spending=spending,
        money=money,
        accounts_per_phone=settings.accounts_per_phone,
        work=WorkPolicy(ChallengeWhen(settings.challenge), fewest(settings.signups_per_ip)),
        session_life=session_life,
        secret_key=settings.secret_key,
        name=settings.site_name,
        countries=settings.allowed_countries,
        code_name=settings.code_name,
        relying_party=_relying_party(settings),
        vendor_timeout=timedelta(seconds=settings.provider_timeout),
        clock=ports.clock,
    )
    state.access = Access.from_settings(settings, state.cookie, state.browser_cookie, ports.clock)
    # By the socket's scheme it would send a form typed under https on to plain http.
    app.router.redirect_slashes = False
    return app


def _relying_party(settings: Settings) -> RelyingParty | None:
    """None if the host is an IP address: browsers bind passkeys to names only."""
    origin = origin_of(settings.base_url)
    host = urlsplit(origin).hostname or ""
    with suppress(ValueError):
        ip_address(host)
        return None
    return RelyingParty(host, origin, settings.site_name)


def _email_writer(settings: Settings, templates: Templates) -> EmailWriter | None:
    return EmailWriter(templates.html, settings.base_url) if settings.smtp_url else None


def _money(settings: Settings, providers: Providers, clock: Callable[[], datetime]) -> Money:
    allowance = Allowance(settings.spend_per_hour, settings.spend_per_day)
    prices = Prices(settings.prices, providers.price_list, settings.spend_currency, clock)
    return Money(allowance, prices, NoEvents())


def _carriers(
    providers: Providers, spending: SpendingLimits, money: Money, history: History
) -> dict[MessageChannel, Carrier]:
    carriers: dict[MessageChannel, Carrier] = {
        MessageChannel.TEXT: TextCarrier(providers.messengers, spending, money, history)
    }
    if providers.mailer:
        carriers[MessageChannel.EMAIL] = EmailCarrier(providers.mailer)
    if providers.webhook:
        carriers[MessageChannel.WEBHOOK] = WebhookCarrier(providers.webhook)
    return carriers


def connect_providers(settings: Settings, ports: Ports) -> Providers:
    """The vendors that the settings choose, with the words of our own codes."""
    host = urlsplit(origin_of(settings.base_url)).hostname or ""
    return Providers(
        settings,
        partial(texts.code, settings.code_name, host),
        clock=ports.clock,
        sleep=ports.sleep,
        transport=ports.transport,
        dial=ports.dial,
    )


def hash_threads(settings: Settings) -> int:
    """This process's share of the cores."""
    return max(1, -(-(os.cpu_count() or 1) // settings.web_concurrency))


def _handlers(settings: Settings) -> dict[Any, Any]:
    for_designers = {TemplateFailed: errors.template_failed} if settings.development else {}
    return (
        dict.fromkeys(DATABASE_ERRORS, errors.database_away)
        | dict.fromkeys(REDIRECTS, redirected)
        | {HTTPException: errors.http_error, ClientDisconnect: errors.client_left}
        | {OAuthError: answer_oauth_error, UntrustedRequest: answer_untrusted}
        | for_designers
    )


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    state = app.state
    settings: Settings = state.settings
    async with AsyncExitStack() as stack:
        await state.database.open()
        stack.push_async_callback(state.database.close)
        await stack.enter_async_context(synchronised(state.site.clock))
        await stack.enter_async_context(writing(state.history))
        stack.push_async_callback(state.providers.aclose)
        stack.push_async_callback(state.throttle.aclose)
        stack.callback(state.site.hasher.close)
        if settings.web_concurrency > 1 and not settings.redis_url:
            log.warning(
                "throttles_are_per_process", processes=settings.web_concurrency, set="REDIS_URL"
            )
        if not settings.development:
            for work in (log_mismatches(state.database), asyncio.to_thread(state.assets.compress)):
                stack.callback(asyncio.create_task(work).cancel)
        if playing := getattr(state, "playing", None):
            stack.callback(asyncio.create_task(playing()).cancel)
        if settings.outbox_in_web:
            await stack.enter_async_context(delivering(state.outbox, state.receipts))
        yield


async def _play_receipts(sandbox: Any, app: Starlette) -> None:
    """Post the delivery receipts of the simulated network to the application, in development."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        await sandbox.callbacks.play(client)
