"""Sessions and remembered browsers: the list of them, ending one, ending all but this browser's."""

from datetime import datetime
from typing import NamedTuple

import structlog

from webapp.accounts.challenges import links
from webapp.accounts.journeys.prove_again import changing
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.people import phone_changes, remembered_browsers, sessions
from webapp.accounts.people.remembered_browsers import RememberedBrowser
from webapp.accounts.people.sessions import Owner, Session, handle_of, token_hash
from webapp.accounts.people.users import User

log = structlog.get_logger(__name__)


class WayIn(NamedTuple):
    """A browser that is signed in, or one that needs no code to sign in."""

    handle: str
    user_agent: str
    since: datetime  # signed in, or remembered
    seen: datetime | None  # None of one that is remembered
    is_here: bool


async def ways_in(site: Site, owner: Owner, browser: str) -> tuple[list[WayIn], list[WayIn]]:
    """The browsers signed in, and the browsers remembered; this one comes first.

    ``browser`` is the token by which this one is remembered, or empty.
    """
    now, user_id = site.clock(), owner.user.id
    here = {owner.session.token_hash, token_hash(browser)}
    signed_in = [
        _way_in(row, here) for row in await sessions.of_user(user_id, now, site.session_life)
    ]
    remembered = [_way_in(row, here) for row in await remembered_browsers.of_user(user_id, now)]
    return _sorted(signed_in), _sorted(remembered)


def _way_in(row: Session | RememberedBrowser, here: set[str]) -> WayIn:
    seen = row.last_seen_at if isinstance(row, Session) else None
    hashed = row.token_hash
    return WayIn(handle_of(hashed), row.user_agent, row.created_at, seen, hashed in here)


def _sorted(ways: list[WayIn]) -> list[WayIn]:
    return sorted(ways, key=lambda way: not way.is_here)


@tells_database_errors
async def end_way_in(site: Site, owner: Owner, current: str, handle: str) -> str:
    """End the session or remembered browser with ``handle``, if it is this person's.

    The session of ``owner`` itself is ended by signing out. Returns the token of the session from
    now on. Raises what ``changing`` does.
    """
    async with changing(site, owner, current, always=False) as change:
        for table in (Session, RememberedBrowser):
            for row in await table.filter(user_id=change.user.id):
                if handle_of(row.token_hash) == handle and row.token_hash != token_hash(
                    change.token
                ):
                    await row.delete()
                    log.info("session_ended", user=change.user.id)
    return change.token


@tells_database_errors
async def end_all_others(site: Site, owner: Owner, current: str, browser: str) -> str:
    """End every way in but this browser's: the token of its session from now on (ASVS 7.5.2).

    ``browser`` is its token, if it is remembered.
    """
    async with changing(site, owner, current, always=False) as change:
        await end_access(site, change.user, session=change.token, browser=browser)
        log.info("sessions_ended", user=change.user.id)
    return change.token


async def end_access(site: Site, user: User, *, session: str = "", browser: str = "") -> None:
    """End what is open of ``user``: sessions, half signed in or wholly, remembered browsers, links,
    and a change of number that waits.

    The session with the token ``session`` and the browser with the token ``browser`` stay. Runs in
    the transaction that is open here (ASVS 7.4.3). The access tokens of applications end with the
    session by which they were given.
    """
    await sessions.end_all(user.id, but=session)
    await remembered_browsers.forget_all(user.id, but=browser)
    await links.end_all(user.id, site.clock())
    await phone_changes.stop(user.id)
