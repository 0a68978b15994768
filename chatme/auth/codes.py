"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and codes for a lost phone.

A code passes once: the write that accepts one asks for what makes it fresh, so that of two uses at
once one is refused. Recovery codes have 80 bits and are kept as bcrypt hashes (ASVS 5, 6.5.2).
"""

from __future__ import annotations

import asyncio
from hmac import compare_digest
from secrets import choice

import pyotp
from odmantic import AIOEngine

from chatme.auth.passwords import Hasher
from chatme.clock import Clock, to_epoch
from chatme.storage import atomic
from chatme.users.models import SecondFactor, User

ISSUER = "ChatMe"
STEP_SECONDS = 30
DRIFT_STEPS = 1
"""A phone's clock may be a step off: RFC 6238, 5.2."""
RECOVERY_CODES = 10
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 signs that nobody takes for another
_GROUPS, _GROUP = 4, 4


class Codes:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, clock: Clock, hasher: Hasher) -> None:
        self._engine = engine
        self._clock = clock
        self._hasher = hasher

    async def spend(self, user: User, code: str) -> bool:
        """Whether the code is one of the user's confirmed second factor that was not used before;
        from now on it is."""
        factor = user.confirmed_factor
        if factor is None:
            return False
        plain = normal_code(code)
        if len(plain) == _GROUPS * _GROUP:
            return await self._spend_recovery(user, factor, plain)
        step = self.step_of(factor.secret, plain)
        if step is None:
            return False
        fresh = {
            "_id": user.id,
            "second_factor.secret": factor.secret,
            "second_factor.is_confirmed": True,
            "second_factor.last_step": {"$lt": step},
        }
        change = {"$set": {"second_factor.last_step": step}}
        return await atomic.update(self._engine, User, fresh, change)

    def step_of(self, secret: str, code: str) -> int | None:
        """The time step, now or next to now, whose code this is; every one is looked at."""
        totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
        now = int(to_epoch(self._clock.now())) // STEP_SECONDS
        found = None
        for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
            if compare_digest(totp.at(step * STEP_SECONDS).encode(), code.encode()):
                found = step
        return found

    async def fresh_recovery(self) -> tuple[list[str], list[str]]:
        """Ten codes for a lost phone, to be shown once, and their hashes."""
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        hashes = await asyncio.gather(
            *(self._hasher.hash_token(normal_code(code)) for code in codes)
        )
        return codes, list(hashes)

    async def _spend_recovery(self, user: User, factor: SecondFactor, code: str) -> bool:
        for hashed in factor.recovery:
            if await self._hasher.check_token(code, hashed):
                unused = {"_id": user.id, "second_factor.recovery": hashed}
                change = {"$pull": {"second_factor.recovery": hashed}}
                return await atomic.update(self._engine, User, unused, change)
        return False


def fresh_secret() -> str:
    """A secret for an authenticator app: 160 bits in base32 (RFC 4226, 4, R6)."""
    return pyotp.random_base32()


def app_address(secret: str, email: str) -> str:
    """The ``otpauth://`` address that an authenticator app reads, as text or as a QR code."""
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    return totp.provisioning_uri(name=email, issuer_name=ISSUER)


def normal_code(code: str) -> str:
    """A code without the spaces and dashes that people read it with."""
    return "".join(code.replace("-", " ").split()).lower()


def _recovery_code() -> str:
    groups = ("".join(choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)
