"""From the text of a variable to its value: each raises ``ValueError`` saying what it must be."""

import base64
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from email.policy import SMTP

import limits
from phonenumbers import SUPPORTED_REGIONS

SECRET_LENGTH, SECRET_VARIETY = 32, 8  # characters, and different ones among them
SENDER = r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}"  # Twilio's From
ADDRESS = r"[!-~]+@[a-zA-Z0-9.-]+"  # one in ASCII, which every mail server takes
MOST = 10_000_000
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def choice(*allowed: str) -> Callable[[str], str]:
    """One of these words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return read


def switch(text: str) -> bool:
    """On (1) or off (0)."""
    return choice("0", "1")(text) == "1"


def integer(low: int, high: int) -> Callable[[str], int]:
    """A whole number from ``low`` to ``high``."""

    def read(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(high))
        if not (digits and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def limit(text: str) -> int | None:
    """A number of things that may happen; None where it is switched off."""
    return None if text == "off" else integer(1, MOST)(text)


def amount(text: str) -> int:
    """An amount of money, in millionths."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        raise ValueError("must be an amount like 25 or 0.05")
    return int(Decimal(text) * 1_000_000)


def money(text: str) -> int | None:
    """What may be spent, in millionths; None where it is switched off."""
    return None if text == "off" else amount(text)


def currency(text: str) -> str:
    """The three letters of a currency."""
    if not re.fullmatch("[A-Z]{3}", text):
        raise ValueError("must be three letters like USD")
    return text


def prices(text: str) -> dict[str, int]:
    """Prices in millionths, by country; ``*`` stands for every other one."""
    read = dict[str, int]()
    for item in filter(None, re.split(r"[,\s]+", text)):
        country, _, price = item.partition("=")
        if country != "*" and country not in SUPPORTED_REGIONS:
            raise ValueError(f"must read like TR=0.05,*=0.06: no country is {country[:8]}")
        read[country] = amount(price)
    return read


def accounts(text: str) -> int | None:
    """A number of accounts; None for any."""
    return integer(0, MOST)(text) or None


def rate(text: str) -> str | None:
    """A limit in the notation of the library `limits`; None where it is switched off."""
    if text == "off":
        return None
    try:
        allows = min(rule.amount for rule in limits.parse_many(text))
    except ValueError:
        allows = 0
    if allows < 1:
        raise ValueError("must read like 10/hour or 30/10minutes, or be off")
    return text


def seconds(most: float) -> Callable[[str], float]:
    """A duration above 0 and up to ``most`` seconds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= most:
            raise ValueError(f"must be seconds above 0 and up to {most:g}")
        return value

    return read


def schema(text: str) -> str:
    """The name of a schema in PostgreSQL, one that needs no quotes."""
    if not re.fullmatch("(?!pg_)[a-z_][a-z0-9_]{0,62}", text):
        raise ValueError("must be lower-case letters, digits and _, and not begin with pg_")
    return text


def duration(shortest: timedelta, longest: timedelta) -> Callable[[str], timedelta]:
    """A number with its unit: 30m, 12h or 14d."""

    def read(text: str) -> timedelta:
        found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
        length = int(found[1]) * UNITS[found[2]] if found else timedelta()
        if not shortest <= length <= longest:
            shown = f"from {shortest // UNITS['m']}m to {longest // UNITS['d']}d"
            raise ValueError(f"must read like 30m, 12h or 14d, {shown}")
        return length

    return read


def secret(text: str) -> str:
    """A key that nobody guesses."""
    if len(text) < SECRET_LENGTH or len(set(text)) < SECRET_VARIETY:
        raise ValueError(f"must be {SECRET_LENGTH} or more random characters")
    return text


def sid(prefix: str) -> Callable[[str], str]:
    """One of Twilio's ids."""

    def read(text: str) -> str:
        if not (text.startswith(prefix) and text.isalnum()):
            raise ValueError(f"must be a Twilio SID that begins with {prefix}")
        return text

    return read


def sender(text: str) -> str:
    """A number, a short code, or a word (with a letter) where carriers let one stand for it."""
    if not re.fullmatch(SENDER, text):
        raise ValueError("must be a number like +15005550006, or a sender's name")
    return text


def mail_sender(text: str) -> str:
    """One address, or a name and an address: `Example <no-reply@example.com>`."""
    header = SMTP.header_factory("From", text)
    specs = [address.addr_spec for address in header.addresses]
    one = len(specs) == 1 and re.fullmatch(ADDRESS, specs[0])
    if header.defects or not one or not text.isprintable():
        raise ValueError("must be one address, or a name and an address in angle brackets")
    return text


def countries(text: str) -> frozenset[str]:
    """ISO 3166 codes, in any case and with commas or spaces between them."""
    codes = frozenset(text.upper().replace(",", " ").split())
    if unknown := sorted(codes - SUPPORTED_REGIONS):
        raise ValueError(f"not ISO 3166 country codes with phone numbers: {', '.join(unknown)}")
    return codes


def webhook_secret(text: str) -> str:
    """A key of the Standard Webhooks specification."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not (text.startswith("whsec_") and 24 <= len(key) <= 64):  # noqa: PLR2004
        raise ValueError("must be whsec_ and 24 to 64 random bytes in base64")
    return text
