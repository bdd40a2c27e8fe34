"""Who asks: the addresses and networks by which a visitor's requests are counted."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import structlog
from starlette.types import Scope

from webapp.web.security import HEALTH, header_values

UNKNOWN_CLIENT = "unknown"
"""The one bucket of everybody whose address cannot be told: forging headers gains no fresh one."""

PREFIXES = (64, 56, 48)
"""What providers hand out: a /64 to a phone or a home, a /56 to a home, a /48 to a site or to
whoever asks a tunnel broker for one. Each is counted, the wider ones with a higher limit."""

log = structlog.get_logger(__name__)

LONGEST_ADDRESS = 64  # characters: a whole IPv6 address, a zone, brackets and a port


class Clients:
    """Tells who asks, and warns once if TRUSTED_PROXY_HOPS is more than there are proxies.

    Any request that arrives with fewer addresses than hops shows it. Then all honest visitors share
    one bucket, and whoever sends their own ``X-Forwarded-For`` gets a new one for each request.
    """

    def __init__(self, hops: int) -> None:
        self.hops, self.warned = hops, False

    def __call__(self, scope: Scope) -> tuple[str, ...]:
        """The networks to count the request by, see ``client_networks``."""
        if not self.warned and scope["path"] not in HEALTH:  # platforms ask those from within
            addresses = len(_forwarded(scope, self.hops))
            if addresses < self.hops:
                self.warned = True
                hint = "TRUSTED_PROXY_HOPS, or a request passed no proxy"
                log.warning("too_many_hops", hops=self.hops, addresses=addresses, check=hint)
        return client_networks(scope, self.hops)


def client_networks(scope: Scope, hops: int) -> tuple[str, ...]:
    """The networks to count this request by, the narrowest first.

    An IPv4 address alone; for IPv6 the networks of the lengths in ``PREFIXES``. ``hops`` proxies of
    ours each append the peer they saw to ``X-Forwarded-For``, so the client is that many from the
    right, and all further left is hearsay. With no proxy it is the socket's peer.
    """
    if hops <= 0:
        peer = scope.get("client")
        return _networks(peer[0]) if peer else (UNKNOWN_CLIENT,)
    chain = _forwarded(scope, hops)
    if len(chain) < hops:
        return (UNKNOWN_CLIENT,)
    return _networks(chain[-hops].decode("latin-1").strip()[: LONGEST_ADDRESS + 1])


def _forwarded(scope: Scope, hops: int) -> list[bytes]:
    """The addresses of ``X-Forwarded-For``, of which the last ``hops`` are split from the rest."""
    lines = header_values(scope, b"x-forwarded-for")
    return b",".join(lines).rsplit(b",", hops) if lines else []


@lru_cache(maxsize=4096)
def _networks(text: str) -> tuple[str, ...]:
    """``text`` is at most one character longer than any address, so that the cache stays small."""
    try:
        address = ip_address(_without_port(text))
    except ValueError:
        return (UNKNOWN_CLIENT,)
    if isinstance(address, IPv6Address):
        address = _inner(address) or address
    if isinstance(address, IPv4Address):
        return (str(address),)
    return tuple(str(IPv6Network((int(address), prefix), strict=False)) for prefix in PREFIXES)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address is made of: its owner has all that start with it.

    Mapped by a dual-stack socket, 6to4 (RFC 3056), or Teredo (RFC 4380).
    """
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _without_port(text: str) -> str:
    """Some proxies append ports: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
