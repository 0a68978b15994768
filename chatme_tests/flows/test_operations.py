"""How often the database is asked: a number that grows neither with members nor with messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import Any, cast

import pytest
from motor.motor_asyncio import AsyncIOMotorCollection

from chatme.app import create_app
from chatme.storage.embedded.collection import EmbeddedCollection
from chatme.wiring import open_services
from chatme_tests.client import Json, Socket, open_socket
from chatme_tests.databases import MONGODB_URI
from chatme_tests.fakes import settings_of
from chatme_tests.flows.life_crowd import Face, crowd
from chatme_tests.flows.life_talk import settle
from chatme_tests.judging import rest_client
from chatme_tests.serving import App, serving

COLLECTION: Any = AsyncIOMotorCollection if MONGODB_URI else EmbeddedCollection
ASKING = (
    "find",
    "aggregate",
    "count_documents",
    "insert_one",
    "insert_many",
    "update_one",
    "update_many",
    "replace_one",
    "delete_one",
    "delete_many",
    "find_one_and_update",
    "find_one_and_replace",
    "find_one_and_delete",
    "bulk_write",
)
"""Each is one round trip; `find_one` is a `find`."""


@contextmanager
def _counted() -> Iterator[list[str]]:
    """Every question that a collection is asked while this is open, as ``messages.insert_one``."""
    asked: list[str] = []
    kept = {name: getattr(COLLECTION, name) for name in ASKING}

    def counting(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def ask(self: Any, *given: Any, **named: Any) -> Any:
            asked.append(f"{self.name}.{name}")
            return method(self, *given, **named)

        return ask

    for name, method in kept.items():
        setattr(COLLECTION, name, counting(name, method))
    try:
        yield asked
    finally:
        for name, method in kept.items():
            setattr(COLLECTION, name, method)


@dataclass
class _House:
    """The whole application in this process, over real sockets, and what its database is asked."""

    address: str
    faces: list[Face]
    asked: list[str]
    sockets: list[Socket] = field(default_factory=list)

    async def connect(self, at: int) -> Socket:
        """A socket of the user at that place."""
        headers = {"Authorization": f"Bearer {self.faces[at].token}"}
        self.sockets.append(await open_socket(f"ws://{self.address}/chat", headers))
        await self.sockets[-1].wait_for("connected")
        await settle(self.sockets[-1])
        return self.sockets[-1]

    async def post(self, at: int, kind: str, body: Json) -> str:
        """A user makes a conversation; its id."""
        headers = {"Authorization": f"Bearer {self.faces[at].token}"}
        url = f"http://{self.address}/api/v1/conversations/{kind}"
        async with rest_client(headers=headers) as http:
            return str((await http.post(url, json=body)).json()["id"])

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        """What is asked inside the block."""
        found: list[str] = []
        self.asked.clear()
        yield found
        found += self.asked


@asynccontextmanager
async def _house(folder: Path, members: int) -> AsyncIterator[tuple[_House, str]]:
    """A house with a group of so many, and the group's id."""
    faces = await crowd(folder, members)
    settings = settings_of(folder, ws_rate="")
    with _counted() as asked:
        async with open_services(settings) as services:
            app = cast(App, create_app(settings, services))
            async with serving(app) as running:
                house = _House(f"127.0.0.1:{running.port}", faces, asked)
                body = {"name": "All", "memberIds": [each.user_id for each in faces[1:]]}
                try:
                    yield house, await house.post(0, "group", body)
                finally:
                    for socket in house.sockets:
                        await socket.aclose()


@pytest.mark.parametrize("members", [2, 200])
async def test_a_send_asks_four_times(tmp_path: Path, members: int) -> None:
    """A message to two or to two hundred members, here or away, costs four round trips: itself,
    what the conversation remembers of it, the notifications and the deliveries."""
    async with _house(tmp_path / "data", members) as (house, room):
        mine = await house.connect(0)
        if members > 2:
            await house.connect(1)
        for _ in range(2):  # from the second on nothing has to be remembered first
            with house.counting() as asked:
                draft = {"conversationId": room, "content": "hi"}
                sent = (await mine.call("send_message", draft))["message"]
                if members > 2:
                    await mine.wait_for("messages_delivered", messageIds=[sent["id"]])

    expected = ["messages.insert_one", "activities.update_one", "notifications.insert_many"]
    if members > 2:
        expected.append("watermarks.update_many")
    assert sorted(asked) == sorted(expected)


async def test_reading_asks_three_times(tmp_path: Path) -> None:
    """Opening a conversation costs the same for one unread message and for a hundred: the
    watermark, whom to tell of which messages, and the notifications."""
    async with _house(tmp_path / "data", 20) as (house, room):
        mine, theirs = await house.connect(0), await house.connect(1)
        draft = {"conversationId": room, "content": "hi"}
        for unread in (1, 100):
            for _ in range(unread):
                sent = (await mine.call("send_message", draft))["message"]
            await mine.until(partial(_tells_of, sent["id"]))
            with house.counting() as asked:
                await theirs.call("open_conversation", {"conversationId": room})

            expected = ["watermarks.find_one_and_update", "messages.find"]
            assert asked == [*expected, "notifications.update_many"]


async def test_connecting_asks_as_often_for_many(tmp_path: Path) -> None:
    """With nothing waiting, connecting costs the same for one conversation and for thirty: the
    session, twice, the conversations and the watermarks; and a first socket is told of by five
    more."""
    async with _house(tmp_path / "data", 3) as (house, _):
        mine = await house.connect(0)
        await house.post(1, "direct", {"userId": house.faces[0].user_id})
        with house.counting() as first:
            await house.connect(1)
            await mine.wait_for("user_online", userId=house.faces[1].user_id)
        with house.counting() as few:
            await house.connect(1)
        for _ in range(28):
            body = {"name": "All", "memberIds": [each.user_id for each in house.faces[1:]]}
            await house.post(0, "group", body)
        with house.counting() as many:
            await house.connect(1)

    session = "sessions.aggregate"
    assert sorted(few) == ["conversations.find", session, session, "watermarks.aggregate"]
    assert sorted(few) == sorted(many)
    assert len(first) <= len(few) + 5


def _tells_of(message_id: str, frame: Json) -> bool:
    return frame["event"] == "messages_delivered" and message_id in frame["data"]["messageIds"]
