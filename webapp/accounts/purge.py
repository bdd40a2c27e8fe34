"""Deletes what is no longer needed, in small batches that hold no lock for long."""

from datetime import datetime
from typing import Any

import structlog
from tortoise.queryset import QuerySet

from webapp.accounts.challenges.entries import Entry
from webapp.accounts.challenges.links import Link
from webapp.accounts.challenges.passkey_challenges import PasskeyChallenge
from webapp.accounts.challenges.verifications import Purpose, Verification
from webapp.accounts.challenges.work import UsedWork
from webapp.accounts.history.events import EVENTS_KEPT, PhoneEvent
from webapp.accounts.people.phone_changes import PhoneChange
from webapp.accounts.people.remembered_browsers import RememberedBrowser
from webapp.accounts.people.sessions import Session, Stage
from webapp.accounts.people.users import User
from webapp.accounts.policy.blocks import Block
from webapp.accounts.policy.link_requests import LinkRequest
from webapp.accounts.policy.password_checks import PasswordCheck
from webapp.accounts.policy.rules import (
    BROWSER_REMEMBERED,
    DAY,
    LINKS_KEPT,
    OUTBOX_KEPT,
    PASSWORD_CHECKS_KEPT,
    PHONE_CHANGES_KEPT,
    SESSION_LIFE,
    SIGN_IN_LIFETIME,
    SIGNUP_LIFETIME,
    UNDELIVERED_KEPT,
    SessionLife,
)
from webapp.accounts.policy.usage import Usage, purge_attempts
from webapp.accounts.sending.outbox import OutboxMessage
from webapp.accounts.sending.stored_receipts import StoredReceipt

log = structlog.get_logger(__name__)
BATCH = 500
# The verification of a sign-up stays as long as its user: sessions are joined with it. Named one by
# one, as the index is of no use for "all but".
SHORT_LIVED = [purpose for purpose in Purpose if purpose is not Purpose.SIGN_UP]


async def purge(now: datetime, sessions: SessionLife = SESSION_LIFE) -> dict[str, int]:
    """Delete abandoned sign-ups (ASVS 14.2.7), dead sessions, old entries, uses, links
    and messages: how many of each.
    """
    abandoned = User.filter(verified_at__isnull=True, created_at__lt=now - SIGNUP_LIFETIME)
    gone = {
        "users": await delete(abandoned),
        "sessions": await delete(Session.filter(last_seen_at__lt=now - sessions.idle))
        + await delete(Session.filter(created_at__lt=now - sessions.absolute))
        + await delete(Session.filter(stage=Stage.SIGN_IN, created_at__lt=now - SIGN_IN_LIFETIME)),
        "entries": await delete(Entry.filter(entered_at__lt=now - DAY)),
        "verifications": await delete(
            Verification.filter(purpose__in=SHORT_LIVED, created_at__lt=now - DAY)
        ),
        "browsers": await delete(RememberedBrowser.filter(created_at__lt=now - BROWSER_REMEMBERED)),
        "password_checks": await delete(
            PasswordCheck.filter(next_at__lt=now - PASSWORD_CHECKS_KEPT)
        ),
        "usage": await delete(Usage.filter(started_at__lt=now - DAY, newest_at__lt=now - DAY)),
        "link_requests": await delete(LinkRequest.filter(since__lt=now - DAY)),
        "passkey_challenges": await delete(PasskeyChallenge.filter(expires_at__lte=now)),
        "blocks": await delete(Block.filter(ends_at__lte=now)),
        "used_work": await delete(UsedWork.filter(expires_at__lte=now)),
        "phone_events": await delete(PhoneEvent.filter(at__lt=now - EVENTS_KEPT)),
        "phone_changes": await delete(
            PhoneChange.filter(effective_at__lt=now - PHONE_CHANGES_KEPT)
        ),
        "receipts": await delete(StoredReceipt.filter(at__lt=now - DAY)),
        "links": await delete(Link.filter(expires_at__lt=now - LINKS_KEPT)),
        "messages": await delete(OutboxMessage.filter(done_at__lt=now - OUTBOX_KEPT))
        + await delete(OutboxMessage.filter(done_at=None, created_at__lt=now - UNDELIVERED_KEPT)),
    }
    await purge_attempts(now - DAY)
    log.info("purged", **gone)
    return gone


async def delete(rows: QuerySet[Any]) -> int:
    """Delete ``rows`` in batches: how many they were.

    The DELETE repeats the condition, since a row may have changed (verified, seen) meanwhile.
    """
    total = 0
    while batch := await rows.limit(BATCH):
        total += await rows.filter(pk__in=[row.pk for row in batch]).delete()
        if len(batch) < BATCH:
            break
    return total
