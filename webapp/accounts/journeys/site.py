"""What the journeys need of the site they run on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog

from webapp.accounts.challenges.ceremonies import RelyingParty
from webapp.accounts.events import Events
from webapp.accounts.history.recorder import History
from webapp.accounts.people.passwords import Hasher
from webapp.accounts.policy.money import Money
from webapp.accounts.policy.rules import RETRY_AFTER, DatabaseAway, SessionLife, SpendingLimits
from webapp.accounts.policy.work import WorkPolicy
from webapp.accounts.sending.delivery import Outbox
from webapp.accounts.sending.emails import EmailWriter
from webapp.database import DATABASE_ERRORS
from webapp.providers import BreachedPasswords, Verifier

log = structlog.get_logger(__name__)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Site:
    """One site: its vendors, its limits, its name and its clock."""

    verifier: Verifier
    outbox: Outbox
    emails: EmailWriter | None  # None: no mail server, so nothing that needs an email is offered
    events: Events
    history: History
    hasher: Hasher
    breaches: BreachedPasswords
    spending: SpendingLimits
    money: Money
    accounts_per_phone: int | None  # verified ones; None: any number
    work: WorkPolicy
    session_life: SessionLife
    secret_key: str
    name: str
    code_name: str  # the name as texts have it
    relying_party: RelyingParty | None  # None: at this address no browser would make a passkey
    countries: frozenset[str]  # ISO 3166 codes of the countries served; empty: all
    vendor_timeout: timedelta  # how long one call to a vendor may take
    clock: Callable[[], datetime]


class SignupOver(Exception):
    """Another request verified the sign-up, or it was purged, while this request was running."""


def tells_database_errors(
    journey: Callable[Parameters, Awaitable[Result]],
) -> Callable[Parameters, Awaitable[Result]]:
    """Have ``journey`` raise ``DatabaseAway`` for a database error, so that its form is kept."""

    @wraps(journey)
    async def told(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return await journey(*args, **kwargs)
        except DATABASE_ERRORS as error:
            log.exception("database_error", error=type(error).__name__)
            raise DatabaseAway(RETRY_AFTER) from error

    return told
