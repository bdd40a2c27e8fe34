"""A signed-in person changes the number: by a code to the old one and a code to the new one.

The functions stand in the order of the steps. Somebody who has lost the old phone takes those of
``lost_phone``, which end in ``give_number`` too.
"""

from typing import NamedTuple

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import verifications
from webapp.accounts.challenges.verifications import Purpose, Verification
from webapp.accounts.forms.recovery import NewPhoneForm, PhoneCodesForm
from webapp.accounts.journeys import prove_phone
from webapp.accounts.journeys.check_code import (
    Check,
    CodeExpired,
    WrongCode,
    check_code,
    clear_counts,
    record_right,
)
from webapp.accounts.journeys.prove_again import ChangedElsewhere, changing
from webapp.accounts.journeys.prove_phone import refuse_full
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.journeys.update_account import update_account
from webapp.accounts.people import phone_changes, phones, users
from webapp.accounts.people.phones import Phone
from webapp.accounts.people.sessions import Owner
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import CoolingDown, LimitExceeded
from webapp.accounts.sending.notices import Notice
from webapp.providers import Channel, ProviderError

log = structlog.get_logger(__name__)


class SameNumber(Exception):
    """The number to be is the one that the account has."""


class OldCodeRefused(Exception):
    """The code of the old number was not accepted: ``error`` says why."""

    def __init__(self, error: WrongCode | CodeExpired | LimitExceeded | ProviderError) -> None:
        super().__init__()
        self.error = error


class Begun(NamedTuple):
    """The result of ``begin``: the session's token, and the error if no code was sent."""

    token: str
    error: LimitExceeded | ProviderError | None = None  # why no code went to the new number


class Pair(NamedTuple):
    """The verifications of the two numbers of one change."""

    old: Verification
    new: Verification


@tells_database_errors
async def begin(site: Site, owner: Owner, form: NewPhoneForm) -> Begun:
    """Check the password, and send a code to each of the two numbers.

    A code that could not be sent to the old number can be asked for again with the other. Raises
    ``SameNumber`` and what ``changing`` does.
    """
    user = owner.user
    assert form.number  # noqa: S101 - a valid form has one
    if form.number.e164 == user.phone:
        raise SameNumber
    async with changing(site, owner, form.current) as proven:
        pass
    try:
        await send_to_new(site, user, form.number)
    except (LimitExceeded, ProviderError) as error:
        return Begun(proven.token, error)
    try:
        await _send(site, user, user.phone, Purpose.OLD_PHONE)
    except (LimitExceeded, ProviderError) as error:
        log.info("old_phone_not_texted", user=user.id, kind=type(error).__name__)
    return Begun(proven.token)


async def send_to_new(site: Site, user: User, phone: Phone) -> Verification:
    """Send a code to the new number. Raises ``LimitExceeded`` or ``ProviderError``."""
    return await _send(site, user, phone.e164, Purpose.NEW_PHONE)


async def _send(site: Site, user: User, phone: str, purpose: Purpose) -> Verification:
    verification = await prove_phone.verification_for(site, user, phone, purpose)
    return await prove_phone.catch_up(site, user, verification)


async def new_number(user: User) -> Verification | None:
    """The number that is to be the account's, and waits for its code."""
    return await verifications.latest_pending(user, Purpose.NEW_PHONE)


async def pending(user: User) -> Pair | None:
    """The change of this user that waits for its two codes; None where none was begun."""
    old = await verifications.latest_pending(user, Purpose.OLD_PHONE)
    new = await new_number(user)
    return Pair(old, new) if old and new and old.phone == user.phone else None


@tells_database_errors
async def resend(site: Site, user: User, pair: Pair) -> None:
    """Send the code of each number again whose cool-down is over.

    Raises ``LimitExceeded`` or ``ProviderError``.
    """
    now = site.clock()
    due = [each for each in pair if not each.wait_for_send(now)]
    if not due:
        raise CoolingDown(min(each.wait_for_send(now) for each in pair))
    for verification in due:
        await prove_phone.resend_code(site, user, verification, Channel.SMS)


@tells_database_errors
async def change_phone(site: Site, owner: Owner, pair: Pair, form: PhoneCodesForm) -> None:
    """Give the account the new number, if both codes are right. The old number is told.

    A right code of the old number stays right while the other is corrected. Raises
    ``OldCodeRefused``, ``WrongCode``, ``CodeExpired``, ``LimitExceeded``, ``ProviderError``,
    ``PhoneFull`` or ``ChangedElsewhere``.
    """
    await _check_old(site, pair.old, form.old_digits)
    await check_code(site, pair.new, form.digits)
    if await _complete(site, owner.user, pair, form.digits):
        for verification in pair:
            await clear_counts(site, verification)
        site.outbox.wake()
        return
    current = await users.get(owner.user.id)
    if current is None or current.phone != pair.new.phone:  # else the same form, sent twice
        raise ChangedElsewhere


async def _check_old(site: Site, old: Verification, code: str) -> None:
    try:
        checked = await check_code(site, old, code)
    except (WrongCode, CodeExpired, LimitExceeded, ProviderError) as error:
        raise OldCodeRefused(error) from error
    if checked is Check.ANSWERED:
        await record_right(site, old, code)


async def _complete(site: Site, user: User, pair: Pair, code: str) -> bool:
    """Use both codes up and change the number: False where either was used before."""
    async with in_transaction():
        current = await users.get_for_update(user.id)
        await record_right(site, pair.new, code)
        if current is None or current.phone != pair.old.phone:
            return False
        if current.password_hash != user.password_hash:
            return False
        if not (await verifications.approve(pair.new) and await verifications.approve(pair.old)):
            return False
        await give_number(site, current, phones.parse(pair.new.phone, ""))
    return True


async def give_number(site: Site, user: User, phone: Phone) -> None:
    """Replace the number of ``user``, who is as the transaction open here has locked them.

    Links that were emailed end with the number, and so does a change that waits. The old number
    and the email address are told; ``wake`` the outbox then. Raises ``PhoneFull``.
    """
    await refuse_full(site, user, phone.e164)
    number = {"phone": phone.e164, "country": phone.country, "vendor_account": ""}
    await update_account(site, user, number)
    await phone_changes.stop(user.id)
    await tell(site, user, Notice.PHONE_CHANGED, both_ways=True)
