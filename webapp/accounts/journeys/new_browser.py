"""A browser signs in: the person is told if their account was not used with it before.

A browser is known from signing in on, and one that signed up from signing out on.
"""

from tortoise.transactions import in_transaction

from webapp.accounts.journeys.site import Site
from webapp.accounts.journeys.tell import tell
from webapp.accounts.people import remembered_browsers, sessions, users
from webapp.accounts.people.user_agents import describe
from webapp.accounts.people.users import User
from webapp.accounts.sending.notices import Notice


async def note_browser(
    site: Site, user: User, user_agent: str, known: str, *, remember: bool = False
) -> str:
    """Note a browser that signs in, in the transaction that is open here.

    ``known`` is the token that the browser has, if it has one; ``remember`` has it need no code
    next time. Returns the token that it is to have instead, or nothing where it keeps its own.
    ``wake`` the outbox after the commit.
    """
    now = site.clock()
    is_known = await remembered_browsers.is_known(known, user.id, now)
    if not is_known:
        await tell(site, user, Notice.NEW_BROWSER, browser=describe(user_agent))
    elif not remember:
        return ""
    await remembered_browsers.forget(known)
    return await remembered_browsers.remember(user.id, user_agent, now, asks_code=not remember)


async def sign_out(site: Site, token: str, known: str) -> str:
    """End the session with ``token``.

    Returns the token by which the browser is known from now on, or nothing where it keeps
    ``known``, or where nobody was signed in.
    """
    now = site.clock()
    owner = await sessions.owner(token, now, site.session_life)
    if owner is None:
        await sessions.close_session(token)
        return ""
    async with in_transaction():
        account = await users.get_for_update(owner.user.id)
        await sessions.close_session(token)
        if account is None or await remembered_browsers.is_known(known, owner.user.id, now):
            return ""
        user_agent = owner.session.user_agent
        return await remembered_browsers.remember(owner.user.id, user_agent, now, asks_code=True)
