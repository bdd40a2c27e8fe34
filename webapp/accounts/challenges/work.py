"""Proofs of work: a sum that a browser does before a text is spent, and the table of those used.

It is ALTCHA's: find the counter whose PBKDF2 key begins as the challenge says. The challenge is
signed, belongs to one phone, and counts once. Where a browser runs no scripts the same challenge
counts when it is ``WORK_WAIT`` old.
"""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import datetime
from typing import Any

import altcha
from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.policy.rules import WORK_LIFETIME, WORK_WAIT
from webapp.accounts.statements import add_unless_there

ALGORITHM = "PBKDF2/SHA-256"
ROUNDS = 2000  # of PBKDF2 for one counter: a millisecond of ours, to make a challenge
LEAST_COUNTERS, MOST_COUNTERS = 40, 80  # `python -m bench.work` tells what they take
LONGEST_ANSWER = 2000  # characters
UNSOLVED = {"counter": 0, "derivedKey": "00", "time": 0}


class UsedWork(Model):
    """A challenge that was used. It counts once, in whichever process."""

    nonce = fields.CharField(max_length=32, primary_key=True)
    expires_at = fields.DatetimeField()

    class Meta:
        table = "used_work"
        indexes = (Index(fields=("expires_at",)),)


def issue(phone: str, secret_key: str, now: datetime) -> str:
    """A challenge for a text to ``phone`` (E.164), in base64."""
    challenge = altcha.create_challenge(
        ALGORITHM,
        ROUNDS,
        counter=LEAST_COUNTERS + secrets.randbelow(MOST_COUNTERS - LEAST_COUNTERS + 1),
        expires_at=now + WORK_LIFETIME,
        data={"phone": _phone_key(phone, secret_key), "issued": int(now.timestamp())},
        hmac_secret=_key(secret_key, "challenge"),
        hmac_key_secret=_key(secret_key, "solution"),
    )
    return base64.b64encode(json.dumps({"challenge": challenge.to_dict()}).encode()).decode()


async def use(answer: str, phone: str, secret_key: str, now: datetime) -> bool:
    """Whether ``answer`` is a challenge for ``phone``, solved or waited for, and not used before.

    It is used from here on.
    """
    parameters = _proven(answer, secret_key, now)
    if parameters is None or now.timestamp() >= parameters["expiresAt"]:
        return False
    if parameters["data"]["phone"] != _phone_key(phone, secret_key):
        return False
    used = UsedWork(nonce=parameters["nonce"], expires_at=now + WORK_LIFETIME)
    return await add_unless_there(used)


def _proven(answer: str, secret_key: str, now: datetime) -> dict[str, Any] | None:
    """The parameters of a challenge of ours that is solved, or old enough."""
    try:
        payload = json.loads(base64.b64decode(answer[: LONGEST_ANSWER + 1], validate=True))
        solved = {"solution": UNSOLVED, **payload}
        text = base64.b64encode(json.dumps(solved).encode()).decode()
    except (ValueError, TypeError, RecursionError):
        return None
    result = altcha.verify_solution(
        text,
        _key(secret_key, "challenge"),
        hmac_key_secret=_key(secret_key, "solution"),
    )
    if result.expired or result.invalid_signature is not False:
        return None
    parameters: dict[str, Any] = payload["challenge"]["parameters"]
    waited = parameters["data"]["issued"] + WORK_WAIT.total_seconds() <= now.timestamp()
    return parameters if result.verified or waited else None


def _phone_key(phone: str, secret_key: str) -> str:
    message = f"work for\0{phone}".encode()
    return hmac.digest(secret_key.encode(), message, hashlib.sha256).hex()[:32]


def _key(secret_key: str, purpose: str) -> bytes:
    return hmac.digest(secret_key.encode(), f"work {purpose}".encode(), hashlib.sha256)
