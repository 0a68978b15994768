"""The two kinds of tokens, as JSON Web Tokens (RFC 7519) signed with HS256 under two secrets.

A refresh token holds nothing that its session does not: it is made anew from the session's row,
letter for letter, so that two tabs which refresh at once are handed the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
from bson import ObjectId

from chatme.clock import Clock, from_epoch, to_epoch
from chatme.errors import NotAuthenticated
from chatme.principal import Principal
from chatme.shapes import parse_id

ALGORITHM = "HS256"
REFRESH_LIFE = timedelta(days=7)
_REQUIRED = ("sub", "sid", "jti", "iat", "exp")
_MAX_TOKEN = 4096
_LAST_MOMENT = 253_402_300_799  # 9999-12-31T23:59:59Z: no calendar of ours goes further


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a genuine refresh token says."""

    user_id: ObjectId
    session_id: ObjectId
    token_id: str


class Tokens:
    """Makes and reads both kinds; the secrets live here alone."""

    def __init__(
        self, access_secret: str, refresh_secret: str, access_life: timedelta, clock: Clock
    ) -> None:
        self._access_secret = access_secret
        self._refresh_secret = refresh_secret
        self._access_life = access_life
        self._clock = clock

    def access(self, user_id: ObjectId, session_id: ObjectId) -> str:
        """A fresh access token."""
        now = to_epoch(self._clock.now())
        claims = {
            "sub": str(user_id),
            "sid": str(session_id),
            "jti": uuid4().hex,
            "iat": int(now),
            "exp": int(now + self._access_life.total_seconds()),
        }
        return jwt.encode(claims, self._access_secret, ALGORITHM)

    def refresh(
        self, user_id: ObjectId, session_id: ObjectId, token_id: str, made_at: datetime
    ) -> str:
        """The refresh token of that name: the same arguments give the same token."""
        claims = {
            "sub": str(user_id),
            "sid": str(session_id),
            "jti": token_id,
            "iat": int(to_epoch(made_at)),
            "exp": int(to_epoch(made_at + REFRESH_LIFE)),
        }
        return jwt.encode(claims, self._refresh_secret, ALGORITHM)

    def read_access(self, token: str) -> Principal:
        """Who an access token says calls; raises `NotAuthenticated` where it is not genuine."""
        claims = self._claims(token, self._access_secret)
        user_id, session_id = _subject(claims)
        return Principal(user_id, session_id, from_epoch(claims["exp"]))

    def read_refresh(self, token: str) -> RefreshClaims:
        """What a refresh token says; raises `NotAuthenticated` where it is not genuine."""
        claims = self._claims(token, self._refresh_secret)
        user_id, session_id = _subject(claims)
        return RefreshClaims(user_id, session_id, str(claims["jti"]))

    def _claims(self, token: str, secret: str) -> dict[str, Any]:
        if len(token) > _MAX_TOKEN:
            raise NotAuthenticated
        try:
            # The expiry is checked against our own clock, which tests can move.
            claims = jwt.decode(
                token,
                secret,
                algorithms=[ALGORITHM],
                options={"require": list(_REQUIRED), "verify_exp": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, ValueError):
            raise NotAuthenticated("The token is not valid.") from None
        end = claims["exp"]
        now = to_epoch(self._clock.now())
        if not isinstance(end, int) or not now < end <= _LAST_MOMENT:
            raise NotAuthenticated("The token has expired.")
        return claims


def _subject(claims: dict[str, Any]) -> tuple[ObjectId, ObjectId]:
    user_id, session_id = parse_id(claims["sub"]), parse_id(claims["sid"])
    if user_id is None or session_id is None:
        raise NotAuthenticated("The token is not valid.")
    return user_id, session_id
