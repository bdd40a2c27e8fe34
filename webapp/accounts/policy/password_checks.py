"""The table of password checks: how often in a row a wrong password was entered for one account.

A check is claimed before the password is compared, by one statement, so that requests at once each
count. A right password clears the count. Pauses grow instead of a lock-out, which a stranger could
use against the owner; after 100 in a row only a new password helps (NIST SP 800-63B-4, 3.2.2).
"""

from datetime import datetime, timedelta
from typing import NoReturn

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.keyed_hash import keyed_hash
from webapp.accounts.policy.rules import (
    FREE_PASSWORD_CHECKS,
    PASSWORD_CHECKS_IN_A_ROW,
    PASSWORD_PAUSES,
    PasswordChecksPaused,
    PasswordChecksSpent,
)
from webapp.accounts.statements import run


class PasswordCheck(Model):
    """The checks of one account, or of one remembered browser, since the last right password.

    ``key`` is a keyed hash of the email as it is compared, or of the browser's token. Emails that
    nobody has are counted too, so that the count tells nobody which exist.
    """

    key = fields.CharField(max_length=64, primary_key=True)
    in_a_row = fields.IntField()
    next_at = fields.DatetimeField()

    class Meta:
        table = "password_checks"
        indexes = (Index(fields=("next_at",)),)  # the purge


def key_of(subject: str, secret_key: str) -> str:
    """The key under which checks for ``subject`` are counted."""
    return keyed_hash(secret_key, "password check", subject)


async def claim(key: str, now: datetime) -> None:
    """Count one check before its answer is known.

    Raises ``PasswordChecksPaused`` while a pause lasts, and ``PasswordChecksSpent`` after 100.
    """
    pauses = [now + pause for pause in PASSWORD_PAUSES]
    claimed = await run(CLAIM, key, now, PASSWORD_CHECKS_IN_A_ROW, *pauses)
    if not claimed:
        await _explain(key, now)


async def _explain(key: str, now: datetime) -> NoReturn:
    check = await PasswordCheck.get_or_none(key=key)
    if check and check.in_a_row >= PASSWORD_CHECKS_IN_A_ROW:
        raise PasswordChecksSpent
    # Forgotten meanwhile: a right password beside this request. Asked again it goes through.
    raise PasswordChecksPaused(check.next_at - now if check else timedelta(seconds=1))


async def refund(key: str) -> None:
    """A claimed check was not made. A pause that it began goes on."""
    await run("UPDATE password_checks SET in_a_row = in_a_row - 1 WHERE key = $1", key)


async def forget(key: str) -> None:
    """A right password ends the row of wrong ones."""
    await run("DELETE FROM password_checks WHERE key = $1", key)


def _claim_statement() -> str:
    """One upsert; the pause after the n-th check in a row is the n-th of the times it is given."""
    turns = range(1, len(PASSWORD_PAUSES))
    times = " ".join(f"WHEN {turn} THEN ${turn + 3}" for turn in turns)
    last = f"${len(PASSWORD_PAUSES) + 3}"
    return (
        "INSERT INTO password_checks (key, in_a_row, next_at) VALUES ($1, 1, $4)"  # noqa: S608
        " ON CONFLICT (key) DO UPDATE SET in_a_row = password_checks.in_a_row + 1,"
        f" next_at = CASE password_checks.in_a_row + 1 {times} ELSE {last} END"
        # The free ones do not wait: another process's clock may be a little ahead of this one's.
        f" WHERE (password_checks.in_a_row < {FREE_PASSWORD_CHECKS}"
        " OR password_checks.next_at <= $2)"
        " AND password_checks.in_a_row < $3 RETURNING in_a_row"
    )


CLAIM = _claim_statement()
