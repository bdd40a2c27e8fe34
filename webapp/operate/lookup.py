"""Finds the account that an operator means, by email, phone number or `sub`."""

import re

from webapp.accounts.people import emails, users
from webapp.accounts.people.users import User
from webapp.operate import CommandError
from webapp.operate.story import read_number

SUBJECT = re.compile("[0-9a-f]{32}")


async def find(who: str) -> User:
    """The account. Raises ``CommandError`` where there is none, or more than one."""
    if SUBJECT.fullmatch(who):
        found = await User.filter(subject=who)
    elif "@" in who:
        found = await _by_email(emails.fold(who))
    else:
        found = await User.filter(phone=read_number(who)).order_by("id")
    if len(found) == 1:
        return found[0]
    raise CommandError("\n".join([f"{len(found) or 'no'} accounts: {who}", *map(described, found)]))


async def lock(user: User) -> User:
    """The account as it is now, locked until the transaction that is open here ends.

    Nobody signs in to it meanwhile. Raises ``CommandError`` where it is gone.
    """
    locked = await users.get_for_update(user.id)
    if locked is None:
        raise CommandError("the account is gone meanwhile")
    return locked


def described(user: User) -> str:
    """One of several accounts, for an operator to choose by its `sub`."""
    since = f"verified {user.verified_at:%Y-%m-%d}" if user.verified_at else "not verified"
    return f"  {user.subject}  {user.email}  {user.phone}  {since}"


async def _by_email(folded: str) -> list[User]:
    """The verified account that has claimed the email, else the sign-ups that entered it."""
    if claimed := await User.filter(claimed_email=folded):
        return claimed
    pending = await User.filter(verified_at__isnull=True).order_by("id")
    return [user for user in pending if emails.fold(user.email) == folded]
