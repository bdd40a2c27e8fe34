"""Sending a code, and recording the outcome: each step is one conditional UPDATE."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tortoise.expressions import F

from webapp.accounts.challenges.verifications import (
    Outcome,
    Purpose,
    Verification,
    pending_row,
    row_of,
)
from webapp.accounts.policy.rules import (
    CHECKS_PER_VERIFICATION,
    CODE_LIFETIME,
    COOL_DOWNS,
    SENDS_PER_VERIFICATION,
    ChecksSpent,
    CoolingDown,
    SendsSpent,
)
from webapp.accounts.statements import add, loaded, run
from webapp.providers import DeliveryState, Sent


async def begin(
    user_id: int,
    phone: str,
    provider: str,
    now: datetime,
    *,
    purpose: Purpose,
    network: str = "",
    claimed: bool = False,
) -> Verification:
    """Insert a verification of ``phone``: its first code is still to be sent, or ``claimed``."""
    verification = Verification(
        user_id=user_id,
        purpose=purpose,
        phone=phone,
        network=network,
        provider=provider,
        sends=int(claimed),
        created_at=now,
        next_send_at=now + COOL_DOWNS[0] if claimed else now,
        expires_at=now + CODE_LIFETIME,
    )
    await add(verification)
    return verification


async def begin_again(old: Verification, provider: str, now: datetime) -> Verification:
    """Replace an expired verification, the first send claimed. Raises ``CoolingDown``."""
    due = pending_row(old).filter(next_send_at__lte=now)
    if not await due.update(outcome=Outcome.REPLACED):
        raise CoolingDown(await _wait_for_latest(old, now))
    return await begin(
        old.user_id,
        old.phone,
        provider,
        now,
        purpose=Purpose(old.purpose),
        network=old.network,
        claimed=True,
    )


async def claim_send(verification: Verification, now: datetime) -> None:
    """Claim one more send of the same code.

    Raises ``SendsSpent``, ``ChecksSpent`` or ``CoolingDown``.
    """
    sends = verification.all_sends
    if sends >= SENDS_PER_VERIFICATION:
        raise SendsSpent(verification.wait_for_send(now), unknown=verification.unknown_sends)
    if not verification.checks_left:
        raise ChecksSpent(verification.wait_for_send(now))
    due = pending_row(verification).filter(
        sends=verification.sends,
        unknown_sends=verification.unknown_sends,
        next_send_at__lte=now,
        checks__lt=CHECKS_PER_VERIFICATION,
    )
    expires_at = now + CODE_LIFETIME if verification.never_sent else verification.expires_at
    changes = {
        "sends": verification.sends + 1,
        "next_send_at": now + COOL_DOWNS[sends],
        "expires_at": expires_at,
    }
    if not await due.update(**changes):
        raise CoolingDown(await _wait_for_latest(verification, now))
    verification.update_from_dict(changes)


async def _wait_for_latest(verification: Verification, now: datetime) -> timedelta:
    rows = Verification.filter(user_id=verification.user_id, purpose=verification.purpose)
    newest = await rows.order_by("-id").first()
    return (newest or verification).wait_for_send(now)


async def record_sent(
    verification: Verification, sent: Sent, now: datetime, receipt_due_at: datetime | None = None
) -> None:
    """The vendor took the code; checks are made against its reference from now on.

    The receipt may have come before its answer. Else the vendor is asked at ``receipt_due_at``.
    """
    verification.reference, verification.sent_at = sent.reference, now
    verification.message, verification.delivery = sent.message, DeliveryState.ON_ITS_WAY
    await run(
        "UPDATE verifications SET reference = $2, sent_at = $3, message = $4, receipt_due_at = $5,"
        " delivery = COALESCE((SELECT state FROM receipts WHERE receipts.message = $6), 0)"
        " WHERE id = $1",
        verification.id,
        sent.reference,
        now,
        sent.message,
        receipt_due_at,
        sent.message,  # again: PostgreSQL gives each place one type
    )


async def record_delivery(message: str, state: DeliveryState, now: datetime) -> bool:
    """Record how the last send of a code ended. Returns whether ``message`` is such a send.

    If the network did not deliver it, the cool-down before the next send ends. It verifies nobody.
    """
    rows = await run(
        "UPDATE verifications SET delivery = $2, receipt_due_at = CASE WHEN outcome = $4 THEN NULL"
        " ELSE receipt_due_at END, next_send_at = CASE WHEN $2 = $5 AND next_send_at < expires_at"
        " THEN $3 ELSE next_send_at END WHERE message = $1 AND delivery < $2 RETURNING id",
        message,
        state,
        now,
        Outcome.PENDING,
        DeliveryState.FAILED,
    )
    return bool(rows)


async def claim_receipts_due(most: int, now: datetime, again_at: datetime) -> list[Verification]:
    """Take at most ``most`` verifications whose vendor is to be asked what became of their code, or
    told that it came back. They are due again at ``again_at``, unless ``settle_receipts`` ends it.
    """
    rows = await run(
        "UPDATE verifications SET receipt_due_at = $2 WHERE id IN (SELECT id FROM verifications"
        " WHERE receipt_due_at <= $1 ORDER BY receipt_due_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
        " RETURNING *",
        now,
        again_at,
        most,
    )
    return [loaded(Verification, row) for row in rows]


async def settle_receipts(verifications: Sequence[Verification]) -> None:
    """Ask or tell the vendor nothing more about these verifications."""
    if verifications:
        ids = [verification.id for verification in verifications]
        await Verification.filter(id__in=ids).update(receipt_due_at=None)


async def record_unknown_send(verification: Verification, reference: str, now: datetime) -> None:
    """The vendor did not answer, so the code may be on its way. It may be asked for again at once.

    ``reference`` is what the code can be checked against, if that is known, else empty.
    """
    known = {"reference": reference} if reference else {}
    verification.update_from_dict({"next_send_at": now, **known})
    verification.sends, verification.unknown_sends = (
        verification.sends - 1,
        verification.unknown_sends + 1,
    )
    await row_of(verification).update(
        next_send_at=now, sends=F("sends") - 1, unknown_sends=F("unknown_sends") + 1, **known
    )


async def record_send_failure(verification: Verification, now: datetime) -> None:
    """Nothing was sent: the send does not count, and may be asked for again at once."""
    verification.next_send_at, verification.sends = now, verification.sends - 1
    await row_of(verification).update(next_send_at=now, sends=F("sends") - 1)


async def stop_sends(verification: Verification) -> None:
    """The vendor refuses further sends of this code; the last one sent works until it expires."""
    verification.next_send_at = verification.expires_at
    await pending_row(verification).update(next_send_at=F("expires_at"))
