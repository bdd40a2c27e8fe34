"""Deletes what the owner's applications no longer need."""

from datetime import datetime, timedelta

from webapp.accounts.purge import delete
from webapp.clients.oidc.grants import CODE_LIFETIME, TOKEN_LIFETIME, Grant
from webapp.clients.oidc.keys import KEPT_AFTER, SigningKey

# Until then a code that is used again is recognised, and what it gave is revoked.
GRANT_KEPT = CODE_LIFETIME + TOKEN_LIFETIME + timedelta(minutes=1)


async def purge(now: datetime) -> None:
    """Delete grants whose tokens are over, and keys that were retired long ago."""
    await delete(Grant.filter(created_at__lt=now - GRANT_KEPT))
    await delete(SigningKey.filter(retired_at__lt=now - KEPT_AFTER))
