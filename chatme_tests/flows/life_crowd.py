"""Many users at once: put into the folder's database before its server starts, already signed in.

Signing up costs 30 ms of hashing each, which is right, and here beside the point.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from chatme.auth.models import Session
from chatme.auth.tokens import Tokens
from chatme.clock import SystemClock, new_id
from chatme.storage import atomic
from chatme.storage.engine import open_engine, prepare
from chatme.users.models import new_user
from chatme.wiring import MODELS
from chatme_tests.fakes import settings_of


@dataclass(frozen=True, slots=True)
class Face:
    """One of many: an id, and an access token that is good for an hour."""

    user_id: str
    token: str


async def crowd(folder: Path, count: int) -> list[Face]:
    """So many users in a data folder that no server has open."""
    settings, clock = settings_of(folder), SystemClock()
    tokens = Tokens(
        settings.jwt_secret.get_secret_value(),
        settings.jwt_refresh_secret.get_secret_value(),
        timedelta(hours=1),
        clock,
    )
    now = clock.now()
    users = [new_user(f"Face {at}", f"face{at}@example.net", None, now) for at in range(count)]
    sessions = [
        Session(
            id=new_id(),
            user=user.id,
            token_id="",
            token_hash="",
            rotated_at=now,
            user_agent="crowd",
            ip="127.0.0.1",
            created_at=now,
            last_used_at=now,
            ends_at=now + timedelta(days=1),
            final_at=now + timedelta(days=1),
        )
        for user in users
    ]
    async with open_engine(settings) as engine:
        await prepare(engine, MODELS)
        await atomic.insert_missing(engine, users)
        await atomic.insert_missing(engine, sessions)
    return [
        Face(str(user.id), tokens.access(user.id, session.id))
        for user, session in zip(users, sessions, strict=True)
    ]
