"""Records in the history what the pages refuse by themselves: forms, and too many requests."""

from collections.abc import Mapping

from starlette.requests import Request

from webapp.accounts.forms import Form
from webapp.accounts.forms.phone import PhoneForm
from webapp.accounts.history.reasons import Reason
from webapp.pages import state
from webapp.web.redaction import fingerprint

THROTTLES: Mapping[str, Reason] = {
    "forms": Reason.THROTTLE_FORMS,
    "signups": Reason.THROTTLE_SIGNUPS,
    "signins": Reason.THROTTLE_SIGNINS,
    "checks": Reason.THROTTLE_CHECKS,
    "resends": Reason.THROTTLE_RESENDS,
}
"""By the name of the rule. The other rules refuse nothing that people ask for."""


def record_throttled(request: Request, rule: str, form: Form | None) -> None:
    """Record that a request was one too many for its address."""
    if reason := THROTTLES.get(rule):
        record_refused(request, reason, form)


def record_invalid(request: Request, form: Form) -> None:
    """Record that ``form`` was not filled in well, by its first error."""
    record_refused(request, form.refusal, form)


def record_refused(request: Request, reason: Reason, form: Form | None) -> None:
    """Record that ``form`` was refused, with its number or that of the session."""
    history, typed = state.history(request), form if isinstance(form, PhoneForm) else None
    country = typed.known_country if typed else ""
    if history.counts_only(fingerprint(state.networks(request)[0])):
        history.record(reason, country=country, kept=False)
        return
    phone = (typed.readable_number if typed else "") or getattr(request.state, "phone", "")
    history.record(reason, phone, country=country)
