"""What stands in for the outside world: a clock moved by hand, and ears that keep what they hear.

The database is no fake: `opened_engine` is the real one, over a folder of the test's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from bson import ObjectId
from odmantic import AIOEngine, Model

from chatme.errors import Unavailable
from chatme.ports import Event
from chatme.settings import Settings, load_settings
from chatme.storage.engine import open_engine, prepare
from chatme.storage.lifeline import AWAY
from chatme_tests.databases import uri_of

SOMETIME = datetime(2040, 1, 31, 12, 0, 0)
"""Where frozen clocks begin: ahead of the machine's, so that no TTL index finds anything old."""


class FrozenClock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = SOMETIME) -> None:
        self._now = at

    def now(self) -> datetime:
        """The moment at which it stands."""
        return self._now

    def move(self, **by: float) -> None:
        """Moves it, by `timedelta`'s arguments: ``clock.move(minutes=5)``."""
        self._now += timedelta(**by)


class Heard(NamedTuple):
    """One thing that was announced."""

    event: Event
    users: frozenset[ObjectId]
    options: Mapping[str, Any]


class RecordingAnnouncer:
    """An `Announcer` that keeps what it was told, in order."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    @property
    def names(self) -> list[str]:
        """The events' names, in order."""
        return [each.event.name for each in self.heard]

    def publish(self, event: Event, users: Collection[ObjectId], **options: Any) -> None:
        """Keeps the event, to whom it goes and what narrows that."""
        self.heard.append(Heard(event, frozenset(users), options))


class RecordingCloser:
    """A `SocketCloser` that keeps whose sockets it was to close, in order."""

    def __init__(self) -> None:
        self.ended: list[tuple[ObjectId, frozenset[ObjectId] | None]] = []

    def end_sessions(
        self, user_id: ObjectId, session_ids: Collection[ObjectId] | None = None
    ) -> None:
        """Keeps the user and the sessions, or None for all of them."""
        self.ended.append((user_id, None if session_ids is None else frozenset(session_ids)))


def settings_of(folder: Path, **more: Any) -> Settings:
    """Settings over a folder and its database, untouched by this machine's ``.env``.

    With ``mongodb_uri=None`` it is the embedded database, wherever those of other tests are.
    """
    if "mongodb_uri" not in more:
        more["mongodb_uri"] = uri_of(folder)
    given = {"app_env": "test", "password_cost": 4, "port": 0}
    given |= {"redis_url": None, "rate_limit_short": None, "rate_limit_long": None}
    return load_settings(_env_file=None, data_dir=folder, **{**given, **more})


@asynccontextmanager
async def opened_engine(
    folder: Path, models: Sequence[type[Model]], **more: Any
) -> AsyncIterator[AIOEngine]:
    """The database of a folder, with the models' indexes, until the block ends."""
    async with open_engine(settings_of(folder, **more)) as engine:
        await prepare(engine, models)
        yield engine


class RecordingMeter:
    """A `Meter` that keeps what it was told, in order; but not how long anything took."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Keeps a request."""
        assert seconds >= 0
        self.told.append(("answered", method, route, status))

    def refused(self, door: str, code: str) -> None:
        """Keeps an error."""
        self.told.append(("refused", door, code))

    def worked(self, event: str, seconds: float, code: str | None) -> None:
        """Keeps a frame."""
        assert seconds >= 0
        self.told.append(("worked", event, code))

    def sent(self, event: str, frames: int = 1) -> None:
        """Keeps frames."""
        self.told.append(("sent", event, frames))

    def closed(self, reason: str) -> None:
        """Keeps an end."""
        self.told.append(("closed", reason))

    def stored(self, kind: str) -> None:
        """Keeps a message."""
        self.told.append(("stored", kind))

    def asked(self, operation: str, collection: str, seconds: float) -> None:
        """Keeps an operation of the database."""
        assert seconds >= 0
        self.told.append(("asked", operation, collection))


class AlwaysThere:
    """A `Lifeline` to a database that is never away for longer than one operation."""

    def is_ready(self) -> bool:
        """It is."""
        return True

    async def wait(self) -> None:
        """There is nothing to wait for."""

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Raises `Unavailable` in place of what the driver raises."""
        try:
            yield
        except AWAY as error:
            raise Unavailable.briefly() from error


class Shaky(AlwaysThere):
    """A `Lifeline` that refuses so many works more."""

    def __init__(self) -> None:
        self.refusals = 0

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Refuses, or lets in."""
        if self.refusals:
            self.refusals -= 1
            raise Unavailable.briefly()
        async with super().guard():
            yield
