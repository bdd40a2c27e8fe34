"""Forms that ask for a proof of work before a text is spent: sign-up, resend, another number."""

import asyncio
from datetime import timedelta
from typing import NamedTuple

from starlette.requests import Request

from webapp.accounts.challenges import work
from webapp.accounts.forms import typed
from webapp.accounts.policy.rules import WORK_WAIT, WorkNeeded, whole_seconds
from webapp.pages import state
from webapp.pages.words import Problem, problem
from webapp.web.form import posted

STEP = 10  # seconds: static/css/work.css counts down from a multiple of it


class Asked(NamedTuple):
    """What a form carries that has to prove work."""

    challenge: str
    seconds: int  # until it counts where the browser runs no scripts
    pressed: str = ""  # the value of the button that sent the form, where it has several

    @property
    def problem(self) -> Problem:
        return problem(WorkNeeded(timedelta(seconds=self.seconds)))

    @property
    def countdown(self) -> int:
        return -(-self.seconds // STEP) * STEP


async def was_proven(request: Request, phone: str) -> bool:
    """Whether the form came with a proof of work for ``phone``, which is used by that."""
    answer, site = await _answer(request), state.site(request)
    return bool(answer) and await work.use(answer, phone, site.secret_key, site.clock())


async def ask(request: Request, phone: str, pressed: str = "") -> Asked:
    """What the form carries when it is shown again.

    Who sent it before the wait was over keeps the challenge, and waits for the rest.
    """
    answer, site = await _answer(request), state.site(request)
    now = site.clock()
    if wait := work.wait_of(answer, phone, site.secret_key, now):
        return Asked(answer, whole_seconds(wait), pressed)
    challenge = await asyncio.to_thread(work.issue, phone, site.secret_key, now)
    return Asked(challenge, whole_seconds(WORK_WAIT), pressed)


async def _answer(request: Request) -> str:
    return typed(await posted(request), "work", work.LONGEST_ANSWER)
