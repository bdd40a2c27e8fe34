"""Proofs of work: a sum that a browser does before a text is spent, and the table of those used.

A challenge is ``TASKS`` small ones of ALTCHA's: find the counter whose PBKDF2 key begins as the
task says. One large task would take anything from no time to twice the mean; a sum of eight stays
near its mean, so the slowest visitor waits little longer than the others. The tasks are signed,
belong together and to one phone, and count once. Where a browser runs no scripts the same challenge
counts when it is ``WORK_WAIT`` old.
"""

import base64
import json
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import altcha
from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.keyed_hash import keyed_hash
from webapp.accounts.policy.rules import WORK_LIFETIME, WORK_WAIT
from webapp.accounts.statements import add_unless_there

ALGORITHM = "PBKDF2/SHA-256"
ROUNDS = 2000  # of PBKDF2 for one counter: to make a task takes us as many, once
TASKS = 8
COUNTERS = 32  # of a task: any may be the answer, or attackers would begin where answers do
KEY_BYTES = 16
LONGEST_ANSWER = 10_000  # characters
UNSOLVED = {"counter": 0, "derivedKey": "00", "time": 0}


class UsedWork(Model):
    """A challenge that was used. It counts once, in whichever process."""

    nonce = fields.CharField(max_length=32, primary_key=True)
    expires_at = fields.DatetimeField()

    class Meta:
        table = "used_work"
        indexes = (Index(fields=("expires_at",)),)


class Challenge(NamedTuple):
    """A challenge of ours that came back."""

    nonce: str
    issued: int  # Unix time
    solved: bool

    def wait(self, now: datetime) -> timedelta:
        """How long until it counts without being solved."""
        return timedelta(seconds=self.issued - now.timestamp()) + WORK_WAIT


def issue(phone: str, secret_key: str, now: datetime) -> str:
    """A challenge for a text to ``phone`` (E.164), in base64. It takes some milliseconds."""
    about = {
        "challenge": secrets.token_hex(16),
        "issued": int(now.timestamp()),
        "phone": keyed_hash(secret_key, "work phone", phone)[:32],
    }
    tasks = [_task({**about, "task": place}, secret_key, now) for place in range(TASKS)]
    return _encoded({"challenges": tasks})


def _task(about: dict[str, Any], secret_key: str, now: datetime) -> dict[str, Any]:
    task: dict[str, Any] = altcha.create_challenge(
        ALGORITHM,
        ROUNDS,
        counter=secrets.randbelow(COUNTERS),
        key_length=KEY_BYTES,
        expires_at=now + WORK_LIFETIME,
        data=about,
        hmac_secret=keyed_hash(secret_key, "work challenge"),
        hmac_key_secret=keyed_hash(secret_key, "work solution"),
    ).to_dict()
    return task


async def use(answer: str, phone: str, secret_key: str, now: datetime) -> bool:
    """Whether ``answer`` is a challenge for ``phone``, solved or waited for, and not used before.

    It is used from here on.
    """
    challenge = _read(answer, phone, secret_key, now)
    if challenge is None or not (challenge.solved or challenge.wait(now) <= timedelta()):
        return False
    used = UsedWork(nonce=challenge.nonce, expires_at=now + WORK_LIFETIME)
    return await add_unless_there(used)


def wait_of(answer: str, phone: str, secret_key: str, now: datetime) -> timedelta | None:
    """How long until ``answer``, which was sent too early, counts for ``phone``; None if never."""
    challenge = _read(answer, phone, secret_key, now)
    if challenge is None or challenge.solved or challenge.wait(now) <= timedelta():
        return None
    return challenge.wait(now)


def _read(answer: str, phone: str, secret_key: str, now: datetime) -> Challenge | None:
    """The challenge in ``answer``, if it is one of ours for ``phone`` and not too old."""
    try:
        tasks = _tasks(answer)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    checks = [_check(task, secret_key) for task in tasks]
    if len(tasks) != TASKS or any(check.invalid_signature is not False for check in checks):
        return None
    parameters = [task["challenge"]["parameters"] for task in tasks]
    first, expires = parameters[0]["data"], parameters[0]["expiresAt"]
    together = all(each["data"] == first | {"task": n} for n, each in enumerate(parameters))
    if not together or first["phone"] != keyed_hash(secret_key, "work phone", phone)[:32]:
        return None
    if now.timestamp() >= expires:
        return None
    return Challenge(first["challenge"], first["issued"], all(check.verified for check in checks))


def _tasks(answer: str) -> list[dict[str, Any]]:
    """The tasks of an answer, each as ALTCHA's payload of challenge and solution."""
    payload = json.loads(base64.b64decode(answer[: LONGEST_ANSWER + 1], validate=True))
    challenges = payload["challenges"]
    solutions = payload.get("solutions") or [UNSOLVED] * TASKS
    return [
        {"challenge": challenge, "solution": solution}
        for challenge, solution in zip(challenges, solutions, strict=True)
    ]


def _check(task: dict[str, Any], secret_key: str) -> altcha.VerifySolutionResult:
    return altcha.verify_solution(
        _encoded(task),
        keyed_hash(secret_key, "work challenge"),
        hmac_key_secret=keyed_hash(secret_key, "work solution"),
    )


def _encoded(payload: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(payload).encode()).decode()
