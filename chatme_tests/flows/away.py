"""A server whose database can be taken away, and whether it is whole again in time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from chatme.clock import new_id
from chatme_tests.client import Json, Refused, Socket, User
from chatme_tests.databases import MONGODB_URI, with_database
from chatme_tests.server import Server

BACK_SECONDS = 5
NEEDS_MONGODB = pytest.mark.skipif(
    not MONGODB_URI,
    reason="the embedded database cannot be away: CHATME_TEST_MONGODB_URI names none",
)


@contextmanager
def server_on(uri: str, data: Path) -> Iterator[Server]:
    """A server, not started yet, with a database of its own on a MongoDB that may go away."""
    settings = {"MONGODB_URI": with_database(uri, f"away{new_id()}"), "WS_RATE": ""}
    server = Server(data, settings)
    try:
        yield server
    finally:
        server.__exit__(None, None, None)


async def start(server: Server) -> None:
    """Starts it, without standing in its database's way: that may pass through this process."""
    await asyncio.to_thread(server.start)


async def get(server: Server, path: str, **headers: str) -> httpx.Response:
    """What anybody gets at a path."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        return await http.get(f"{server.url}{path}", headers=headers)


async def health_is(server: Server, status: int) -> bool:
    """Whether health answers so."""
    return (await get(server, "/api/v1/health")).status_code == status


async def until_healthy(server: Server) -> None:
    """Waits, no longer than the server may take once its database is there again."""
    async with asyncio.timeout(BACK_SECONDS):
        while not await health_is(server, 200):
            pass


async def until_back(server: Server, user: User, socket: Socket, room: str) -> None:
    """Waits until health, REST and frames work, no longer than they may take."""
    async with asyncio.timeout(BACK_SECONDS):
        while await ask(user, room) != 200:
            pass
        while not await _is_worked(socket):
            pass
        while not await health_is(server, 200):
            pass


async def until_refused(user: User, room: str) -> None:
    """Waits until the server knows that its database is away."""
    async with asyncio.timeout(15):
        while await ask(user, room) != 503:
            pass


async def ask(user: User, room: str) -> int:
    """The status of a question that only the database can answer."""
    return (await user.http.get(f"/messages/{room}", timeout=30)).status_code


async def room_of(users: list[User]) -> str:
    """A new group of all of them."""
    others = [each.id for each in users[1:]]
    room = await users[0].post("/conversations/group", {"name": "Away", "memberIds": others})
    return str(room["id"])


async def send(socket: Socket, room: str, text: str) -> Json:
    """Sends a message, which its text names."""
    draft = {"conversationId": room, "content": text, "clientId": text}
    message: Json = (await socket.call("send_message", draft))["message"]
    return message


async def insist(socket: Socket, event: str, data: Json) -> Json:
    """Sends a frame again and again until it is acked; `unavailable` alone is a reason to."""
    while True:
        try:
            return await socket.call(event, data)
        except Refused as refused:
            if refused.code != "unavailable":
                raise
            await asyncio.sleep(0.05)


async def send_all(socket: Socket, room: str, writer: int, number: int) -> list[Json]:
    """One writer's messages, each again and again until it is acked."""
    acked: list[Json] = []
    for at in range(number):
        text = f"{writer}:{at}"
        draft = {"conversationId": room, "content": text, "clientId": text}
        acked.append((await insist(socket, "send_message", draft))["message"])
    return acked


async def history(user: User, room: str) -> list[Json]:
    """All messages of a conversation, the oldest first."""
    found: list[Json] = []
    before: dict[str, str] = {}
    while True:
        page = await user.get(f"/messages/{room}", limit=100, **before)
        found += page["items"]
        if page["next"] is None:
            return found[::-1]
        before = {"before": page["next"]}


def expect_whole(acked: list[Json], stored: list[Json], number: int) -> None:
    """Every message is there once, in a row without a hole, and nothing acked is missing."""
    assert [each["seq"] for each in stored] == list(range(1, number + 1))
    assert {each["id"] for each in acked} == {each["id"] for each in stored}
    assert len({each["clientId"] for each in stored}) == number


def resident(server: Server) -> int:
    """The memory that the server holds, in bytes."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _is_worked(socket: Socket) -> bool:
    try:
        await socket.call("resume", {"conversations": {}})
    except Refused as refused:
        if refused.code != "unavailable":
            raise
        return False
    return True
