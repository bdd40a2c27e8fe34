"""A mail server that keeps what it takes, and answers as a test says."""

import asyncio
import contextlib
import logging
import ssl
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.postgres import free_port

CUT = "cut"  # instead of a reply the connection is closed; after the content: it has been taken
USER, PASSWORD = "post-office", "letters/and:parcels@42"


@dataclass(frozen=True)
class Received:
    """An email that the server has taken."""

    sender: str
    to: list[str]
    options: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=default)
        assert isinstance(message, EmailMessage)
        return message

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part
        return str(part.get_content()).replace("\r\n", "\n")


class MailServer:
    """The server's side of every conversation; the methods' names are aiosmtpd's."""

    def __init__(self) -> None:
        self.emails: list[Received] = []
        self.logins: list[str] = []
        self.replies: defaultdict[str, deque[str]] = defaultdict(deque)
        self.reached: Counter[str] = Counter()
        self.holds: dict[str, threading.Event] = {}
        self.port = free_port()

    def reply(self, command: str, *replies: str) -> None:
        """Answer the next commands (MAIL, RCPT, DATA for the content) in this way."""
        self.replies[command].extend(replies)

    def to(self, address: str) -> list[Received]:
        """The emails to ``address``, newest last."""
        return [email for email in list(self.emails) if email.to == [address]]

    @contextlib.contextmanager
    def held(self, command: str) -> Iterator[None]:
        """Give no reply to ``command`` before the end of the ``with`` block."""
        self.holds[command] = over = threading.Event()
        try:
            yield
        finally:
            over.set()

    async def _next(self, command: str, server: SMTP, usual: str) -> str:
        self.reached[command] += 1
        if hold := self.holds.get(command):
            await asyncio.to_thread(hold.wait, 30)
        reply = self.replies[command].popleft() if self.replies[command] else usual
        if reply == CUT:
            assert server.transport
            server.transport.close()
        return reply

    async def handle_MAIL(  # noqa: N802
        self,
        server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._next("MAIL", server, "250 2.1.0 Ok")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        reply = await self._next("RCPT", server, "250 2.1.5 Ok")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802
        reply = await self._next("DATA", server, "250 2.0.0 Ok: queued")
        if reply == CUT or reply.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.emails.append(
                Received(
                    str(envelope.mail_from),
                    list(envelope.rcpt_tos),
                    list(envelope.mail_options),
                    envelope.content,
                )
            )
        return reply

    async def handle_QUIT(  # noqa: N802
        self, server: SMTP, _session: Session, _envelope: Envelope
    ) -> str:
        return await self._next("QUIT", server, "221 2.0.0 Bye")

    def login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        self.logins.append(mechanism)
        right = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=given == right, handled=False)


@contextlib.contextmanager
def mail_server(tls: ssl.SSLContext | None = None, **options: Any) -> Iterator[MailServer]:
    """Such a server on loopback; ``tls`` speaks smtps, ``tls_context=`` offers STARTTLS."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    server = MailServer()
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=server.port,
        ssl_context=tls,
        server_hostname="mail.example.com",
        enable_SMTPUTF8=options.pop("utf8", True),
        authenticator=server.login,
        **options,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
