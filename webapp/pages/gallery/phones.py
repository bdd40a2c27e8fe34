"""The gallery's states of the pages for another number, and of the recovery code."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.datastructures import FormData

from webapp.accounts.forms.code import CodeForm
from webapp.accounts.forms.phone import PhoneForm
from webapp.accounts.forms.recovery import LostPhoneForm, NewPhoneForm, PhoneCodesForm
from webapp.accounts.journeys.change_phone import Pair
from webapp.accounts.journeys.check_code import WrongCode
from webapp.accounts.journeys.lost_phone import Opened
from webapp.accounts.journeys.prove_again import WrongCurrentPassword
from webapp.accounts.journeys.recovery_code import WrongRecoveryCode
from webapp.accounts.people.phone_changes import PhoneChange
from webapp.accounts.policy import rules
from webapp.pages import (
    account_phone,
    account_phone_code,
    account_recovery,
    lost_phone,
    lost_phone_code,
    lost_phone_link,
    phone,
    phone_stop,
)
from webapp.pages.gallery.state import (
    COUNTRY,
    EVERY_COUNTRY,
    EXPIRED,
    MINUTES,
    NOW,
    TYPED,
    UNSENT,
    State,
    person,
    sent_code,
    with_error,
)
from webapp.pages.words import TOLD, Told, UserError
from webapp.providers import Busy

OLD, NEW = "+447400123456", "+447400123457"
SAVED, SAVED_HASH = "7K3M-QX0R-2VNA-9TCE-41HW-PZ8D", "0" * 64
LINK = "/phone/new/token"
NUMBER = {"country": COUNTRY, "phone": "07400 123457", "current": TYPED["password"]}
CODES = {"old_code": "123456", "code": "654321", "recovery": SAVED}


def _change(
    words: str, typed: Mapping[str, str] | None = None, error: UserError | None = None
) -> State:
    def context() -> dict[str, Any]:
        form = NewPhoneForm(country=COUNTRY)
        if typed is not None:
            form = NewPhoneForm.parse(FormData(typed))
        return with_error(form, error) | phone.context(person(), form, EVERY_COUNTRY)

    return State(words, account_phone.TEMPLATE, context)


def _codes(
    words: str,
    error: UserError | None = None,
    typed: Mapping[str, str] | None = None,
    *,
    notice: str | None = None,
    old: Mapping[str, Any] | None = None,
    **unusual: Any,
) -> State:
    """The codes of both numbers; ``old`` is how the old one's verification is."""

    def context() -> dict[str, Any]:
        form = PhoneCodesForm() if typed is None else PhoneCodesForm.parse(FormData(typed))
        pair = Pair(sent_code(phone=OLD, **(old or {})), sent_code(phone=NEW, **unusual))
        shown = account_phone_code.context(pair, NOW, notice)
        return with_error(form, error, checking=typed is not None) | shown

    return State(words, account_phone_code.TEMPLATE, context)


def _lost(
    words: str,
    error: UserError | None = None,
    *,
    waits: bool = False,
    offers_email: bool = True,
    **unusual: Any,
) -> State:
    def context() -> dict[str, Any]:
        form, change = PhoneForm(country=COUNTRY), PhoneChange(phone=NEW) if waits else None
        wait = timedelta(hours=22) if waits else None
        user = person(verified_at=NOW, **unusual)
        shown = lost_phone.context(
            user, form, EVERY_COUNTRY, change, wait, offers_email=offers_email
        )
        return with_error(form, error) | shown

    return State(words, lost_phone.TEMPLATE, context)


def _lost_code(
    words: str,
    error: UserError | None = None,
    typed: Mapping[str, str] | None = None,
    **unusual: Any,
) -> State:
    def context() -> dict[str, Any]:
        form = LostPhoneForm() if typed is None else LostPhoneForm.parse(FormData(typed))
        shown = lost_phone_code.context(sent_code(phone=NEW, **unusual), NOW)
        return with_error(form, error, checking=typed is not None) | shown

    return State(words, lost_phone_code.TEMPLATE, context)


