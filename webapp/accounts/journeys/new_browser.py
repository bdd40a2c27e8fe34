"""Notifies people of a sign-in from a browser that was not used with their account before.

A browser is known once it has signed in; the one that signed up, once it has signed out.
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
    """Record a browser that signs in, in the caller's transaction; ``wake`` the outbox after it.

    ``known`` is the browser's token, or empty. With ``remember`` it needs no code next time.
    Returns its new token, or nothing if it keeps the one it has.
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
