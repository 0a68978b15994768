"""Hashing with bcrypt, off the event loop.

bcrypt reads 72 bytes only and its library refuses more; what is hashed is the base64 of the
SHA-256 of the whole secret, so every character counts (the construction that OWASP's Password
Storage Cheat Sheet names pre-hashing; base64 keeps NUL bytes out).
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TypeVar

import bcrypt

from chatme.errors import Unavailable

MAX_WAITING = 200
TOKEN_COST = 6

ArgumentT = TypeVar("ArgumentT")
R = TypeVar("R")


class Hasher:
    """Hashes and checks secrets in a few threads; lives as long as the app; close it."""

    def __init__(self, password_cost: int) -> None:
        self._password_cost = password_cost
        # One core stays free for the event loop; bcrypt lets go of the interpreter's lock.
        threads = max(1, (os.cpu_count() or 2) - 1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="bcrypt")
        self._waiting = 0
        # Checked when there is no user, so that a stranger cannot tell by the time it takes.
        self._nobody = bcrypt.hashpw(_digest("nobody"), bcrypt.gensalt(password_cost))

    @property
    def waiting(self) -> int:
        """How many secrets are being hashed, or wait for it."""
        return self._waiting

    def close(self) -> None:
        """Ends the threads, after what they are at."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def hash_password(self, password: str) -> str:
        """A password's hash; raises `Unavailable` where too many wait already."""
        return await self._run(_hash, password, self._password_cost)

    async def check_password(self, password: str, hashed: str | None) -> bool:
        """Whether the password is the hashed one; takes the same time where there is no hash."""
        known = hashed.encode() if hashed is not None else self._nobody
        matches = await self._run(_check, password, known)
        return matches and hashed is not None

    async def hash_token(self, token: str) -> str:
        """A random token's hash: it needs no stretching, so the cost is low."""
        return await self._run(_hash, token, TOKEN_COST)

    async def check_token(self, token: str, hashed: str) -> bool:
        """Whether the token is the hashed one."""
        return await self._run(_check, token, hashed.encode())

    async def _run(self, function: Callable[[str, ArgumentT], R], secret: str, by: ArgumentT) -> R:
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many sign-ins at once.", retry_after=5)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, function, secret, by)
        finally:
            self._waiting -= 1


def _digest(secret: str) -> bytes:
    return b64encode(sha256(secret.encode()).digest())


def _hash(secret: str, cost: int) -> str:
    return bcrypt.hashpw(_digest(secret), bcrypt.gensalt(cost)).decode()


def _check(secret: str, hashed: bytes) -> bool:
    return bcrypt.checkpw(_digest(secret), hashed)
