"""Hashing: every character counts, the loop goes on, and the queue has an end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from bson import ObjectId

from chatme.auth.passwords import MAX_WAITING, Hasher
from chatme.auth.tokens import Tokens
from chatme.errors import Unavailable
from chatme_tests.fakes import FrozenClock

CHEAP = 4
THREADS = "bcrypt"


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    """A hasher at the lowest cost that bcrypt takes."""
    made = Hasher(CHEAP)
    yield made
    made.close()


def _threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith(THREADS)]


async def test_a_password_matches_its_own_hash(hasher: Hasher) -> None:
    """A password fits its hash, no other does, and no hash shows the password or repeats."""
    one, two = await hasher.hash_password("Secret-1"), await hasher.hash_password("Secret-1")

    assert one != two
    assert one.startswith("$2b$04$")
    assert "Secret" not in one
    assert await hasher.check_password("Secret-1", one)
    assert not await hasher.check_password("secret-1", one)


@pytest.mark.parametrize(
    ("password", "other"),
    [
        ("A" * 72 + "x", "A" * 72 + "y"),
        ("A" * 127 + "x", "A" * 127 + "y"),
        ("A" * 72, "A" * 73),
        ("é" * 36 + "x", "é" * 36 + "y"),
        ("\x00", "\x00\x00"),
        ("A\x00b", "A\x00c"),
        ("A\x00", "A"),
        ("x" * 1024, "x" * 1023),
        ("", " "),
    ],
)
async def test_every_character_counts(hasher: Hasher, password: str, other: str) -> None:
    """Neither bcrypt's 72 bytes nor a NUL byte hides what comes behind."""
    hashed = await hasher.hash_password(password)

    assert await hasher.check_password(password, hashed)
    assert not await hasher.check_password(other, hashed)


async def test_tokens_alike_in_72_bytes_differ(hasher: Hasher) -> None:
    """Two refresh tokens of one session, which begin alike, do not pass for each other."""
    clock = FrozenClock()
    tokens = Tokens("a" * 32, "b" * 32, timedelta(minutes=15), clock)
    user, session = ObjectId(), ObjectId()
    one = tokens.refresh(user, session, "one", clock.now())
    other = tokens.refresh(user, session, "two", clock.now())
    hashed = await hasher.hash_token(one)

    assert one[:72] == other[:72]
    assert await hasher.check_token(one, hashed)
    assert not await hasher.check_token(other, hashed)


async def test_nobody_has_a_password(hasher: Hasher) -> None:
    """Without a hash no password fits, not even the one that is checked in its place."""
    assert not await hasher.check_password("Secret-1", None)
    assert not await hasher.check_password("nobody", None)


async def test_nobody_takes_as_long_as_somebody() -> None:
    """A check against no hash costs what a real one costs."""
    hasher = Hasher(10)
    hashed = await hasher.hash_password("Secret-1")

    async def quickest(known: str | None) -> float:
        took = []
        for _ in range(3):
            started = time.perf_counter()
            await hasher.check_password("Wrong-1", known)
            took.append(time.perf_counter() - started)
        return min(took)

    somebody, nobody = await quickest(hashed), await quickest(None)
    hasher.close()

    assert somebody / 3 < nobody < somebody * 3


async def test_the_loop_goes_on_meanwhile() -> None:
    """Hashing happens in threads of its own, and the event loop turns all the while."""
    hasher = Hasher(12)
    turns = 0
    hashing = asyncio.create_task(hasher.hash_password("Secret-1"))
    while not hashing.done():
        await asyncio.sleep(0.002)
        turns += 1
    worked = _threads()
    hasher.close()

    assert turns > 10
    assert worked
    assert _threads() == []


async def test_waiting_is_bounded(hasher: Hasher) -> None:
    """Who comes when too many wait is told to come back, at once, and others are served."""
    crowd = [hasher.hash_password("Secret-1") for _ in range(MAX_WAITING + 5)]
    answers = await asyncio.gather(*crowd, return_exceptions=True)
    refused = [each for each in answers if isinstance(each, Unavailable)]

    assert [each.retry_after for each in refused] == [5] * 5
    assert len([each for each in answers if isinstance(each, str)]) == MAX_WAITING
    assert await hasher.hash_password("Secret-1")


async def test_who_gives_up_leaves_the_queue(hasher: Hasher) -> None:
    """A caller who goes away makes room for the next one."""
    crowd = [asyncio.create_task(hasher.hash_password("Secret-1")) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    for each in crowd:
        each.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)

    assert await hasher.hash_password("Secret-1")


async def test_what_waits_is_known(hasher: Hasher) -> None:
    """The hasher says how many secrets are on their way."""
    hashing = [asyncio.create_task(hasher.hash_token(str(at))) for at in range(5)]
    await asyncio.sleep(0)
    waiting = hasher.waiting
    await asyncio.gather(*hashing)

    assert (waiting, hasher.waiting) == (5, 0)
