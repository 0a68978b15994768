"""The rules for accounts over the real database, a frozen clock and cheap hashes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from odmantic import AIOEngine

from chatme.auth.models import Session
from chatme.auth.passwords import Hasher
from chatme.auth.service import AuthService
from chatme.users.blocks import BlockService
from chatme.users.models import User
from chatme.users.service import UserService
from chatme_tests.auth.stage import service_over
from chatme_tests.fakes import FrozenClock, RecordingCloser, opened_engine


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still."""
    return FrozenClock()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AIOEngine]:
    """An empty database."""
    async with opened_engine(tmp_path / "data", [User, Session]) as opened:
        yield opened


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    """A hasher at the lowest cost that bcrypt takes."""
    made = Hasher(4)
    yield made
    made.close()


@pytest.fixture
def users(engine: AIOEngine, clock: FrozenClock) -> UserService:
    """The rules for users."""
    return UserService(engine, clock, BlockService(engine, clock))


@pytest.fixture
def sockets() -> RecordingCloser:
    """Whose sockets were to be closed."""
    return RecordingCloser()


@pytest.fixture
def auth(
    engine: AIOEngine, clock: FrozenClock, hasher: Hasher, sockets: RecordingCloser
) -> AuthService:
    """The rules for accounts."""
    return service_over(engine, clock, hasher, sockets)
