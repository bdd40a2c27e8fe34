"""The verbs of signing up. Start here: this is the order in which things happen to a person."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import verifications
from webapp.accounts.challenges.verifications import CheckClaim, Verification
from webapp.accounts.forms import SignupForm
from webapp.accounts.people import emails, users
from webapp.accounts.people.passwords import Hasher
from webapp.accounts.people.phones import Phone
from webapp.accounts.people.sessions import (
    derive_next_token,
    open_session,
    opened_since,
    replace_sessions,
)
from webapp.accounts.people.users import PhoneChange, User
from webapp.accounts.policy import usage
from webapp.accounts.policy.rules import (
    CODE_LIFETIME,
    SIGNUP_LIFETIME,
    ChangesSpent,
    ChecksSpent,
    CoolingDown,
    DatabaseAway,
    SpendingLimits,
)
from webapp.accounts.sending import texts
from webapp.accounts.sending.delivery import Outbox
from webapp.database import DATABASE_ERRORS
from webapp.providers import (
    Blocked,
    Channel,
    CountryNotServed,
    Gone,
    InvalidNumber,
    NotMobile,
    OptedOut,
    ProviderError,
    TooManyChecks,
    TooManySends,
    Verifier,
)

log = structlog.get_logger(__name__)
RETRY_AFTER = timedelta(seconds=5)
POLLS, POLL_PAUSE = 15, 0.1  # seconds

# The vendor's verdicts on a number. All other failures say nothing about it.
VERDICTS = (Blocked, CountryNotServed, InvalidNumber, NotMobile, OptedOut, TooManySends)


class WrongCode(Exception):
    """The code is not the one we sent; ``left`` guesses remain."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left


class CodeExpired(Exception):
    """The code no longer counts: too old, over at the vendor, or never sent."""


