"""A client as the contract wants it: it keeps what it hears, and comes back for what it missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from websockets.exceptions import WebSocketException

from chatme_tests.client import Json, Socket, User

RETRY_SECONDS = 0.02
LOST = (ConnectionError, WebSocketException)
"""What a client meets where the cable is torn or the server gone."""
_TOMBSTONE: Mapping[str, Any] = {"isDeleted": True, "content": "", "attachment": None}


class Replica:
    """The messages of a user by id, each at the latest revision that was heard."""

    def __init__(self) -> None:
        self.messages: dict[str, Json] = {}
        self.known: dict[str, int] = {}

    def take(self, event: str, data: Json) -> int | None:
        """Works a frame; the revision that it told of. Whatever is older is dropped."""
        if event in {"new_message", "message_updated"}:
            name, news = data["id"], data
        elif event in CHANGES and data["messageId"] in self.messages:
            name = data["messageId"]
            before = self.messages[name]
            news = {**before, **CHANGES[event](before, data), "rev": data["rev"]}
        else:
            return data.get("rev") if event in CHANGES else None
        if name not in self.messages or news["rev"] > self.messages[name]["rev"]:
            self.messages[name] = news
        rev: int = data["rev"]
        return rev

    def plain(self) -> list[Json]:
        """All of it in a shape that compares: without what changes while the revision stays."""
        shown = sorted(
            self.messages.values(), key=lambda each: (each["conversationId"], each["seq"])
        )
        return [plain(each) for each in shown]


def plain(message: Json) -> Json:
    """A message without receipts, and without the words of what it answers."""
    reply = message["replyTo"]
    left_out = {"receipts", "receiptCounts"}
    kept = {name: value for name, value in message.items() if name not in left_out}
    return kept | {"replyTo": reply and reply["id"]}


def _without(before: Json, user: str) -> list[Json]:
    return [each for each in before["reactions"] if each["userId"] != user]


def _reaction(data: Json) -> Json:
    return {"userId": data["userId"], "emoji": data["emoji"]}


# What a change makes of a message.
CHANGES: Mapping[str, Callable[[Json, Json], Json]] = {
    "message_edited": lambda _, data: {
        "content": data["content"],
        "editedAt": data["editedAt"],
        "isEdited": True,
    },
    "message_deleted": lambda _before, _data: {**_TOMBSTONE, "reactions": []},
    "message_reaction_added": lambda before, data: {
        "reactions": [*_without(before, data["userId"]), _reaction(data)]
    },
    "message_reaction_removed": lambda before, data: {
        "reactions": _without(before, data["userId"])
    },
}


class Client:
    """One user's client over many sockets, one after the other."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.replica = Replica()
        self.cuts = 0
        self._socket: Socket | None = None
        self._taken = 0
        self._told: set[tuple[str, int]] = set()

    @property
    def socket(self) -> Socket:
        """The present socket."""
        assert self._socket is not None
        return self._socket

    async def connect(self) -> None:
        """Comes back, however often it takes, and asks for what it missed until that is all."""
        while True:
            try:
                self._socket, self._taken = await self.user.connect(), 0
                self._told.clear()
                await self._resume()
            except LOST:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def cut(self) -> None:
        """Tears the cable."""
        self.cuts += 1
        self.socket.connection.transport.abort()

    def take(self) -> None:
        """Works what has come since the last time; the revisions of it are known from now on."""
        for frame in self._fresh():
            rev = self.replica.take(frame["event"], frame["data"])
            if rev is not None:
                room = frame["data"]["conversationId"]
                assert (room, rev) not in self._told, f"told twice: {frame}"
                self._told.add((room, rev))
                self.replica.known[room] = max(rev, self.replica.known.get(room, 0))

    async def catch_up_or_connect(self) -> None:
        """Works all that the server has said to now."""
        try:
            await self.socket.call("ping")
            self.take()
        except LOST:
            self.take()
            await self.connect()

    async def _resume(self) -> None:
        """Whole messages are taken as they come. A change says only what it changed: it waits
        until all is there that was before it, or is forgotten with the socket."""
        changes: list[Json] = []
        complete = False
        while not complete:
            try:
                answer = await self.socket.call("resume", {"conversations": self.replica.known})
            finally:
                for frame in self._fresh():
                    if frame["event"] in CHANGES:
                        changes.append(frame)
                    else:
                        self.replica.take(frame["event"], frame["data"])
            for room, resumed in answer["conversations"].items():
                assert not resumed["limited"], f"more than 200 changes: {answer}"
                self.replica.known[room] = resumed["rev"]
            complete = answer["complete"]
        for frame in changes:
            self.replica.take(frame["event"], frame["data"])

    def _fresh(self) -> list[Json]:
        frames = self.socket.frames[self._taken :]
        self._taken += len(frames)
        return frames
