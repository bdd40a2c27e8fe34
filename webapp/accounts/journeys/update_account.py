"""A change of what applications know of a person."""

from typing import Any

from webapp.accounts.events import AccountEvent
from webapp.accounts.journeys.site import Site
from webapp.accounts.people import users
from webapp.accounts.people.users import User


async def update_account(site: Site, user: User, columns: dict[str, Any]) -> None:
    """Write ``columns`` into the row of ``user``, which is locked here, and tell applications.

    ``user`` stays as it was. Raises ``IntegrityError`` where another account has claimed the email.
    """
    updated = await users.change(user, columns)
    await site.events.write(AccountEvent.UPDATED, updated, site.clock())
