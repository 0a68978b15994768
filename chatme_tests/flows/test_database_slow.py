"""Days on which MongoDB is there and does not answer, or takes its time: nobody waits for long,
nothing piles up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chatme_tests.client import Refused, Socket, User, signed_up
from chatme_tests.databases import MONGODB_URI
from chatme_tests.flows.away import (
    NEEDS_MONGODB,
    ask,
    expect_whole,
    health_is,
    history,
    resident,
    room_of,
    send,
    send_all,
    server_on,
    start,
    until_back,
)
from chatme_tests.flows.proxy import Proxy
from chatme_tests.server import Server

CALLERS, SOCKETS = 200, 5
MOST_SECONDS = 12
MORE_BYTES = 30 * 2**20

pytestmark = NEEDS_MONGODB


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """What stands between the server and the database."""
    address = urlsplit(MONGODB_URI)
    async with Proxy(address.hostname or "127.0.0.1", address.port or 27017) as running:
        yield running


@pytest.mark.parametrize("how", ["frozen", "swallowed"])
async def test_silence_holds_nobody_up_for_long(proxy: Proxy, data: Path, how: str) -> None:
    """A database that takes what it is sent and answers nothing, or whose answers get lost: every
    caller is told in time, whoever comes then at once, what needs no database goes on, and memory
    does not grow with those who wait; then all is well within five seconds."""
    with server_on(proxy.uri, data) as server:
        await start(server)
        async with signed_up(server.url, "Ada Frost", "Bob Frost") as users:
            room = await room_of(users)
            sockets = [await users[0].connect() for _ in range(SOCKETS)]
            await send(sockets[0], room, "before")
            before = resident(server)
            _silence(proxy, how)
            await _crowd(server, users[0], sockets, room)
            assert resident(server) - before < MORE_BYTES
            _speak(proxy, how)
            await until_back(server, users[0], sockets[0], room)
            assert (await send(sockets[0], room, "after"))["content"] == "after"
            assert [socket.close_code for socket in sockets] == [None] * SOCKETS
            stored = await history(users[0], room)

    assert [each["seq"] for each in stored] == list(range(1, len(stored) + 1))
    assert {"before", "after"} <= {each["content"] for each in stored}


async def _crowd(server: Server, user: User, sockets: list[Socket], room: str) -> None:
    """Many ask at once, by REST and by frames, and then others come."""
    started = time.monotonic()
    asked = [asyncio.create_task(ask(user, room)) for _ in range(CALLERS)]
    sent = [asyncio.create_task(_refusal(socket, room)) for socket in sockets[1:]]
    await asyncio.sleep(0.1)
    await sockets[0].call("ping")
    assert time.monotonic() - started < 1
    assert set(await asyncio.gather(*asked)) == {503}
    assert set(await asyncio.gather(*sent)) == {"unavailable"}
    assert time.monotonic() - started < MOST_SECONDS
    again = time.monotonic()
    assert await _refusal(sockets[0], room) == "unavailable"
    assert await ask(user, room) == 503
    assert time.monotonic() - again < 1
    assert set(await asyncio.gather(*(ask(user, room) for _ in range(CALLERS)))) == {503}
    assert await health_is(server, 503)


async def test_a_slow_database_is_only_slow(proxy: Proxy, data: Path) -> None:
    """A database behind a slow line is waited for, and order holds."""
    with server_on(proxy.uri, data) as server:
        await start(server)
        async with signed_up(server.url, "Ada Slow", "Bob Slow") as users:
            room = await room_of(users)
            sockets = [await user.connect() for user in users]
            proxy.delay = 0.05
            sent = await asyncio.gather(
                *(send_all(socket, room, at, 5) for at, socket in enumerate(sockets))
            )
            proxy.delay = 0.0
            stored = await history(users[0], room)

    expect_whole([each for some in sent for each in some], stored, 10)


async def _refusal(socket: Socket, room: str) -> str:
    with pytest.raises(Refused) as refused:
        await socket.call("send_message", {"conversationId": room, "content": "meanwhile"})
    return refused.value.code


def _silence(proxy: Proxy, how: str) -> None:
    if how == "frozen":
        proxy.freeze()
    else:
        proxy.swallow = True


def _speak(proxy: Proxy, how: str) -> None:
    if how == "frozen":
        proxy.thaw()
    else:
        proxy.swallow = False
