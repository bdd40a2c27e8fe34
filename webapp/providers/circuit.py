"""Stops one kind of call to a vendor that does not answer, until one such call is answered again.

Our own, because the kept libraries do not fit: purgatory lets every caller through while it is
half open and fails where calls overlap, pybreaker has no asyncio, aiobreaker is not maintained.

The state is the process's own. Each process learns of an outage from its own first failures and of
its end from its own probe; sharing that would cost a round trip for each call to a vendor.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

from webapp.providers import CircuitOpen, ProviderError, Unreachable

FAILURES = 5  # calls in a row without a usable answer that open a circuit
PAUSE = timedelta(seconds=30)  # from one probe to the next

log = structlog.get_logger("providers")


class Circuit:
    """Closed while calls are answered; open after ``FAILURES`` calls in a row that were not.

    An open circuit refuses every call, except that after each ``PAUSE`` one call is let through as
    a probe. An answer closes the circuit, also one that tells an error: then the vendor works.
    """

    def __init__(self, vendor: str, call: str, clock: Callable[[], datetime]) -> None:
        self._names = {"vendor": vendor, "call": call}
        self._clock = clock
        self._failures = 0
        self._probe_at: datetime | None = None  # None: closed
        self._probing = False

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around one call, retries included. Raises ``CircuitOpen`` instead of letting it begin."""
        probing = self._admit()
        try:
            yield
        except Unreachable:
            self._count_failure(probing=probing)
            raise
        except ProviderError:
            self._close()
            raise
        else:
            self._close()
        finally:  # also of a call that was cancelled: the next one is a probe
            self._probing = self._probing and not probing

    def _admit(self) -> bool:
        """Whether the call is a probe."""
        if self._probe_at is None:
            return False
        wait = self._probe_at - self._clock()
        due = not timedelta() < wait <= PAUSE  # more than that: the clock was set back
        if self._probing or not due:
            seconds = max(1.0, wait.total_seconds())
            raise CircuitOpen("{vendor}: no answer to {call}".format(**self._names), seconds)
        self._probing = True
        return True

    def _count_failure(self, *, probing: bool) -> None:
        self._failures += 1
        if probing:
            self._probe_at = self._clock() + PAUSE
        elif self._probe_at is None and self._failures >= FAILURES:
            self._probe_at = self._clock() + PAUSE
            log.error("circuit_opened", **self._names, failures=self._failures)

    def _close(self) -> None:
        if self._probe_at is not None:
            log.warning("circuit_closed", **self._names, failures=self._failures)
        self._failures, self._probe_at = 0, None
