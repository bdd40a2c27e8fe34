"""Every way into an account that is open now ends, but for the browser that asks for it."""

from webapp.accounts.challenges import links
from webapp.accounts.journeys.site import Site
from webapp.accounts.people import remembered_browsers, sessions
from webapp.accounts.people.users import User


async def end_access(site: Site, user: User, *, session: str = "", browser: str = "") -> None:
    """End the sessions of ``user``, half signed in or wholly, the remembered browsers and links.

    The session with the token ``session`` and the browser with the token ``browser`` stay. Runs in
    the transaction that is open here (ASVS 7.4.3). The access tokens of applications end with the
    session by which they were given.
    """
    await sessions.end_all(user.id, but=session)
    await remembered_browsers.forget_all(user.id, but=browser)
    await links.end_all(user.id, site.clock())
