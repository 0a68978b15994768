"""Codes of the second factor: the published vectors, drift, and once means once."""

from __future__ import annotations

import asyncio
from base64 import b32encode
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from bson import ObjectId
from odmantic import AIOEngine
from pyotp import TOTP

from chatme.auth.codes import STEP_SECONDS, Codes, app_address, fresh_secret, normal_code
from chatme.auth.passwords import Hasher
from chatme.storage import atomic
from chatme.users.models import SecondFactor, User
from chatme.users.service import UserService
from chatme_tests.fakes import FrozenClock

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.fixture
def codes(engine: AIOEngine, clock: FrozenClock, hasher: Hasher) -> Codes:
    """The rules for codes, ten seconds into a time step."""
    clock.move(seconds=10)
    return Codes(engine, clock, hasher)


def code_at(clock: FrozenClock, *, steps: int = 0, secret: str = SECRET) -> str:
    """What an app shows so many steps from now."""
    moment = clock.now().replace(tzinfo=UTC).timestamp() + steps * STEP_SECONDS
    return TOTP(secret).at(int(moment))


async def _user(users: UserService, engine: AIOEngine, factor: SecondFactor) -> User:
    made = await users.create("Ada", "ada@example.com", None)
    change = {"$set": {"second_factor": factor.model_dump()}}
    await atomic.update(engine, User, {"_id": made.id}, change)
    return await _again(users, made.id)


async def _again(users: UserService, user_id: ObjectId) -> User:
    found = await users.by_id(user_id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
    ],
)
def test_the_vectors_of_the_standard(
    seconds: int, code: str, codes: Codes, clock: FrozenClock
) -> None:
    """RFC 6238, appendix B: the SHA-1 vectors, their last six digits, at their moments."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    clock.move(seconds=(moment - clock.now()).total_seconds())

    assert b32encode(b"12345678901234567890").decode() == SECRET
    assert codes.step_of(SECRET, code) == seconds // STEP_SECONDS


def test_a_step_of_drift_is_forgiven(codes: Codes, clock: FrozenClock) -> None:
    """The codes before and after this one are taken, those further off are not."""
    now = codes.step_of(SECRET, code_at(clock))

    assert now is not None
    assert codes.step_of(SECRET, code_at(clock, steps=-1)) == now - 1
    assert codes.step_of(SECRET, code_at(clock, steps=1)) == now + 1
    for steps in (-2, 2):
        assert codes.step_of(SECRET, code_at(clock, steps=steps)) is None


@pytest.mark.parametrize("rubbish", ["", "0", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "😀" * 16])
async def test_rubbish_is_no_code(
    rubbish: str, codes: Codes, users: UserService, engine: AIOEngine
) -> None:
    """What has not the form of a code is refused like a wrong one."""
    _, hashes = await codes.fresh_recovery()
    user = await _user(
        users, engine, SecondFactor(secret=SECRET, is_confirmed=True, recovery=hashes)
    )

    assert not await codes.spend(user, rubbish)


async def test_a_code_works_once(
    codes: Codes, users: UserService, engine: AIOEngine, clock: FrozenClock
) -> None:
    """Of ten uses of a code at once one passes, none later, and none of an older code."""
    user = await _user(users, engine, SecondFactor(secret=SECRET, is_confirmed=True))
    code = code_at(clock)
    passed = await asyncio.gather(*(codes.spend(user, code) for _ in range(10)))
    user = await _again(users, user.id)

    assert sorted(passed) == [False] * 9 + [True]
    assert not await codes.spend(user, code)
    assert not await codes.spend(user, code_at(clock, steps=-1))
    assert await codes.spend(user, code_at(clock, steps=1))


async def test_a_recovery_code_works_once(
    codes: Codes, users: UserService, engine: AIOEngine
) -> None:
    """Each of the ten codes passes once, read with or without dashes, hashed."""
    shown, hashes = await codes.fresh_recovery()
    user = await _user(
        users, engine, SecondFactor(secret=SECRET, is_confirmed=True, recovery=hashes)
    )
    passed = await asyncio.gather(*(codes.spend(user, shown[3].upper()) for _ in range(5)))
    again = await codes.spend(await _again(users, user.id), normal_code(shown[3]))
    left = (await _again(users, user.id)).second_factor.recovery

    assert len(set(shown)) == 10
    assert sorted(passed) == [False] * 4 + [True]
    assert not again
    assert await codes.spend(user, f" {shown[9].replace('-', ' ')} ")
    assert len(left) == 9
    assert all(each.startswith("$2b$") for each in hashes)


async def test_an_unconfirmed_factor_passes_nothing(
    codes: Codes, users: UserService, engine: AIOEngine, clock: FrozenClock
) -> None:
    """Before it is confirmed, even a right code is worth nothing."""
    user = await _user(users, engine, SecondFactor(secret=SECRET))

    assert not await codes.spend(user, code_at(clock))


def test_an_app_reads_the_address() -> None:
    """The otpauth address names us, the user and the secret; secrets differ and have 160 bits."""
    secret = fresh_secret()
    parts = urlsplit(app_address(secret, "ada@example.com"))

    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/ChatMe:ada%40example.com"
    assert parse_qs(parts.query) == {"secret": [secret], "issuer": ["ChatMe"]}
    assert len(secret) == 32
    assert secret != fresh_secret()
