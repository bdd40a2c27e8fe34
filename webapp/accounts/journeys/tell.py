"""Notifies people of changes of their account, whoever made them (ASVS 6.3.7)."""

import structlog

from webapp.accounts.journeys.site import Site
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import DAY, NOTICE_TEXTS_PER_PHONE
from webapp.accounts.sending import outbox, texts
from webapp.accounts.sending.notices import ALWAYS_EMAILED, NEVER_TEXTED, Notice
from webapp.database import serialise

log = structlog.get_logger(__name__)


async def tell(
    site: Site, user: User, notice: Notice, *, both_ways: bool = False, browser: str = ""
) -> None:
    """Write ``notice`` to the outbox in the transaction of the change; ``wake`` the outbox then.

    ``user`` is as they were before the change, so it goes to the former address or number. It goes
    by email if the address is confirmed (another may be a stranger's), else by text, and by both
    with ``both_ways``. Texts count in the site's budget as confirmations do, and wait while it is
    spent; a phone gets at most ten a day. The change is logged under the notice's value.
    ``browser`` describes the browser that made it.
    """
    ways, reaches = [], user.email_confirmed_at is not None
    if site.emails and (reaches or notice in ALWAYS_EMAILED):
        await site.outbox.write_email(user.email, site.emails.notice(notice, site.clock(), browser))
        ways.append("email")
    is_enough = bool(ways) and reaches and not both_ways
    if not is_enough and notice not in NEVER_TEXTED and await _text(site, user, notice):
        ways.append("text")
    log.info(notice.value, user=user.id, told_by=ways)


async def _text(site: Site, user: User, notice: Notice) -> bool:
    """Whether a text was written: False where the phone had too many today."""
    await serialise(f"texts {user.phone}")
    if await outbox.texts_since(user.phone, site.clock() - DAY) >= NOTICE_TEXTS_PER_PHONE:
        return False
    await site.outbox.write_text(user.phone, texts.notice(site.code_name, notice))
    return True
