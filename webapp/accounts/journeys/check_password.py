"""A password is compared with an account's, and wrong ones in a row are counted."""

from webapp.accounts.journeys.site import Site
from webapp.accounts.policy import password_checks
from webapp.accounts.policy.rules import Overloaded


async def check_password(site: Site, key: str, password: str, password_hash: str) -> bool:
    """Whether ``password`` is the one hashed. Wrong ones in a row are counted under ``key``.

    One that was not compared, because too many others wait for their turn, does not count.
    Raises ``PasswordChecksPaused``, ``PasswordChecksSpent`` or ``Overloaded``.
    """
    await password_checks.claim(key, site.clock())
    try:
        right = await site.hasher.verify(password, password_hash)
    except Overloaded:
        await password_checks.refund(key)
        raise
    if right:
        await password_checks.forget(key)
    return right
