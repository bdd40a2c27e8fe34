"""What went wrong in a conversation with a mail server, as one of our errors.

The words of a reply are never repeated: servers put the address into them.
"""

import re
import ssl
from enum import Enum

from aiosmtplib.errors import SMTPException, SMTPNotSupported, SMTPResponseException

from webapp.providers import (
    Blocked,
    Busy,
    InvalidAddress,
    Misconfigured,
    ProviderError,
    Unreachable,
)

TRANSIENT, PERMANENT = 4, 5  # the first digit of a reply (RFC 5321, 4.2.1)
AUTHENTICATION = {530, 534, 535, 538}  # it is asked for, or was not accepted (RFC 4954, 6)
NOT_AUTHORIZED = "5.7."  # the class of enhanced status codes about policy (RFC 3463, 3.8)


class Stage(Enum):
    """How far a conversation came; the value is its name in our log."""

    CONNECT = "connect"  # with TLS and authentication
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


def error_from(stage: Stage, fault: Exception) -> ProviderError:
    """The error that ``fault`` means at this stage.

    A server has accepted an email when it says so after the content. Before the content nothing was
    sent; a connection that is lost from there on leaves it open.
    """
    if isinstance(fault, SMTPResponseException):
        return _by_reply(stage, fault)
    if isinstance(fault, SMTPNotSupported):
        return InvalidAddress("smtp: the server takes no address with letters beyond ASCII")
    if certificate := _certificate_error(fault):
        return Misconfigured(f"smtp: certificate not trusted: {certificate.verify_message}")
    if type(fault) is SMTPException:  # no STARTTLS or no AUTH; the words are the library's own
        return Misconfigured(f"smtp: {fault.message}")
    kind = type(fault).__name__
    return Unreachable(f"smtp: {stage.value}: {kind}", maybe_sent=stage is Stage.CONTENT)


def _by_reply(stage: Stage, reply: SMTPResponseException) -> ProviderError:
    code, enhanced = reply.code, _enhanced(reply.message)
    detail = f"smtp: {stage.value}: {code} {enhanced}".strip()
    if code // 100 == TRANSIENT:
        return Busy(detail, code=str(code))
    if code // 100 == PERMANENT:
        return _final(stage, code, enhanced)(detail, code=str(code))
    return Unreachable(f"smtp: {stage.value}: no SMTP", maybe_sent=stage is Stage.CONTENT)


def _final(stage: Stage, code: int, enhanced: str) -> type[ProviderError]:
    """What a permanent refusal is about: the recipient, this email, or the way we are set up.

    A server that people's programs hand emails to knows few recipients: where policy (5.7.x) keeps
    it from taking one, it does not relay for us.
    """
    if stage is Stage.CONTENT:
        return Blocked
    ours = code in AUTHENTICATION or enhanced.startswith(NOT_AUTHORIZED)
    return InvalidAddress if stage is Stage.RECIPIENT and not ours else Misconfigured


def _enhanced(message: str) -> str:
    """The enhanced status code that begins a reply's words (RFC 2034), or nothing."""
    found = re.match(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)", message)
    return found[0] if found else ""


def _certificate_error(fault: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while fault:
        if isinstance(fault, ssl.SSLCertVerificationError):
            return fault
        fault = fault.__cause__
    return None
