"""The table of signing keys: the newest signs, older ones are still published for a while."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from tortoise import fields
from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.transactions import in_transaction

from webapp.database import serialise

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

log = structlog.get_logger(__name__)
PUBLISHED_AFTER = timedelta(days=1)  # it signs no more; no token that it signed lives as long
KEPT_AFTER = timedelta(days=400)  # the longest SESSION_LIFETIME: old ID tokens sign people out


class SigningKey(Model):
    """A key pair, whose private half is encrypted by a key derived from `SECRET_KEY`."""

    kid = fields.CharField(max_length=64, primary_key=True)
    public = fields.TextField()  # JSON, as applications fetch it
    sealed = fields.TextField()
    created_at = fields.DatetimeField()
    retired_at = fields.DatetimeField(null=True)

    class Meta:
        table = "oidc_keys"


class Keyring:
    """The keys that this process has decrypted."""

    def __init__(self, secret_key: str, clock: Callable[[], datetime]) -> None:
        self._secret_key, self._clock = secret_key, clock
        self._open: dict[str, RSAKey] = {}

    async def signing(self) -> "RSAKey":
        """The key to sign with; the first that is asked for is made."""
        return await self._usable() or await self._make()

    async def published(self) -> list[str]:
        """The public keys by which a token that lives can be signed, newest first."""
        await self.signing()
        since = self._clock() - PUBLISHED_AFTER
        rows = await SigningKey.all().order_by("-created_at")
        return [row.public for row in rows if not row.retired_at or row.retired_at > since]

    async def known(self) -> list[str]:
        """Every public key of ours, also those that only verify expired tokens."""
        return [row.public for row in await SigningKey.all()]

    async def rotate(self, *, at_once: bool = False) -> str:
        """Sign with a new key from here on: its name.

        The keys before it are published for another day, or no more if ``at_once``, which is for a
        key that somebody has stolen.
        """
        since = self._clock() - (PUBLISHED_AFTER if at_once else timedelta())
        key = await self._make(retire_others_at=since)
        return str(key.kid)

    async def _usable(self) -> "RSAKey | None":
        """The newest key that is not retired and that our secret opens."""
        rows = await SigningKey.filter(retired_at=None).order_by("-created_at", "kid")
        return next(filter(None, map(self._opened, rows)), None)

    def _opened(self, row: SigningKey) -> "RSAKey | None":
        from webapp.clients.oidc import jose  # noqa: PLC0415

        if row.kid not in self._open:
            key = jose.unseal(row.kid, row.sealed, self._secret_key)
            if key is None:
                log.warning("signing_key_unreadable", key=row.kid, since="SECRET_KEY changed")
                return None
            self._open[row.kid] = key
        return self._open[row.kid]

    async def _make(self, retire_others_at: datetime | None = None) -> "RSAKey":
        """A new key, or the one that another process has made meanwhile, if any will do."""
        from webapp.clients.oidc import jose  # noqa: PLC0415

        key = await asyncio.to_thread(jose.generate)
        async with in_transaction():
            await serialise("oidc-keys")
            if retire_others_at is None and (made := await self._usable()):
                return made
            if retire_others_at:
                later = Q(retired_at=None) | Q(retired_at__gt=retire_others_at)
                await SigningKey.filter(later).update(retired_at=retire_others_at)
            await SigningKey.create(
                kid=str(key.kid),
                public=jose.public(key),
                sealed=jose.seal(key, self._secret_key),
                created_at=self._clock(),
            )
        self._open[str(key.kid)] = key
        log.info("signing_key_made", key=key.kid)
        return key
