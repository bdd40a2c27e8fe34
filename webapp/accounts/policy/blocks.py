"""The table of blocks: whom operators exclude from texts.

They are read for every text that is asked for, so a block holds at once in every process. A sign-up
reads them in the statement that looks for its account anyway.
"""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import NamedTuple

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.history.reasons import BY_ID, Refusal
from webapp.accounts.people.phones import country_of
from webapp.accounts.statements import run
from webapp.providers import Blocked

LONGEST_PREFIX = 15  # characters: + and one digit less than the longest number
PARENT_DOMAINS = 6  # of an email's domain, itself among them
NOTHING = ""
IPV4_MAPPED = int(IPv6Address("::ffff:0:0"))


class Block(Model):
    """One block: ``what`` is its kind and value, as in ``prefix:+23480``.

    ``lowest`` and ``highest`` are the ends of a network, in 32 hexadecimal digits; IPv4 is mapped
    into IPv6. Other kinds have none.
    """

    what = fields.CharField(max_length=270, primary_key=True)
    lowest = fields.CharField(max_length=32, null=True)
    highest = fields.CharField(max_length=32, null=True)
    created_at = fields.DatetimeField()
    ends_at = fields.DatetimeField(null=True)

    class Meta:
        table = "blocks"
        indexes = (Index(fields=("lowest", "highest")), Index(fields=("ends_at",)))


class BlockedByOperator(Blocked, Refusal):
    """A block applies. Pages say the same as where the vendor blocks a number."""

    def __init__(self, what: str) -> None:
        """``what`` is the block."""
        super().__init__("blocked by an operator")
        self.reason = BY_ID[f"block_{what.partition(':')[0]}"]


class Subject(NamedTuple):
    """Who asks for a text. An empty field matches no block."""

    phone: str = ""  # E.164
    country: str = ""  # ISO 3166
    email: str = ""
    network: str = ""  # the narrowest of ``client_networks``

    @classmethod
    def of_phone(cls, phone: str) -> "Subject":
        """The subject for a number alone."""
        return cls(phone, country_of(phone))


LOOKUP = (
    "SELECT what FROM blocks"
    " WHERE (what IN ({places}) OR (lowest <= {address} AND highest >= {address}))"
    " AND (ends_at IS NULL OR ends_at > {now}) LIMIT 1"
)
VALUES = 4 + (LONGEST_PREFIX - 1) + PARENT_DOMAINS
"""How many values stand in ``LOOKUP``, always as many, so that it is one statement."""


def lookup(after: int) -> str:
    """The statement that finds a block, its places numbered from ``after`` + 1 on."""
    places = [f"${after + place}" for place in range(1, VALUES + 1)]
    now, address, *values = places
    return LOOKUP.format(now=now, address=address, places=", ".join(values))


def values_of(subject: Subject, now: datetime) -> list[object]:
    """What stands in the places of ``lookup``."""
    phone, domain = subject.phone, subject.email.rpartition("@")[2].lower()
    prefixes = [f"prefix:{phone[:length]}" for length in range(2, LONGEST_PREFIX + 1)]
    labels = domain.split(".")[-PARENT_DOMAINS:] if domain else []
    domains = [f"domain:{'.'.join(labels[place:])}" for place in range(len(labels))]
    domains += [NOTHING] * (PARENT_DOMAINS - len(domains))
    one_each = [f"country:{subject.country}", f"phone:{phone}"]
    return [now, _position(subject.network), *one_each, *prefixes, *domains]


async def find(subject: Subject, now: datetime) -> str | None:
    """A block that holds for ``subject``, if there is one."""
    rows = await run(lookup(0), *values_of(subject, now))
    return str(rows[0]["what"]) if rows else None


async def refuse(subject: Subject, now: datetime) -> None:
    """Raise ``BlockedByOperator`` if a block holds for ``subject``."""
    if what := await find(subject, now):
        raise BlockedByOperator(what)


def ends_of(network: IPv4Network | IPv6Network) -> tuple[str, str]:
    """The first and the last address of a network, as the table has them."""
    return _digits(network[0]), _digits(network[-1])


def _position(network: str) -> str:
    """Where a visitor's network begins; nothing for those whose address is not known."""
    try:
        return _digits(ip_network(network)[0])
    except ValueError:
        return NOTHING


def _digits(address: IPv4Address | IPv6Address) -> str:
    mapped = IPV4_MAPPED if isinstance(address, IPv4Address) else 0
    return f"{int(address) + mapped:032x}"


async def save(block: Block) -> None:
    """Insert the block, or change the end of the existing one."""
    await run(
        "INSERT INTO blocks (what, lowest, highest, created_at, ends_at)"
        " VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (what) DO UPDATE SET ends_at = excluded.ends_at",
        block.what,
        block.lowest,
        block.highest,
        block.created_at,
        block.ends_at,
    )


async def lift(what: str, now: datetime) -> bool:
    """Delete a block. Returns whether it was in force."""
    ended = await run(
        "DELETE FROM blocks WHERE what = $1 AND (ends_at IS NULL OR ends_at > $2) RETURNING what",
        what,
        now,
    )
    return bool(ended)


async def in_force(now: datetime) -> Sequence[Block]:
    """The blocks that hold, the newest first."""
    blocks = await Block.all().order_by("-created_at", "what")
    return [block for block in blocks if block.ends_at is None or block.ends_at > now]
