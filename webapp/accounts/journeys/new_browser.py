"""A browser signs in: the person is told if their account was not used with it before."""

from webapp.accounts.journeys.site import Site
from webapp.accounts.journeys.tell import tell
from webapp.accounts.people import remembered_browsers
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
