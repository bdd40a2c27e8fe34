"""A code comes back: the vendor is asked whether it is right, once for each code that is entered.

What the code is for is the caller's business: ``check_code`` tells that it is right, and the caller
calls ``use_code`` in the transaction that does what follows from it, or ``record_right`` where the
verification goes on or ends otherwise.
"""

import asyncio
from datetime import timedelta
from enum import Enum, auto

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import checks, entries, verifications
from webapp.accounts.challenges.checks import CheckClaim
from webapp.accounts.challenges.entries import Answer
from webapp.accounts.challenges.verifications import Purpose, Verification
from webapp.accounts.history.reasons import Reason, Refusal
from webapp.accounts.journeys.prove_phone import is_over
from webapp.accounts.journeys.refusals import refusals
from webapp.accounts.journeys.site import Site
from webapp.accounts.policy import limits
from webapp.accounts.policy.rules import CODE_LIFETIME, ChecksSpent
from webapp.providers import Gone, ProviderError, TooManyChecks

log = structlog.get_logger(__name__)
POLL = 0.1  # seconds between looks for the answer that another request waits for
MARGIN = timedelta(seconds=1)  # for what a request does besides its call to the vendor


class WrongCode(Refusal):
    """The code is not the one we sent; ``left`` checks remain."""

    reason = Reason.CODE_WRONG

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left


class CodeExpired(Refusal):
    """The code no longer counts: too old, replaced, over at the vendor, or never sent."""

    reason = Reason.CODE_EXPIRED


class Check(Enum):
    """How we know that a code is right."""

    ANSWERED = auto()  # the vendor told this request, which has to record that
    ANSWERED_BEFORE = auto()  # the vendor told another request, which did


async def check_code(site: Site, verification: Verification, code: str) -> Check:
    """Whether ``code`` is the one that the vendor sent.

    Only the first request with this code claims a check and asks the vendor. The others wait for
    its answer. Raises ``WrongCode``, ``CodeExpired``, ``LimitExceeded`` or ``ProviderError``.
    """
    with refusals(site, verification.phone):
        return await _check(site, verification, code)


async def _check(site: Site, verification: Verification, code: str) -> Check:
    hashed = entries.code_hash(verification, code, site.secret_key)
    while not await _claim(site, verification, hashed):
        match await _answer_to_another(site, verification, hashed):
            case Answer.RIGHT:
                return Check.ANSWERED_BEFORE
            case Answer.WRONG:
                await verifications.reread(verification)
                raise _wrong(site, verification)
    try:
        right = await site.verifier.check(
            verification.phone, reference=verification.reference, code=code
        )
    except ProviderError as error:
        raise await _record_failure(site, verification, hashed, error) from error
    if right:
        return Check.ANSWERED
    log.info("code_wrong", user=verification.user_id, verification=verification.id)
    await entries.record(verification, hashed, Answer.WRONG)
    raise _wrong(site, verification)


async def record_right(site: Site, verification: Verification, code: str) -> None:
    """Record that ``code`` was right, for the requests that wait for the answer to theirs."""
    hashed = entries.code_hash(verification, code, site.secret_key)
    await entries.record(verification, hashed, Answer.RIGHT)


async def use_code(site: Site, verification: Verification, code: str) -> bool:
    """Record that ``code`` was right, and that ``verification`` is over by it.

    Whether this call did that, which happens once. Call it in the transaction that does what
    follows from the code.
    """
    await record_right(site, verification, code)
    return await verifications.approve(verification)


async def clear_counts(site: Site, verification: Verification) -> None:
    """Give back what it took to get to the right code: it was neither pumping nor guessing.

    Call it after the transaction that uses the code: it locks what many people's sends count in.
    """
    since = verification.expires_at - CODE_LIFETIME
    if verification.purpose is not Purpose.SIGN_UP:
        await limits.forget_checks(verification.phone, verification.checks, since)
        return
    await limits.mark_verified(
        verification.phone,
        verification.network,
        site.spending,
        verification.sends,
        since,
        checks=verification.checks,
        costs=site.money.counts,
    )


async def _claim(site: Site, verification: Verification, hashed: str) -> bool:
    """Reserve one check, and commit it, before the answer is known.

    False for a code that was entered before. Raises ``CodeExpired`` or ``LimitExceeded``.
    """
    now = site.clock()
    if is_over(site, verification, now) or verification.never_sent:
        raise CodeExpired
    try:
        async with in_transaction():
            if not await entries.enter(verification, hashed, now):
                return False
            match await checks.claim_check(verification, now):
                case CheckClaim.SPENT:
                    raise _checks_spent(site, verification)
                case CheckClaim.OVER:
                    raise CodeExpired
    except IntegrityError as error:  # the sign-up was purged
        raise CodeExpired from error
    return True


async def _answer_to_another(site: Site, verification: Verification, hashed: str) -> Answer | None:
    """The answer to the request that entered this code first.

    None where it got none and the code can be entered again: it failed, or its process ended, which
    is known when it took longer than a call to the vendor may take.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (site.vendor_timeout + MARGIN).total_seconds()
    while entry := await entries.find(verification, hashed):
        if entry.answer:
            return entry.answer
        if loop.time() >= deadline:
            await entries.withdraw(entry)
            break
        await asyncio.sleep(POLL)
    return None


async def _record_failure(
    site: Site, verification: Verification, hashed: str, error: ProviderError
) -> Exception:
    """Record why the vendor did not answer: the exception to raise for it."""
    kind = type(error).__name__
    log.warning("code_not_checked", verification=verification.id, kind=kind, error=error.code)
    result: Exception = error
    async with in_transaction():
        if isinstance(error, Gone):
            await verifications.expire(verification, site.clock())
            result = CodeExpired()
        elif isinstance(error, TooManyChecks):
            await checks.exhaust(verification)
            result = _checks_spent(site, verification)
        elif not error.maybe_sent:
            await checks.refund_check(verification, site.clock())
        if entry := await entries.find(verification, hashed):
            await entries.withdraw(entry)
    return result


def _wrong(site: Site, verification: Verification) -> WrongCode | ChecksSpent:
    left = verification.checks_left
    return WrongCode(left) if left else _checks_spent(site, verification)


def _checks_spent(site: Site, verification: Verification) -> ChecksSpent:
    return ChecksSpent(verification.expires_at - site.clock())
