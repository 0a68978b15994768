"""A restart: everybody is told when to come back, and nothing that was acked is lost."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

from websockets.exceptions import ConnectionClosed

from chatme_tests.client import Json, Socket, User, open_socket, signed_up
from chatme_tests.flows.life_talk import FREE, direct, group, history
from chatme_tests.server import Server

SENDERS = 5


async def test_every_socket_has_a_slot_of_its_own(data: Path) -> None:
    """SIGTERM tells each socket when to come back, no two the same, closes it with 1012, and ends
    the process with 0."""
    with Server(data, FREE) as server:
        async with signed_up(server.url, *(f"Ada {at}" for at in range(4))) as users:
            sockets = [await user.connect() for user in users for _ in range(10)]
            stranger = await open_socket(server.socket_url)
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            codes = [await socket.wait_closed() for socket in (*sockets, stranger)]
            status = await stopping

    told = [socket.of("server_restarting") for socket in sockets]
    assert [len(each) for each in told] == [1] * len(sockets)
    slots = [each[0]["reconnectIn"] for each in told]
    assert all(isinstance(slot, int) and 0 < slot < 60_000 for slot in slots)
    assert len(set(slots)) == len(slots)
    assert [socket.frames[-1]["event"] for socket in sockets] == ["server_restarting"] * 40
    assert set(codes) == {1012}
    assert status == 0
    assert "Traceback" not in server.read_log()


async def _send_until_closed(socket: Socket, room: str, mark: str) -> tuple[list[Json], str]:
    """Sends one message after the other: what was acked, and the client id of what was not."""
    acked: list[Json] = []
    for at in count():
        client_id = f"{mark} {at}"
        draft = {"conversationId": room, "content": client_id, "clientId": client_id}
        try:
            acked.append((await socket.call("send_message", draft))["message"])
        except (ConnectionError, ConnectionClosed):
            return acked, client_id
    raise AssertionError


async def test_what_was_under_way_is_neither_lost_nor_doubled(data: Path) -> None:
    """Of what is sent into a restart, all that was acked is there, and what was not can be sent
    again under its client's id: in the end each is there once."""
    with Server(data, FREE) as server:
        names = [f"Ada {at}" for at in range(SENDERS)]
        async with signed_up(server.url, *names, "Bob Waits") as (*users, bob):
            room = await group(bob, *users)
            sockets = [await user.connect() for user in users]
            theirs = await bob.connect()
            senders = [
                asyncio.create_task(_send_until_closed(socket, room, str(at)))
                for at, socket in enumerate(sockets)
            ]
            await theirs.wait_for("new_message", seq=100)
            assert await asyncio.to_thread(server.stop) == 0
            outcomes = await asyncio.gather(*senders)
            server.start()
            for user, (_, client_id) in zip(users, outcomes, strict=True):
                body = {"content": client_id, "clientId": client_id}
                first, second = [await user.post(f"/messages/{room}", body) for _ in range(2)]
                assert first["id"] == second["id"]
            stored = await _all(bob, room)

    found = {each["id"]: each["clientId"] for each in stored}
    acked = [message for messages, _ in outcomes for message in messages]
    assert [each for each in acked if each["id"] not in found] == []
    assert len(set(found.values())) == len(stored) == len(acked) + SENDERS
    assert [each["seq"] for each in stored] == list(range(1, len(stored) + 1))
    assert "Traceback" not in server.read_log()


async def test_a_client_comes_back_and_resumes(data: Path) -> None:
    """After the restart the same token opens a socket, and `resume` brings what was missed."""
    with Server(data, FREE) as server:
        async with signed_up(server.url, "Ada Resume", "Bob Resume") as (ada, bob):
            talk = await direct(ada, bob)
            mine, theirs = await ada.connect(), await bob.connect()
            draft = {"conversationId": talk, "content": "before"}
            known = (await mine.call("send_message", draft))["message"]
            await theirs.wait_for("new_message")
            assert await asyncio.to_thread(server.stop) == 0
            assert (await mine.wait_closed(), await theirs.wait_closed()) == (1012, 1012)
            server.start()
            again = await ada.connect()
            missed = (await again.call("send_message", draft | {"content": "missed"}))["message"]
            back = await bob.connect()
            answer = await back.call("resume", {"conversations": {talk: known["rev"]}})

            assert [each["id"] for each in back.of("new_message")] == [missed["id"]]
            assert answer == {
                "conversations": {talk: {"rev": 2, "limited": False}},
                "complete": True,
            }
            assert [each["content"] for each in await history(bob, talk)] == ["missed", "before"]


async def _all(user: User, room: str) -> list[Json]:
    """A room's whole history, oldest first."""
    found: list[Json] = []
    query: Json = {"limit": 100}
    while query:
        page = await user.get(f"/messages/{room}", **query)
        found += page["items"]
        query = {"limit": 100, "before": page["next"]} if page["next"] else {}
    return found[::-1]
