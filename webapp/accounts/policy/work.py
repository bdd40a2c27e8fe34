"""Who has to prove work before a text is spent: what looks like an attack, or everybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from webapp.accounts.policy.rules import WORK_WAIT, WorkNeeded
from webapp.accounts.policy.shares import share_out
from webapp.accounts.policy.usage import Adapt, Limit, Scope, Used

HALF = 2


class ChallengeWhen(StrEnum):
    """The setting ``CHALLENGE``."""

    AUTO = "auto"
    OFF = "off"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class WorkPolicy:
    """Whom a sign-up asks for a proof of work."""

    when: ChallengeWhen
    signups_per_address: int | None  # an hour, as ``SIGNUPS_PER_IP`` allows them

    def demand(self, *, worked: bool) -> Adapt:
        """How the limits of a sign-up are shared out. Raises ``WorkNeeded`` if all have to work."""
        if worked or self.when is ChallengeWhen.OFF:
            return share_out
        if self.when is ChallengeWhen.ALWAYS:
            raise WorkNeeded(WORK_WAIT)
        return self.adapt

    def adapt(self, limits: Sequence[Limit], windows: Sequence[Used]) -> Sequence[Limit]:
        """As ``share_out``, for a sign-up without a proof. Raises ``WorkNeeded``.

        Called with what the limits' windows hold, so it costs no statement. A prefix that is
        braked is not worth any work: people are told that it is.
        """
        used = {limit.scope: window.total for limit, window in zip(limits, windows, strict=True)}
        most = {limit.scope: limit.most for limit in limits}
        brake = most.get(Scope.PREFIX)
        braked = brake is not None and used[Scope.PREFIX] >= brake
        near = brake is not None and used[Scope.PREFIX] * HALF >= brake
        if not braked and (near or self._is_busy(used.get(Scope.ADDRESS, 0))):
            raise WorkNeeded(WORK_WAIT)
        return share_out(limits, windows)

    def _is_busy(self, unentered: int) -> bool:
        """Whether an address has had codes sent, and not entered, for half of its sign-ups."""
        allowed = self.signups_per_address
        return allowed is not None and unentered * HALF >= allowed
