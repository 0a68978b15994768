"""A disk that takes nothing more: nothing is acked that is not kept, and it heals by itself."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatme_tests.client import Refused, Socket, User, signed_up
from chatme_tests.server import Server


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """No file of the server's can grow, nor be written behind its beginning (EFBIG)."""
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (soft, hard))


async def _talk(users: list[User]) -> tuple[str, Socket]:
    ada, bob = users
    room = await ada.post("/conversations/direct", {"userId": bob.id})
    return room["id"], await ada.connect()


async def _send(socket: Socket, room: str, text: str) -> int:
    draft = {"conversationId": room, "content": text, "clientId": text}
    seq: int = (await socket.call("send_message", draft))["message"]["seq"]
    return seq


async def test_a_full_disk_takes_nothing_and_loses_nothing(data: Path) -> None:
    """While the disk is full a send is refused as unavailable, by frame and by REST, reading goes
    on, the socket lives; with room again the same send is taken, and numbers have no hole."""
    with Server(data, embedded=True) as server:
        async with signed_up(server.url, "Ada Full", "Bob Full") as users:
            ada = users[0]
            room, socket = await _talk(users)
            assert await _send(socket, room, "one") == 1
            with full_disk(server):
                for _ in range(3):
                    with pytest.raises(Refused) as refused:
                        await _send(socket, room, "two")
                    assert refused.value.code == "unavailable"
                    assert refused.value.error["retryAfter"] == 1
                answer = await ada.http.post(f"/messages/{room}", json={"content": "three"})
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
                assert answer.json()["code"] == "unavailable"
                page = await ada.get(f"/messages/{room}")
                assert [each["content"] for each in page["items"]] == ["one"]
            assert await _send(socket, room, "two") == 2
            server.kill()
            server.start()
            page = await ada.get(f"/messages/{room}")

    assert [each["content"] for each in page["items"]] == ["two", "one"]
