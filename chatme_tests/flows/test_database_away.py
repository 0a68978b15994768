"""Days on which MongoDB is away: at the start, and in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from chatme_tests.client import User, open_socket, signed_up
from chatme_tests.databases import MONGODB_URI
from chatme_tests.flows.away import (
    NEEDS_MONGODB,
    expect_whole,
    get,
    health_is,
    history,
    insist,
    room_of,
    send,
    send_all,
    server_on,
    start,
    until_back,
    until_healthy,
    until_refused,
)
from chatme_tests.flows.proxy import Proxy

WRITERS, MESSAGES = 5, 20

pytestmark = NEEDS_MONGODB


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """What stands between the server and the database."""
    address = urlsplit(MONGODB_URI)
    async with Proxy(address.hostname or "127.0.0.1", address.port or 27017) as running:
        yield running


async def test_a_server_waits_for_its_database(proxy: Proxy, data: Path) -> None:
    """Started without a database it lives, says that it is not whole, refuses everything with 503,
    and is whole within five seconds of the database's coming."""
    await proxy.cut()
    with server_on(proxy.uri, data) as server:
        await start(server)
        assert (await get(server, "/api/v1/health/live")).status_code == 200
        assert await health_is(server, 503)
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{server.url}/api/v1/auth/login", json={})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
        await proxy.mend()
        await until_healthy(server)
        async with signed_up(server.url, "Ada Waits") as (ada,):
            await ada.connect()
        assert '"waiting for the database"' in server.read_log()


async def test_a_server_that_waits_can_be_stopped(proxy: Proxy, data: Path) -> None:
    """SIGTERM ends a server whose database never came, by itself and well."""
    await proxy.cut()
    with server_on(proxy.uri, data) as server:
        await start(server)
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(server.stop) == 0
        said = server.read_log()

    assert '"ChatMe has stopped"' in said
    assert "Traceback" not in said


async def test_an_absence_loses_nothing(proxy: Proxy, data: Path) -> None:
    """The database is cut under load: callers are told to try again, sockets stay open, and after
    its return the same sends are taken; every acked message is there once, without a hole,
    and every open socket heard of each once, in their order."""
    with server_on(proxy.uri, data) as server:
        await start(server)
        async with signed_up(server.url, *(f"Cut {at}" for at in range(WRITERS))) as users:
            room = await room_of(users)
            sockets = [await user.connect() for user in users]
            asking = await users[0].connect()
            senders = [
                asyncio.create_task(send_all(socket, room, at, MESSAGES))
                for at, socket in enumerate(sockets)
            ]
            for _ in range(3):
                await asyncio.sleep(0.3)
                await proxy.cut()
                await until_refused(users[0], room)
                await proxy.mend()
                await until_back(server, users[0], asking, room)
            acked = [message for sent in await asyncio.gather(*senders) for message in sent]
            assert [socket.close_code for socket in (asking, *sockets)] == [None] * (WRITERS + 1)
            stored = await history(users[0], room)
            for socket in sockets:
                await socket.wait_for("new_message", seq=WRITERS * MESSAGES)
            heard = [[each["seq"] for each in socket.of("new_message")] for socket in sockets]

    expect_whole(acked, stored, WRITERS * MESSAGES)
    assert heard == [list(range(1, WRITERS * MESSAGES + 1))] * WRITERS


async def test_who_was_here_and_read_is_known_afterwards(proxy: Proxy, data: Path) -> None:
    """Who leaves while the database is away is told as gone when it is back, since when they left;
    and what was sent before, and read after, has exactly these receipts."""
    with server_on(proxy.uri, data) as server:
        await start(server)
        async with signed_up(server.url, "Ada Exact", "Bob Exact", "Cy Exact") as users:
            ada, bob, cy = users
            await ada.post("/conversations/direct", {"userId": cy.id})
            room = await room_of(users)
            mine, theirs, third = [await user.connect() for user in users]
            sent = await send(mine, room, "before")
            async with asyncio.timeout(5):
                while await _statuses(ada, room) != {bob.id: "delivered", cy.id: "delivered"}:
                    pass
            await proxy.cut()
            await until_refused(ada, room)
            await third.aclose()
            # The grace after the last socket is five seconds: the first telling is refused.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(6):
                    await mine.wait_for("user_offline")
            await proxy.mend()
            await until_back(server, ada, mine, room)
            gone = await mine.wait_for("user_offline", userId=cy.id)
            await insist(theirs, "mark_read", {"messageId": sent["id"]})
            await mine.wait_for("messages_read", readBy=bob.id)
            seen = await ada.get(f"/users/{cy.id}/presence")
            statuses = await _statuses(ada, room)

    assert (seen["isOnline"], seen["lastSeenAt"]) == (False, gone["lastSeenAt"])
    assert len(mine.of("user_offline")) == 1
    assert statuses == {bob.id: "read", cy.id: "delivered"}


async def test_who_watches_the_server_sees_it(proxy: Proxy, data: Path) -> None:
    """The metrics and the manual are served without a database, to whoever has a token as well,
    and the metrics tell that it is away and how many were refused."""
    with server_on(proxy.uri, data) as server:
        await start(server)
        async with signed_up(server.url, "Ada Counts", "Bob Counts") as users:
            ada = users[0]
            room = await room_of(users)
            assert "chatme_database_ready 1.0" in await _metrics(server.url)
            await proxy.cut()
            await until_refused(ada, room)
            await _until_metric(server.url, "chatme_database_ready 0.0")
            lines = await _metrics(server.url)
            (refused,) = [
                each for each in lines if each.startswith('chatme_errors_total{code="unavailable"')
            ]
            assert float(refused.rpartition(" ")[2]) >= 1
            bearer = {"Authorization": f"Bearer {ada.token}"}
            for path in ("/docs", "/openapi.json", "/metrics", "/api/v1/health/live"):
                assert (await get(server, path, **bearer)).status_code == 200, path
            await proxy.mend()
            await _until_metric(server.url, "chatme_database_ready 1.0")


async def test_who_comes_meanwhile_may_try_again(proxy: Proxy, data: Path) -> None:
    """A socket opened while the database is away is told so and may sign in on it once it is
    back; once the database is known to be lost, the handshake itself is a 503."""
    with server_on(proxy.uri, data) as server:
        await start(server)
        async with signed_up(server.url, "Ada Early", "Bob Early") as users:
            ada = users[0]
            room = await room_of(users)
            headers = {"Authorization": f"Bearer {ada.token}"}
            await proxy.cut()
            socket = await open_socket(server.socket_url, headers=headers)
            error = await socket.wait_for("error")
            assert (error["code"], error["retryAfter"]) == ("unavailable", 1)
            await until_refused(ada, room)
            await proxy.mend()
            await until_healthy(server)
            await socket.call("auth", {"token": ada.token})
            await socket.wait_for("connected")
            await socket.aclose()


async def _statuses(user: User, room: str) -> dict[str, str]:
    """What the only message is to each that got it."""
    (shown,) = await history(user, room)
    return {each["userId"]: each["status"] for each in shown["receipts"]}


async def _metrics(url: str) -> list[str]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        return (await http.get(f"{url}/metrics")).text.splitlines()


async def _until_metric(url: str, line: str) -> None:
    async with asyncio.timeout(5):
        while line not in await _metrics(url):
            pass
