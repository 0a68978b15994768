"""Tokens of the links in letters, and between the two steps of a sign-in: signed, with an end.

Nothing is stored. A token carries a mark of what it changes, and what it changes is compared with
that mark as it is written; so the first use outdates it, as every other change does.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from bson import ObjectId
from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from chatme.clock import Clock, to_epoch
from chatme.errors import BadRequest, Code
from chatme.shapes import parse_id


class Purpose(StrEnum):
    """What a link is good for; a token of one is worth nothing to the other."""

    VERIFY = "verify"
    RESET = "reset"
    SECOND_STEP = "second-step"


LIVES: Mapping[Purpose, timedelta] = {
    Purpose.VERIFY: timedelta(hours=24),
    Purpose.RESET: timedelta(hours=1),
    Purpose.SECOND_STEP: timedelta(minutes=5),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a genuine token says: whose it is, and the mark of what it changes."""

    user_id: ObjectId
    mark: str


class Links:
    """Makes and reads the tokens; the secret lives here alone."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def make(self, purpose: Purpose, claim: Claim) -> str:
        """A fresh token."""
        return str(self._serializer(purpose).dumps([str(claim.user_id), claim.mark]))

    def read(self, purpose: Purpose, token: str) -> Claim:
        """What a token says; raises `BadRequest` (`invalid_link`)."""
        life = int(LIVES[purpose].total_seconds())
        try:
            claims = self._serializer(purpose).loads(token, max_age=life)
        except (BadData, ValueError):
            raise invalid_link() from None
        match claims:
            case [user_id, str(mark)] if (found := parse_id(user_id)) is not None:
                return Claim(found, mark)
        raise invalid_link()

    def password_mark(self, email: str, password_hash: str | None) -> str:
        """The mark of a present password, or of none, at an address."""
        key = f"chatme.links.mark.{self._secret}".encode()
        text = f"{email}\n{password_hash or ''}".encode()
        return hmac.digest(key, text, "sha256").hex()[:32]

    def _serializer(self, purpose: Purpose) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._secret,
            salt=f"chatme.links.{purpose.value}",
            signer=_ClockedSigner,
            signer_kwargs={
                "clock": self._clock,
                "key_derivation": "hmac",
                "digest_method": hashlib.sha256,
            },
        )


class _ClockedSigner(TimestampSigner):
    """Tells the time by our clock."""

    def __init__(self, *arguments: Any, clock: Clock, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._clock = clock

    def get_timestamp(self) -> int:
        """Seconds since 1970."""
        return int(to_epoch(self._clock.now()))


def invalid_link() -> BadRequest:
    """The error for a link that is forged, expired, used or outdated: all look alike."""
    return BadRequest("This link is not valid any more. Ask for another.", code=Code.INVALID_LINK)
