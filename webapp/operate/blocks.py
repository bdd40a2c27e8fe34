"""`block`, `unblock`, `blocks`: who gets no text, from now on and in every process."""

import re
from datetime import datetime, timedelta
from ipaddress import IPv6Network, ip_network

from phonenumbers import SUPPORTED_REGIONS

from webapp.accounts.people import emails
from webapp.accounts.policy import blocks
from webapp.accounts.policy.blocks import LONGEST_PREFIX, Block
from webapp.operate import CommandError
from webapp.operate.story import read_number

NARROWEST_IPV6 = 64  # what a phone or a home is given; see ``client.PREFIXES``
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
SHAPES = (
    "country:NG, prefix:+23480, phone:+447400123456, address:203.0.113.0/24 or domain:example.com"
)


def read_what(typed: str) -> str:
    """``typed`` as the table has it. Raises ``CommandError``."""
    kind, colon, value = typed.strip().partition(":")
    read = READERS.get(kind.strip().lower())
    if not colon or read is None:
        raise CommandError(f"{typed!r} says not what it is: write {SHAPES}")
    return f"{kind.strip().lower()}:{read(value.strip())}"


def _country(value: str) -> str:
    if value.upper() not in SUPPORTED_REGIONS:
        raise CommandError(f"{value!r} is no country: use its two letters, like NG")
    return value.upper()


def _prefix(value: str) -> str:
    prefix = re.sub(r"[\s().-]", "", value)
    if not re.fullmatch(rf"\+[1-9][0-9]{{0,{LONGEST_PREFIX - 2}}}", prefix):
        raise CommandError(f"{value!r} is no prefix: write + and the first digits, like +23480")
    return prefix


def _address(value: str) -> str:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise CommandError(f"{value!r} is no address or network, like 203.0.113.0/24") from None
    if isinstance(network, IPv6Network) and network.prefixlen > NARROWEST_IPV6:
        network = network.supernet(new_prefix=NARROWEST_IPV6)  # one home, whatever its addresses
    if network.prefixlen == 0:
        raise CommandError(f"{value!r} is everybody")
    return str(network)


def _domain(value: str) -> str:
    try:
        return emails.read(f"somebody@{value.removeprefix('@')}").rpartition("@")[2].lower()
    except emails.UnusableEmail:
        raise CommandError(f"{value!r} is no domain of email addresses, like example.com") from None


READERS = {
    "country": _country,
    "prefix": _prefix,
    "phone": read_number,
    "address": _address,
    "domain": _domain,
}


def read_span(typed: str) -> timedelta:
    """``typed``, such as 30m, 24h or 7d. Raises ``CommandError``."""
    amount = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", typed.strip().lower())
    if not amount:
        raise CommandError(f"--for {typed!r} is no time: write 30m, 24h or 7d")
    return int(amount[1]) * UNITS[amount[2]]


async def block(typed: str, span: str | None, now: datetime) -> str:
    """Block what was typed, for ``span`` or until it is lifted: what happened, in a line."""
    what, ends_at = read_what(typed), now + read_span(span) if span else None
    kind, _, value = what.partition(":")
    lowest, highest = blocks.ends_of(ip_network(value)) if kind == "address" else (None, None)
    await blocks.save(
        Block(what=what, lowest=lowest, highest=highest, created_at=now, ends_at=ends_at)
    )
    return f"blocked {what} {_until(ends_at)}"


async def unblock(typed: str, now: datetime) -> str:
    """Lift a block. Raises ``CommandError`` where there is none."""
    what = read_what(typed)
    if not await blocks.lift(what, now):
        raise CommandError(f"{what} is not blocked; `blocks` lists what is")
    return f"unblocked {what}"


async def listed(now: datetime) -> list[str]:
    """A line for each block that holds, the newest first."""
    held = await blocks.in_force(now)
    width = max((len(block.what) for block in held), default=0)
    return [f"{block.what:{width}}  {_until(block.ends_at)}" for block in held] or [
        "Nothing is blocked."
    ]


def _until(ends_at: datetime | None) -> str:
    return f"until {ends_at:%Y-%m-%d %H:%M:%S} UTC" if ends_at else "until it is unblocked"
