"""What was acked is there after a power cut."""

from __future__ import annotations

import asyncio
from pathlib import Path

from websockets.exceptions import ConnectionClosed

from chatme_tests.client import Json, Socket, User, signed_up
from chatme_tests.server import Server

USERS = 20
MESSAGES = 2000


async def test_every_acked_message_survives_sigkill(data: Path) -> None:
    """Twenty users send 2,000 messages, the process is killed midway, started again on the same
    folder: each acked message is there once, and numbers have no hole."""
    acked: list[Json] = []
    with Server(data) as server:
        names = [f"Writer {at}" for at in range(USERS)]
        async with signed_up(server.url, *names) as users:
            rooms = await _make_rooms(users)
            sockets = [await user.connect() for user in users]
            half = asyncio.Event()
            senders = [
                asyncio.create_task(_send_all(socket, rooms, at, acked, half))
                for at, socket in enumerate(sockets)
            ]
            waiter = asyncio.create_task(half.wait())
            await asyncio.wait([waiter, *senders], return_when=asyncio.FIRST_COMPLETED)
            server.kill()
            await asyncio.gather(*senders, waiter)
            before = len(acked)

            server.start()
            stored = [await _all_messages(users[0], room) for room in rooms]

    assert MESSAGES // 2 <= before < MESSAGES
    for messages in stored:
        assert list(range(1, len(messages) + 1)) == [each["seq"] for each in messages]
    found = {each["id"]: each for messages in stored for each in messages}
    lost = [each["id"] for each in acked if each["id"] not in found]
    assert lost == []
    assert all(found[each["id"]]["content"] == each["content"] for each in acked)


async def _make_rooms(users: list[User]) -> list[str]:
    others = [each.id for each in users[1:]]
    rooms = []
    for at in range(4):
        group = await users[0].post(
            "/conversations/group", {"name": f"Room {at}", "memberIds": others}
        )
        rooms.append(group["id"])
    return rooms


async def _send_all(
    socket: Socket, rooms: list[str], writer: int, acked: list[Json], half: asyncio.Event
) -> None:
    """Sends one writer's share, each message after the ack of the one before."""
    try:
        for at in range(MESSAGES // USERS):
            draft = {
                "conversationId": rooms[(writer + at) % len(rooms)],
                "content": f"{writer}:{at}",
                "clientId": f"{writer}:{at}",
            }
            answer = await socket.call("send_message", draft)
            acked.append(answer["message"])
            if len(acked) >= MESSAGES // 2:
                half.set()
    except (ConnectionError, ConnectionClosed):
        half.set()


async def _all_messages(user: User, room: str) -> list[Json]:
    """A room's whole history, oldest first."""
    found: list[Json] = []
    before: dict[str, str] = {}
    while True:
        page = await user.get(f"/messages/{room}", limit=100, **before)
        found += page["items"]
        if page["next"] is None:
            return found[::-1]
        before = {"before": page["next"]}
