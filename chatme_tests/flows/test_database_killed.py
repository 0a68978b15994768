"""MongoDB itself is killed under load and started again on the data that it kept."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from chatme_tests.client import signed_up
from chatme_tests.flows.away import (
    NEEDS_MONGODB,
    expect_whole,
    history,
    room_of,
    send_all,
    server_on,
    start,
    until_back,
    until_refused,
)
from chatme_tests.flows.load import chatme
from chatme_tests.mongodb.stand_in import CACHE, StandIn

WRITERS, MESSAGES, TIMES = 4, 25, 2

pytestmark = [
    NEEDS_MONGODB,
    pytest.mark.skipif(
        shutil.which("java") is None or not CACHE.exists(),
        reason="only a server that we start ourselves can be killed: scripts/test-mongodb has one",
    ),
]


async def test_a_killed_database_comes_back(data: Path, tmp_path: Path) -> None:
    """Killed twice in the middle of writes, the database is used again as soon as it is there:
    sockets have stayed open, what was acked is there once, in a row, and a check finds no fault."""
    database = StandIn(CACHE / "lib", keep=tmp_path / "mongodb")
    with database, server_on(database.uri, data) as server:
        await start(server)
        async with signed_up(server.url, *(f"Killed {at}" for at in range(WRITERS))) as users:
            room = await room_of(users)
            sockets = [await user.connect() for user in users]
            asking = await users[0].connect()
            senders = [
                asyncio.create_task(send_all(socket, room, at, MESSAGES))
                for at, socket in enumerate(sockets)
            ]
            for _ in range(TIMES):
                await asyncio.sleep(0.3)
                database.kill()
                await until_refused(users[0], room)
                await asyncio.to_thread(database.start)
                await until_back(server, users[0], asking, room)
            acked = [message for sent in await asyncio.gather(*senders) for message in sent]
            assert [socket.close_code for socket in (asking, *sockets)] == [None] * (WRITERS + 1)
            stored = await history(users[0], room)
        status, said = await chatme(data, "check", MONGODB_URI=server.settings["MONGODB_URI"])

    expect_whole(acked, stored, WRITERS * MESSAGES)
    assert status == 0, said
