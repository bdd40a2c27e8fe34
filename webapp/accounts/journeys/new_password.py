"""A new password is looked up among those known from breaches."""

import structlog

from webapp.accounts.history.reasons import Reason, Refusal
from webapp.accounts.journeys.site import Site

log = structlog.get_logger(__name__)


class BreachedPassword(Refusal):
    """The password is known from a breach, so guessers try it (ASVS 6.2.12)."""

    reason = Reason.FORM_BREACHED


async def refuse_breached(site: Site, password: str) -> None:
    """Raise ``BreachedPassword`` if the breach service knows ``password``.

    Call it with no transaction open, after the form's own rules, and before the password is hashed:
    it may take a second. A service that does not answer refuses nobody.
    """
    if await site.breaches.is_breached(password):
        log.info("password_breached")
        raise BreachedPassword
