"""The account's recovery code: whether one is saved, and making one, which is shown once."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.journeys.recovery_code import make_recovery_code
from webapp.accounts.people.users import User
from webapp.pages import state
from webapp.pages.account_proof import require_recent_proof
from webapp.pages.step import RECOVERY, require_owner
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.templates import page

TEMPLATE = "account/recovery_code.html"


async def show(request: Request) -> Response:
    return render(request, (await require_owner(request)).user)


async def submit(request: Request) -> Response:
    """Answer with the code itself, not by a redirect: it is kept nowhere to be shown later."""
    owner = await require_owner(request, RECOVERY)
    require_recent_proof(request, owner, RECOVERY)
    try:
        code = await make_recovery_code(state.site(request), owner)
    except USER_ERRORS as error:
        return render(request, owner.user, problem=problem(error))
    return render(request, owner.user, code)


def render(
    request: Request, user: User, code: str = "", problem: Problem | None = None
) -> Response:
    return page(
        request,
        TEMPLATE,
        url=RECOVERY,
        status=problem.status if problem else 200,
        problem=problem and problem.words,
        **context(user, code),
    )


def context(user: User, code: str = "", *, replaced: bool = False) -> dict[str, Any]:
    """What the template needs; ``code`` is shown now, and ``replaced`` one that was used."""
    stage = "shown" if code else "set" if user.recovery_code_hash else "none"
    return {"state": stage, "recovery_code": code, "replaced": replaced}
