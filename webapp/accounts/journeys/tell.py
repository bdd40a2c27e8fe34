"""The person is told of a change of their account, whoever made it (ASVS 6.3.7)."""

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

    ``user`` is as they were before the change: a new email address or phone is not told that it is
    new. By email where the address is confirmed, since another may be a stranger's, else by text;
    ``both_ways`` for what must not be missed. Texts count in the site's budget, as confirmations
    do, and wait where it is spent; more than ten a day to one phone are left out. The log has the
    change under the notice's own name. ``browser`` is the browser that it was made with, in words.
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
