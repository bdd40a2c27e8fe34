"""Hands emails to a mail server, a connection for each, with its certificate verified."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from datetime import datetime
from email.headerregistry import Address
from socket import socket
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPException, SMTPNotSupported

from webapp.providers import Email, ProviderError, SetupFault
from webapp.providers.call_log import log_call
from webapp.providers.smtp.errors import Stage, error_from
from webapp.providers.smtp.message import compose, needs_utf8, parse_recipient, parse_sender
from webapp.settings import Settings
from webapp.settings.urls import is_loopback

VENDOR = "smtp"
AT_ONCE = 10  # connections of one process; many servers allow a client no more
QUIT_TIMEOUT = 1.0  # seconds; nothing depends on the answer
UTF8_OPTIONS = ("SMTPUTF8", "BODY=8BITMIME")  # a server with one has the other (RFC 6531, 3.1)

Dial = Callable[[], socket]  # a connected socket instead of one to the server; raises ``OSError``


class _Conversation:
    """What we say on one connection, and how far we got."""

    def __init__(self) -> None:
        self.stage = Stage.CONNECT

    async def connect(self, client: SMTP) -> None:
        self.client = client
        await client.connect()

    async def give_sender(self, sender: Address, *, utf8: bool = False) -> None:
        self.stage = Stage.SENDER
        if utf8:
            await self.client.ehlo()
            if not self.client.supports_extension("smtputf8"):
                raise SMTPNotSupported("SMTPUTF8")
        await self.client.mail(sender.addr_spec, options=UTF8_OPTIONS if utf8 else ())

    async def give_recipient(self, to: Address) -> None:
        self.stage = Stage.RECIPIENT
        await self.client.rcpt(to.addr_spec, encoding="utf-8")

    async def give_content(self, message: bytes) -> None:
        self.stage = Stage.CONTENT
        await self.client.data(message)


class SmtpMailer:
    """Emails."""

    def __init__(
        self,
        url: str,
        sender: Address,
        *,
        own_name: str,
        timeout: float,
        clock: Callable[[], datetime],
        dial: Dial | None = None,
    ) -> None:
        """``url`` is as in SMTP_URL; emails come from ``sender``; ``own_name`` is the host that we
        say we are; ``timeout`` is the seconds that one email may take, with waiting for its turn;
        ``dial`` replaces the connection, TLS and authentication.
        """
        self._server, self._sender = urlsplit(url), sender
        self._own_name, self._timeout, self._clock, self._dial = own_name, timeout, clock, dial
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tls: ssl.SSLContext | None = None

    @classmethod
    def from_settings(
        cls, settings: Settings, clock: Callable[[], datetime], dial: Dial | None = None
    ) -> "SmtpMailer":
        return cls(
            settings.smtp_url,
            parse_sender(settings.mail_from, settings.site_name),
            own_name=urlsplit(settings.base_url).hostname or "localhost",
            timeout=settings.provider_timeout,
            clock=clock,
            dial=dial,
        )

    async def send(self, to: str, email: Email, message_id: str) -> None:
        """Have the server accept ``email`` for ``to``. Raises ``ProviderError``.

        ``message_id`` is the part of the Message-ID before its @: the same for every try, so that
        mailboxes can tell a repeat.
        """
        recipient = parse_recipient(to)
        message = compose(email, self._sender, recipient, message_id, self._clock())

        async def hand_over(talk: _Conversation) -> None:
            await talk.give_sender(self._sender, utf8=needs_utf8(recipient))
            await talk.give_recipient(recipient)
            await talk.give_content(message)

        await self._converse("send", hand_over)

    async def examine(self) -> list[SetupFault]:
        """Ask the server whether it takes emails from us. Sends nothing, and raises nothing."""
        try:
            await self._converse("examine", lambda talk: talk.give_sender(self._sender))
        except ProviderError as error:
            words = f"the mail server says {type(error).__name__}: {error.detail}"
            return [SetupFault("SMTP_URL", words)]
        return []

    async def _converse(self, call: str, say: Callable[[_Conversation], Awaitable[None]]) -> None:
        talk, began = _Conversation(), _now()
        try:
            async with asyncio.timeout(self._timeout) as deadline, self._turns:
                with closing(await self._client()) as client:
                    await talk.connect(client)
                    await say(talk)
                    deadline.reschedule(None)  # all that counts is said
                    await _quit(client)
        except (SMTPException, OSError) as fault:  # a TimeoutError is an OSError
            error = error_from(talk.stage, fault)
            _log(call, began, error)
            raise error from None
        _log(call, began)

    async def _client(self) -> SMTP:
        if self._dial:
            return SMTP(sock=self._dial(), start_tls=False, local_hostname=self._own_name)
        host, encrypted = self._server.hostname or "", self._server.scheme == "smtps"
        return SMTP(
            hostname=host,
            port=self._server.port,
            username=unquote(self._server.username) if self._server.username else None,
            password=unquote(self._server.password) if self._server.password else None,
            use_tls=encrypted,
            start_tls=not encrypted and not is_loopback(host),
            tls_context=await self._tls_context(),
            local_hostname=self._own_name,
            timeout=self._timeout,
        )

    async def _tls_context(self) -> ssl.SSLContext:
        """Made once and in a thread: to read the authorities' certificates takes 50 ms."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls


async def _quit(client: SMTP) -> None:
    with suppress(SMTPException, OSError):
        await client.quit(timeout=QUIT_TIMEOUT)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _log(call: str, began: float, error: ProviderError | None = None) -> None:
    log_call(error, vendor=VENDOR, call=call, ms=round((_now() - began) * 1000))
