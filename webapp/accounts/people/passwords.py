"""Passwords, hashed off the event loop by few threads."""

import asyncio
import os
import threading
import time
import unicodedata
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from secrets import token_hex
from typing import TypeVar

import argon2
from argon2.exceptions import VerifyMismatchError

from webapp.accounts.policy.rules import Overloaded

Answer = TypeVar("Answer", str, bool)

LONGEST_QUEUE = 16.0  # seconds of hashing; then comes the vendor, and a platform gives up at 30
SHARE = 2 / 3  # of their cores that the hashes get on a busy machine; the rest are pages'

OWASP_MINIMUM = argon2.Parameters(  # its Password Storage Cheat Sheet: 19 MiB, two passes, one lane
    type=argon2.Type.ID,
    version=argon2.low_level.ARGON2_VERSION,
    salt_len=16,
    hash_len=32,
    memory_cost=19_456,
    time_cost=2,
    parallelism=1,
)


class Hasher:
    """Argon2id on as many threads as there are cores to spend.

    The threads are nicer than the event loop, so that pages stay quick while hashes queue.
    """

    def __init__(self, threads: int, parameters: argon2.Parameters = OWASP_MINIMUM) -> None:
        self.argon2 = argon2.PasswordHasher.from_parameters(parameters)
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads, "argon2", initializer=_be_nice)
        self.waiting = 0
        # What the password of an account that does not exist is compared with.
        self.nobody = self.argon2.hash(token_hex(16))
        self.seconds = 0.03  # of CPU that one hash takes, as lately measured

    async def hash(self, password: str) -> str:
        """An argon2id hash of ``password``. Raises ``Overloaded`` rather than wait too long."""
        return await self._run(self._hash, normalised(password))

    async def verify(self, password: str, password_hash: str) -> bool:
        """Whether ``password`` is the one hashed. Raises ``Overloaded``."""
        return await self._run(self._verify, normalised(password), password_hash)

    async def hash_like(self, password: str, password_hash: str) -> str:
        """``password`` hashed with the salt of ``password_hash``: the same hash if it is the same.

        For a comparison whose other side is known only later. Raises ``Overloaded``.
        """
        return await self._run(self._hash, normalised(password), password_hash)

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than hashes are now."""
        return self.argon2.check_needs_rehash(password_hash)

    async def _run(self, work: Callable[..., Answer], *arguments: str) -> Answer:
        queue = self.waiting * self.seconds / self.threads / SHARE
        if queue > LONGEST_QUEUE:
            raise Overloaded(timedelta(seconds=queue))
        self.waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.pool, work, *arguments)
        finally:
            self.waiting -= 1

    def _hash(self, password: str, like: str = "") -> str:
        started = time.thread_time()
        password_hash = self.argon2.hash(password, salt=_salt(like))
        self.seconds += 0.1 * (time.thread_time() - started - self.seconds)
        return password_hash

    def _verify(self, password: str, password_hash: str) -> bool:
        with suppress(VerifyMismatchError):
            return self.argon2.verify(password_hash, password)
        return False

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)


def _salt(password_hash: str) -> bytes | None:
    """The salt in an encoded hash; None where there is none, for a random one."""
    if not password_hash:
        return None
    salt = password_hash.split("$")[-2]
    return b64decode(salt + "=" * (-len(salt) % 4))


def _be_nice() -> None:
    """Linux keeps niceness by thread; elsewhere the hashes compete as equals."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 4)


def normalised(password: str) -> str:
    """One spelling for what looks the same typed on two keyboards (NIST SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)
