"""A person changes their account. Each change is proven, told to them, and one transaction."""

from webapp.accounts.forms.change import NameForm, PasswordForm
from webapp.accounts.journeys.end_access import end_access
from webapp.accounts.journeys.new_password import refuse_breached
from webapp.accounts.journeys.prove_again import changing
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.journeys.update_account import update_account
from webapp.accounts.people import users
from webapp.accounts.people.sessions import Owner
from webapp.accounts.sending.notices import Notice


@tells_database_errors
async def change_password(site: Site, owner: Owner, form: PasswordForm) -> str:
    """Give the account another password, and end every other way into it (ASVS 6.2.2, 7.4.3).

    Returns the token of the session from now on. Raises what ``changing`` does, and
    ``BreachedPassword``.
    """
    await refuse_breached(site, form.password)
    password_hash = await site.hasher.hash(form.password)
    async with changing(site, owner, form.current) as change:
        await users.change(change.user, {"password_hash": password_hash})
        await end_access(site, change.user, session=change.token)
        await tell(site, change.user, Notice.PASSWORD_CHANGED)
    return change.token


@tells_database_errors
async def change_name(site: Site, owner: Owner, form: NameForm) -> str:
    """Give the person another name: the token of the session from now on."""
    async with changing(site, owner, form.current, always=False) as change:
        await update_account(site, change.user, {"name": form.name})
        await tell(site, change.user, Notice.NAME_CHANGED)
    return change.token
