"""Days on which MongoDB is away: at the start, in the middle, and slow."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from chatme.clock import new_id
from chatme_tests.client import Json, Refused, Socket, User, open_socket, signed_up
from chatme_tests.flows.proxy import Proxy
from chatme_tests.server import Server

MONGODB = os.environ.get("CHATME_TEST_MONGODB_URI", "")
BACK_SECONDS = 5
WRITERS, MESSAGES = 5, 20

pytestmark = pytest.mark.skipif(
    not MONGODB, reason="the embedded database cannot be away: CHATME_TEST_MONGODB_URI names none"
)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """What stands between the server and the database."""
    address = urlsplit(MONGODB)
    async with Proxy(address.hostname or "127.0.0.1", address.port or 27017) as running:
        yield running


@contextmanager
def server_behind(proxy: Proxy, data: Path) -> Iterator[Server]:
    """A server that reaches its own database through the proxy alone."""
    uri = f"mongodb://127.0.0.1:{proxy.port}/away{new_id()}"
    server = Server(data, {"MONGODB_URI": uri, "WS_RATE": ""})
    try:
        yield server
    finally:
        server.__exit__(None, None, None)


async def _start(server: Server) -> None:
    await asyncio.to_thread(server.start)


async def _status(server: Server, path: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"{server.url}/api/v1{path}")).status_code


async def _until_up(server: Server) -> float:
    """Seconds until the server is whole again."""
    started = time.monotonic()
    async with asyncio.timeout(30):
        while await _status(server, "/health") != 200:
            pass
    return time.monotonic() - started


async def test_a_server_waits_for_its_database(proxy: Proxy, data: Path) -> None:
    """Started without a database it lives, says that it is not whole, refuses everything with 503,
    and is whole within five seconds of the database's coming."""
    await proxy.cut()
    with server_behind(proxy, data) as server:
        await _start(server)
        assert await _status(server, "/health/live") == 200
        assert await _status(server, "/health") == 503
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{server.url}/api/v1/auth/login", json={})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
        await proxy.mend()
        assert await _until_up(server) < BACK_SECONDS
        async with signed_up(server.url, "Ada Waits") as (ada,):
            await ada.connect()
        assert '"waiting for the database"' in server.read_log()


async def test_an_absence_loses_nothing(proxy: Proxy, data: Path) -> None:
    """The database is cut under load: callers are told to try again, sockets stay open, and after
    its return the same sends are taken; every acked message is there once, without a hole."""
    with server_behind(proxy, data) as server:
        await _start(server)
        names = [f"Cut {at}" for at in range(WRITERS)]
        async with signed_up(server.url, *names) as users:
            room = await _room(users)
            sockets = [await user.connect() for user in users]
            senders = [
                asyncio.create_task(_send_all(socket, room, at))
                for at, socket in enumerate(sockets)
            ]
            for _ in range(3):
                await asyncio.sleep(0.3)
                await proxy.cut()
                await _until_refused(users[0], room)
                await proxy.mend()
                assert await _until_up(server) < BACK_SECONDS
            acked = [message for sent in await asyncio.gather(*senders) for message in sent]
            assert [socket.close_code for socket in sockets] == [None] * WRITERS
            stored = await _history(users[0], room)

    assert [each["seq"] for each in stored] == list(range(1, WRITERS * MESSAGES + 1))
    assert {each["id"] for each in acked} == {each["id"] for each in stored}
    assert len({each["clientId"] for each in stored}) == WRITERS * MESSAGES


async def test_a_frozen_database_holds_nobody_up_for_long(proxy: Proxy, data: Path) -> None:
    """A database that takes what it is sent and answers nothing: every caller is told within ten
    seconds, what needs no database goes on, and memory does not grow with those who wait."""
    with server_behind(proxy, data) as server:
        await _start(server)
        async with signed_up(server.url, "Ada Frost", "Bob Frost") as users:
            room = await _room(users)
            socket = await users[0].connect()
            await _send(socket, room, "warm")
            proxy.freeze()
            before = _resident(server)
            started = time.monotonic()
            asked = [asyncio.create_task(_ask(users[0], room)) for _ in range(200)]
            await asyncio.sleep(0.1)
            await socket.call("ping")
            assert time.monotonic() - started < 1
            assert set(await asyncio.gather(*asked)) == {503}
            assert time.monotonic() - started < 12
            assert _resident(server) - before < 30 * 2**20
            proxy.thaw()
            assert await _until_up(server) < BACK_SECONDS
            assert (await _send(socket, room, "thawed"))["seq"] == 2


async def test_a_slow_database_is_only_slow(proxy: Proxy, data: Path) -> None:
    """A database behind a slow line is waited for, and order holds."""
    with server_behind(proxy, data) as server:
        await _start(server)
        async with signed_up(server.url, "Ada Slow", "Bob Slow") as users:
            room = await _room(users)
            sockets = [await user.connect() for user in users]
            proxy.delay = 0.05
            await asyncio.gather(
                *(
                    _send(socket, room, f"{at}:{n}")
                    for at, socket in enumerate(sockets)
                    for n in range(5)
                )
            )
            proxy.delay = 0.0
            stored = await _history(users[0], room)

    assert [each["seq"] for each in stored] == list(range(1, 11))


async def test_who_comes_meanwhile_may_try_again(proxy: Proxy, data: Path) -> None:
    """A socket opened while the database is away is told so and may sign in on it once it is
    back."""
    with server_behind(proxy, data) as server:
        await _start(server)
        async with signed_up(server.url, "Ada Early") as (ada,):
            await proxy.cut()
            headers = {"Authorization": f"Bearer {ada.token}"}
            socket = await open_socket(server.socket_url, headers=headers)
            error = await socket.wait_for("error")
            assert (error["code"], error["retryAfter"]) == ("unavailable", 1)
            await proxy.mend()
            await _until_up(server)
            await socket.call("auth", {"token": ada.token})
            await socket.wait_for("connected")
            await socket.aclose()


async def _room(users: list[User]) -> str:
    others = [each.id for each in users[1:]]
    room = await users[0].post("/conversations/group", {"name": "Away", "memberIds": others})
    return str(room["id"])


async def _send(socket: Socket, room: str, text: str) -> Json:
    draft = {"conversationId": room, "content": text, "clientId": text}
    message: Json = (await socket.call("send_message", draft))["message"]
    return message


async def _send_all(socket: Socket, room: str, writer: int) -> list[Json]:
    """One writer's share, each message again and again until it is acked."""
    acked: list[Json] = []
    while len(acked) < MESSAGES:
        try:
            acked.append(await _send(socket, room, f"{writer}:{len(acked)}"))
        except Refused as refused:
            if refused.code != "unavailable":
                raise
            await asyncio.sleep(0.05)
    return acked


async def _ask(user: User, room: str) -> int:
    return (await user.http.get(f"/messages/{room}", timeout=30)).status_code


async def _until_refused(user: User, room: str) -> None:
    async with asyncio.timeout(15):
        while await _ask(user, room) != 503:
            pass


async def _history(user: User, room: str) -> list[Json]:
    found: list[Json] = []
    before: dict[str, str] = {}
    while True:
        page = await user.get(f"/messages/{room}", limit=100, **before)
        found += page["items"]
        if page["next"] is None:
            return found[::-1]
        before = {"before": page["next"]}


def _resident(server: Server) -> int:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
