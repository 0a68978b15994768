"""Notifications as they are stored: how long, and how many."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import new_id
from chatme.notifications.models import KEPT_AFTER_READING, Notification
from chatme.storage import atomic
from chatme.storage.embedded.client import EmbeddedClient
from chatme.storage.engine import prepare
from chatme_tests.fakes import SOMETIME, FrozenClock, opened_engine

LIFE = timedelta(seconds=KEPT_AFTER_READING)


def _made(message: ObjectId | None = None, read_at: datetime | None = None) -> Notification:
    return Notification(
        id=new_id(),
        user=ObjectId("0" * 24),
        type="group_added" if message is None else "new_message",
        payload={"preview": "Hi", "nothing": None, "list": [1, {"a": True}]},
        message=message,
        is_read=read_at is not None,
        created_at=SOMETIME,
        read_at=read_at,
    )


async def test_what_was_read_goes(tmp_path: Path) -> None:
    """A notification goes thirty days after it was read, an unread one never."""
    clock = FrozenClock()
    path = tmp_path / "chatme.db"
    async with await EmbeddedClient.open(path, clock=clock.now, sweep_seconds=None) as client:
        engine = AIOEngine(cast("Any", client), "test")
        await prepare(engine, [Notification])
        unread, read = _made(), _made(read_at=SOMETIME)
        await atomic.insert_missing(engine, [unread, read])

        clock.move(seconds=LIFE.total_seconds() - 1)
        assert await client.sweep() == 0
        clock.move(seconds=1)
        assert await client.sweep() == 1
        clock.move(days=10_000)
        assert await client.sweep() == 0
        assert await engine.find(Notification) == [unread]


async def test_a_message_is_told_of_once(tmp_path: Path) -> None:
    """A user has one notification of a message, and any number of those without a message."""
    message = ObjectId()
    made = [_made(message), _made(message), _made(), _made()]
    async with opened_engine(tmp_path, [Notification]) as engine:
        await atomic.insert_missing(engine, made)

        kept = await engine.find(Notification, sort=Notification.id)
        assert kept == [made[0], made[2], made[3]]
