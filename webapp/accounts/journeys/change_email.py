"""A person changes their email address: it stays until the new one has been confirmed.

Only a person who opens the link in the new mailbox learns whether that address already has an
account (ASVS 6.3.8).
"""

from webapp.accounts.challenges import links
from webapp.accounts.challenges.links import Opened, Purpose
from webapp.accounts.forms.change import EmailForm
from webapp.accounts.journeys.email_link import NewLink, check_limits, write_link
from webapp.accounts.journeys.prove_again import changing
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.journeys.update_account import update_account
from webapp.accounts.people import emails
from webapp.accounts.people.sessions import Owner
from webapp.accounts.people.users import User
from webapp.accounts.sending.emails import EmailWriter
from webapp.accounts.sending.notices import Notice

CHANGE = Purpose.CHANGE_EMAIL


@tells_database_errors
async def ask_for_email(site: Site, writer: EmailWriter, owner: Owner, form: EmailForm) -> str:
    """Email a link to the new address, and tell the person by the old one.

    A former link to a new address stops working. Returns the token of the session from now on.
    Raises ``EmailCoolingDown``, ``EmailsSpent`` and what ``changing`` does.
    """
    token, address = links.new_token(), form.clean_email
    link = NewLink(token, CHANGE, address, writer.change_email(address, token))
    async with changing(site, owner, form.current) as change:
        now = site.clock()
        await check_limits(change.user, link, now)
        await links.end_all(change.user.id, now, CHANGE)
        await write_link(site, change.user, link)
        await tell(site, change.user, Notice.EMAIL_CHANGE_ASKED)
    return change.token


async def new_address(site: Site, user: User) -> str:
    """The address that was asked for and waits to be confirmed, if there is one."""
    latest = await links.latest(user, CHANGE)
    return latest.address if latest and Opened(latest, user).works(site.clock()) else ""


async def change_email(site: Site, used: Opened) -> None:
    """Give the account the address of the link, in the transaction that used the link up.

    Raises ``IntegrityError`` where another account has claimed the address.
    """
    address = used.link.address
    claimed = {"email": address, "claimed_email": emails.fold(address)}
    await update_account(site, used.user, {**claimed, "email_confirmed_at": site.clock()})
    await tell(site, used.user, Notice.EMAIL_CHANGED)
