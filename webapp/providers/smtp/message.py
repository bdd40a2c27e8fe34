"""An email as it is on the wire."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from email_validator import validate_email

from webapp.providers import Email, InvalidAddress


def parse_sender(mail_from: str, name: str) -> Address:
    """The address in ``mail_from``, with ``name`` where it has no name of its own."""
    [address] = SMTP.header_factory("From", mail_from).addresses
    return Address(address.display_name or name, address.username, address.domain)


def parse_recipient(address: str) -> Address:
    """``address`` with its domain as servers know it, in ASCII. Raises ``InvalidAddress``."""
    try:
        valid = validate_email(address, check_deliverability=False, test_environment=True)
        return Address(username=valid.local_part, domain=valid.ascii_domain)
    except ValueError:
        raise InvalidAddress("smtp: not an address") from None


def needs_utf8(address: Address) -> bool:
    """Whether only servers with SMTPUTF8 (RFC 6531) take this address."""
    return not address.addr_spec.isascii()


def compose(email: Email, sender: Address, to: Address, message_id: str, now: datetime) -> bytes:
    """The whole message, in lines that every server takes: text, with HTML as the other choice."""
    message = EmailMessage(policy=SMTPUTF8 if needs_utf8(to) else SMTP)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = " ".join(email.subject.split())  # a line break would begin a header
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{message_id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # so that nobody's holiday answers (RFC 3834)
    message.set_content(email.text, cte="quoted-printable")
    message.add_alternative(email.html, subtype="html", cte="quoted-printable")
    return message.as_bytes()