class EmailTaken(Exception):
    """The phone is proven, but somebody verified an account with this email first."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Signing up, with what it needs to do so."""

    verifier: Verifier
    outbox: Outbox
    hasher: Hasher
    spending: SpendingLimits
    secret_key: str
    site_name: str
    clock: Callable[[], datetime]

    # --- the form -----------------------------------------------------------------------------

    async def sign_up(self, form: SignupForm, key: str = "") -> str:
        """An unverified account and a code on its way to the phone: the new session's token.

        ``key`` is the form's idempotency key: the same answers sent again with it are the same
        sign-up. Raises ``LimitExceeded`` or ``ProviderError``; what was typed can be sent again.
        """
        password_hash = await self.hasher.hash(form.password)
        digest = self._digest(form, key)
        try:
            user, verification, token = await self._begin(form, password_hash, digest)
        except IntegrityError:
            user = await User.of_signup(digest or "")
            if not user.verified_at and await self.hasher.verify(form.password, user.password_hash):
                return await self._rejoin(user)
            user, verification, token = await self._begin(form, password_hash, None)
        except DATABASE_ERRORS as error:
            log.exception("database_error", error=type(error).__name__)
            raise DatabaseAway(RETRY_AFTER) from error
        await self._deliver(user, verification, Channel.SMS)
        return token

    async def _begin(
        self, form: SignupForm, password_hash: str, digest: str | None
    ) -> tuple[User, Verification, str]:
        now, number = self.clock(), form.number
        assert number  # noqa: S101 - a valid form has one
        user = User(
            name=form.name,
            email=form.clean_email,
            country=number.country,
            phone=number.e164,
            password_hash=password_hash,
            signup_digest=digest,
            created_at=now,
        )
        async with in_transaction():
            await users.insert(user)
            token = await open_session(user.id, now)
            verification = await verifications.begin(user, self.verifier.name, self.spending, now)
        log.info("signed_up", user=user.id, verification=verification.id)
        return user, verification, token

    def _digest(self, form: SignupForm, key: str) -> str | None:
        if not key:
            return None
        answers = [emails.fold(form.clean_email), form.phone, form.country, form.name]
        purpose = "\0".join(["sign-up", key, *answers])
        return hmac.new(self.secret_key.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    async def _rejoin(self, user: User) -> str:
        """The same form again: the same account, and no second text while one may be coming."""
        token = await open_session(user.id, self.clock())
        await self._catch_up(user)
        return token

    async def _catch_up(self, user: User) -> None:
        """Send the code that was asked for before, unless it is known to have been sent."""
        verification = await verifications.latest(user)
        if verification.sent_at is None:
            try:
                await self.resend_code(user, Channel.SMS)
            except CoolingDown:
                log.info("asked_twice", user=user.id)

    # --- the code, on its way -----------------------------------------------------------------

    async def resend_code(self, user: User, channel: Channel) -> None:
        """Send the code again, or a new one where the old one is over.

        Raises ``LimitExceeded`` while that may not be, and ``ProviderError``.
        """
        now, verification = self.clock(), await verifications.latest(user)
        # Read after it: with the vendor's account of an earlier number, that number's phone would
        # be sent the code which proves this one. A change from here on ends the verification.
        await user.refresh_from_db()
        async with in_transaction():
            if self._over(verification, now):
                verification = await verifications.begin_again(
                    user, verification, self.verifier.name, self.spending, now
                )
            else:
                await verifications.claim_send(verification, self.spending, now)
        await self._deliver(user, verification, channel)

    async def change_phone(self, user: User, phone: Phone) -> None:
        """Verify another number instead, the rest of the sign-up unchanged.

        Raises ``LimitExceeded`` or ``ProviderError``; the former number and its code then stay
        valid, unless a code may be on its way to the new one. Called again, it sends what was not
        sent.
        """
        if phone.e164 == user.phone:
            await self._catch_up(user)
            return
        now, former_number = self.clock(), user.number
        async with in_transaction():
            match await users.change_phone(user, phone):
                case PhoneChange.LIMITED:
                    raise ChangesSpent(user.created_at + SIGNUP_LIFETIME - now)
                case PhoneChange.UNCHANGED:
                    return  # the same change, sent twice
            former = await verifications.replace_pending(user)
            verification = await verifications.begin(user, self.verifier.name, self.spending, now)
        log.info("phone_changed", user=user.id, verification=verification.id)
        try:
            await self._deliver(user, verification, Channel.SMS)
        except ProviderError as error:
            if former and not error.maybe_sent:
                refund = not isinstance(error, VERDICTS)
                await self._change_back(verification, former, former_number, refund_change=refund)
            raise

    async def _change_back(
        self, failed: Verification, former: Verification, number: Phone, *, refund_change: bool
    ) -> None:
        """Nothing went to the new number: the former verification counts on, if no other began."""
        async with in_transaction():
            if await users.restore_phone(
                failed.user_id, failed.phone, number, refund_change=refund_change
            ):
                await verifications.reinstate(former, failed)

    async def _deliver(self, user: User, verification: Verification, channel: Channel) -> None:
        """Ask the vendor, with no transaction open, and write down what came of it."""
        try:
            sent = await self.verifier.send(
                verification.phone,
                email=user.email,
                channel=channel,
                reference=verification.reference or None,
                account=user.vendor_account or None,
            )
        except ProviderError as error:
            await self._not_delivered(verification, error)
            raise
        await verifications.record_sent(verification, sent.reference, self.clock())
        await users.keep_vendor_account(user, verification.phone, sent.account or "")
        log.info("code_sent", user=user.id, verification=verification.id, channel=channel.value)

    async def _not_delivered(self, verification: Verification, error: ProviderError) -> None:
        kind = type(error).__name__
        log.warning("code_not_sent", verification=verification.id, kind=kind, error=error.code)
        now = self.clock()
        if error.maybe_sent:
            await verifications.record_unknown_send(verification, error.reference or "", now)
            return
        rejected = isinstance(error, VERDICTS)
        await verifications.record_send_failure(verification, now, rejected=rejected)
        if isinstance(error, TooManySends) and not verification.never_sent:
            await verifications.stop_sends(verification)

    # --- the code, come back ------------------------------------------------------------------

    async def check_code(
        self, user: User, verification: Verification, code: str, session: str
    ) -> str | None:
        """The code proves the phone: the account is theirs, and a text says so.

        Returns the token of the session that follows ``session``, or None when the request of
        another browser got there first. Raises ``WrongCode``, ``CodeExpired``, ``EmailTaken``,
        ``LimitExceeded`` or ``ProviderError``.
        """
        await self._claim_check(verification)
        try:
            right = await self.verifier.check(
                verification.phone, reference=verification.reference, code=code
            )
        except ProviderError as error:
            await self._not_checked(user, verification, error)
            return await self.recover_session(session, code)
        if right:
            token = derive_next_token(session, code, self.secret_key)
            if await self._confirm(user, verification, token):
                return token
            return await self.recover_session(session, code)
        log.info("code_wrong", user=user.id, verification=verification.id)
        left = await verifications.record_wrong_check(verification)
        raise WrongCode(left) if left else self._checks_spent(verification)

    async def recover_session(self, session: str, code: str) -> str | None:
        """The token of the session that ``session`` opened by ``code`` within the code's life.

        For a browser that sends its right code again because the answer, with the new cookie, got
        lost: to a double click, a closed connection, the end of this process.
        """
        token = derive_next_token(session, code, self.secret_key)
        return token if await opened_since(token, self.clock() - CODE_LIFETIME) else None

    async def _claim_check(self, verification: Verification) -> None:
        """The guess is paid for, and committed, before the answer is known."""
        now = self.clock()
        if self._over(verification, now) or verification.never_sent:
            raise CodeExpired
        async with in_transaction():
            claim = await verifications.claim_check(verification, now)
        match claim:
            case CheckClaim.SPENT:
                raise self._checks_spent(verification)
            case CheckClaim.OVER:
                raise CodeExpired

    def _checks_spent(self, verification: Verification) -> ChecksSpent:
        return ChecksSpent(verification.expires_at - self.clock())

    async def _not_checked(
        self, user: User, verification: Verification, error: ProviderError
    ) -> None:
        kind, now = type(error).__name__, self.clock()
        log.warning("code_not_checked", verification=verification.id, kind=kind, error=error.code)
        if isinstance(error, Gone):
            if await self._verified_beside(user, verification):
                return
            await verifications.expire(verification, now)
            raise CodeExpired from error
        if isinstance(error, TooManyChecks):
            await verifications.exhaust(verification)
            raise self._checks_spent(verification) from error
        if not error.maybe_sent:
            await verifications.refund_check(verification)
        raise error

    async def _verified_beside(self, user: User, verification: Verification) -> bool:
        """Whether a request beside this one had the code approved.

        The vendor may have told it so, and us that the code is used, before it could save that.
        """
        await verification.refresh_from_db()
        looks = POLLS if verification.checks > 1 else 1
        for look in range(looks):
            await asyncio.sleep(POLL_PAUSE if look else 0)
            await user.refresh_from_db()
            if user.verified_at:
                return True
        return False

    async def _confirm(self, user: User, verification: Verification, token: str) -> bool:
        now = self.clock()
        try:
            async with in_transaction():
                claimed_email = emails.fold(user.email)
                if not await users.claim_account(user, verification.phone, claimed_email, now):
                    return False
                await verifications.approve(verification)
                await usage.mark_verified(verification.id)
                await self.outbox.write(verification.phone, texts.confirmation(self.site_name))
                await replace_sessions(user.id, now, token)
        except IntegrityError as error:
            await verifications.record_email_conflict(verification)
            await usage.mark_verified(verification.id)
            log.info("email_taken", user=user.id, verification=verification.id)
            raise EmailTaken from error
        self.outbox.wake()
        log.info("verified", user=user.id, verification=verification.id)
        return True

    def _over(self, verification: Verification, now: datetime) -> bool:
        """Too old, or begun with another provider than the one we have now."""
        return verification.expires_at <= now or verification.provider != self.verifier.name
