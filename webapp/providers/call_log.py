"""How a call to a vendor is logged, over HTTP or SMTP."""

from typing import Any

import structlog

from webapp.providers import Blocked, Misconfigured, ProviderError

ALERTS_OPERATOR = (Blocked, Misconfigured)  # logged as errors; all other failures as warnings

log = structlog.get_logger("providers")


def log_call(error: ProviderError | None, **values: Any) -> None:
    """Log a call that ended, with ``error`` or well; ``values`` say which, and how long it took."""
    if error is None:
        log.info("provider call", **values)
        return
    level = log.error if isinstance(error, ALERTS_OPERATOR) else log.warning
    kind = type(error).__name__
    level("provider call failed", **values, error=error.code, kind=kind, detail=error.detail)
