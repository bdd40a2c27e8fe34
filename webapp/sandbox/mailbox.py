"""The mail server of development. Emails that it accepts are shown on the phone's page.

Our own SMTP client is connected to it by a pair of sockets, so no port is open.
"""

import asyncio
import re
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from webapp.sandbox.phone import Inbox

UNREACHABLE = {"refused": ConnectionRefusedError, "timeout": TimeoutError}
PLAIN = ("dropped", "undelivered", *UNREACHABLE)
PATTERNS = (r"slow:[0-9]{1,3}(\.[0-9]{1,3})?", r"[45][0-9]{2}")
END = b"\r\n.\r\n"
LONGEST = 1 << 20  # bytes of an email
LINK = re.compile(r"https?://[^\s<>\"]+")
REPLIES = {
    b"EHLO": b"250-sandbox\r\n250-8BITMIME\r\n250 SMTPUTF8",
    b"HELO": b"250 sandbox",
    b"QUIT": b"221 2.0.0 Bye",
}


class Mailbox:
    """An SMTP server for every address. Its faults are separate from those of the vendors."""

    def __init__(self, inbox: Inbox, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._inbox, self._sleep = inbox, sleep
        self._faults: deque[str] = deque(maxlen=1000)
        self._talks: set[asyncio.Task[None]] = set()

    def fail(self, fault: str, count: int = 1) -> None:
        """Let the next ``count`` connections run into ``fault``. Raises ``ValueError``."""
        if fault not in PLAIN and not any(re.fullmatch(pattern, fault) for pattern in PATTERNS):
            raise ValueError(f"no such fault: {fault}")
        self._faults.extend([fault] * count)

    def faults(self) -> list[str]:
        """The names of all faults. 4xx and 5xx are replies to the RCPT command."""
        return [*PLAIN, "slow:<seconds>", "4xx", "5xx"]

    def dial(self) -> socket.socket:
        """Connect to the server. Raises ``OSError`` for the faults ``refused`` and ``timeout``."""
        fault = self._faults.popleft() if self._faults else ""
        if fault in UNREACHABLE:
            raise UNREACHABLE[fault]
        client, server = socket.socketpair()
        talk = asyncio.create_task(self._talk(server, fault))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)
        return client

    async def _talk(self, connection: socket.socket, fault: str) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=LONGEST)
        try:
            await self._answer(reader, writer, fault)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass  # the client hung up, or sent what no client of ours sends
        finally:
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: str
    ) -> None:
        writer.write(b"220 sandbox\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 Go on\r\n")
                content = (await reader.readuntil(END)).removesuffix(b".\r\n")
                if not await self._take(content, fault):
                    return
            refused = verb == b"RCPT" and fault.isdigit()
            reply = f"{fault} Fault".encode() if refused else REPLIES.get(verb, b"250 2.0.0 Ok")
            writer.write(reply + b"\r\n")

    async def _take(self, content: bytes, fault: str) -> bool:
        """Accept an email. Returns False where the connection is to be dropped without a reply."""
        if fault.startswith("slow:"):
            await self._sleep(float(fault.partition(":")[2]))
        if fault != "undelivered":
            self._arrive(content.replace(b"\r\n..", b"\r\n."))
        return fault != "dropped"

    def _arrive(self, content: bytes) -> None:
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)  # noqa: S101 - by the policy
        part = message.get_body(("plain",))
        body = str(part.get_content()).replace("\r\n", "\n") if part else ""
        link = LINK.search(body)
        self._inbox.receive_email(
            to=str(message["To"]),
            sender=str(message["From"]),
            subject=str(message["Subject"]),
            body=body,
            link=link and link[0],
        )