def _link(
    words: str,
    form: PhoneForm | CodeForm,
    error: UserError | None = None,
    *,
    sent: bool = True,
    **unusual: Any,
) -> State:
    """The page behind the link; ``sent`` says whether the new number was sent a code."""

    def context() -> dict[str, Any]:
        opened = Opened(person(country=COUNTRY), sent_code(phone=NEW, **unusual) if sent else None)
        shown = lost_phone_link.context(opened, LINK, NOW, EVERY_COUNTRY)
        fresh = replace(form, errors=dict(form.errors))  # the state is shown more than once
        return with_error(fresh, error, checking=sent) | shown

    return State(words, lost_phone_link.TEMPLATE, context)


def _end(words: str, stage: str) -> State:
    return State(words, lost_phone_link.TEMPLATE, lambda: lost_phone_link.end_context(stage))


def _stop(words: str, stage: str) -> State:
    context = {"state": stage, "action": "/phone/stop/token"}
    return State(words, phone_stop.TEMPLATE, lambda: context)


def _recovery(words: str, code: str = "", *, replaced: bool = False, **unusual: Any) -> State:
    def context() -> dict[str, Any]:
        shown = account_recovery.context(person(**unusual), code, replaced=replaced)
        return {"problem": None} | shown

    return State(words, account_recovery.TEMPLATE, context)


PHONES = {
    "account-phone": _change("Another number"),
    "account-phone-errors": _change("Sent with nothing in it", {"country": COUNTRY}),
    "account-phone-password": _change("Wrong password", NUMBER, WrongCurrentPassword()),
    "account-phone-down": _change("Text service down", NUMBER, Busy()),
    "account-phone-spent": _change("Too many numbers", NUMBER, rules.NumbersSpent(60 * MINUTES)),
    "account-phone-codes": _codes("The codes of both numbers"),
    "account-phone-codes-wrong": _codes("Wrong code", WrongCode(3), CODES),
    "account-phone-codes-missing": _codes("Sent with nothing in it", typed={}),
    "account-phone-codes-resent": _codes("Sent again", notice=TOLD[Told.CODES_TEXTED]),
    "account-phone-codes-unsent": _codes("None to the old number", old=UNSENT),
    "account-phone-codes-expired": _codes("Expired", old=EXPIRED, **EXPIRED),
    "recovery-none": _recovery("No recovery code yet"),
    "recovery-set": _recovery("One was saved", recovery_code_hash=SAVED_HASH),
    "recovery-shown": _recovery("It is shown once", SAVED),
    "recovery-replaced": _recovery("One was used", SAVED, replaced=True),
    "lost-phone": _lost("With a recovery code", recovery_code_hash=SAVED_HASH),
    "lost-phone-email": _lost("Without one"),
    "lost-phone-waits": _lost("A number waits", waits=True),
    "lost-phone-too-soon": _lost("Link asked for too soon", rules.EmailCoolingDown(MINUTES)),
    "lost-phone-unoffered": _lost("Without one, and no email", offers_email=False),
    "lost-phone-sent": State(
        "The link is on its way",
        lost_phone.SENT_TEMPLATE,
        lambda: {"link_minutes": lost_phone.LINK_MINUTES},
    ),
    "lost-phone-code": _lost_code("The code of the new number"),
    "lost-phone-code-wrong": _lost_code("Wrong recovery code", WrongRecoveryCode(), CODES),
    "lost-phone-code-expired": _lost_code("Expired", **EXPIRED),
    "lost-phone-link": _link("The link is opened", PhoneForm(country=COUNTRY), sent=False),
    "lost-phone-link-code": _link("The code of the new number", CodeForm()),
    "lost-phone-link-wrong": _link("Wrong code", CodeForm(code="123456"), WrongCode(3)),
    "lost-phone-link-begun": _end("The wait begins", "begun"),
    "lost-phone-link-over": _end("A link used or too old", "over"),
    "phone-stop": _stop("The link to stop it", "open"),
    "phone-stopped": _stop("Stopped", "stopped"),
    "phone-stop-over": _stop("Nothing to stop", "over"),
}
