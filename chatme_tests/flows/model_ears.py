"""What one socket is told, and what follows from it: statuses that never go back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from chatme_tests.client import Socket, User
from chatme_tests.flows.model import Ear, Json

RANKS: Mapping[str, int] = {"sent": 0, "delivered": 1, "read": 2}


def _of_change(what: str) -> Callable[[Json], tuple[object, ...]]:
    return lambda data: (data["messageId"], data["rev"], data[what])


# What a frame says in short, in the words of the model.
WORDS: Mapping[str, Callable[[Json], tuple[object, ...]]] = {
    "new_message": lambda data: (
        data["id"],
        data["rev"],
        data["replyTo"] and data["replyTo"]["id"],
    ),
    "message_edited": _of_change("content"),
    "message_deleted": _of_change("deletedBy"),
    "message_reaction_added": _of_change("emoji"),
    "message_reaction_removed": _of_change("emoji"),
    "notification": lambda data: (
        data["type"],
        data["payload"]["conversationId"],
        data["payload"].get("messageId"),
    ),
    "conversation_created": lambda data: (data["id"],),
    "conversation_updated": lambda data: (data["id"],),
    "conversation_removed": lambda data: (data["conversationId"],),
    "member_added": lambda data: (data["conversationId"], data["user"]["id"]),
    "member_removed": lambda data: (data["conversationId"], data["userId"]),
}


class Known(NamedTuple):
    """A message that the socket heard of."""

    room: str
    seq: int
    sender: str


class Live:
    """A real socket beside the model's idea of it."""

    def __init__(self, ear: Ear, user: User, socket: Socket) -> None:
        self.ear = ear
        self.user = user
        self.socket = socket
        self.heard: list[tuple[object, ...]] = []
        self.cleared: set[str] = set()
        self.ranks: dict[tuple[str, str], int] = {}
        self._known: dict[str, Known] = {}
        self._taken = 0

    def take(self) -> list[Json]:
        """Works what has come since the last time; the frames."""
        frames = self.socket.frames[self._taken :]
        self._taken += len(frames)
        for frame in frames:
            self._work(frame["event"], frame["data"])
        return frames

    def take_resumed(self) -> list[Json]:
        """The same, where the messages among the frames answer `resume`."""
        before = len(self.heard)
        frames = self.take()
        del self.heard[before:]
        return [each for each in frames if each["event"] in {"new_message", "message_updated"}]

    def learn(self, messages: Iterable[Json]) -> None:
        """Messages as they stand now: no status in them is older than what was told.

        The answer to an edit alone may be: it was put together while somebody read.
        """
        for message in messages:
            name = message["id"]
            self._known[name] = Known(
                message["conversationId"], message["seq"], message["sender"]["id"]
            )
            for row in message["receipts"]:
                rank, key = RANKS[row["status"]], (name, row["userId"])
                told = self.ranks.get(key, 0)
                assert rank >= told or message["isEdited"], f"went back: {message}"
                self.ranks[key] = max(rank, told)

    def _work(self, event: str, data: Json) -> None:
        if event in {"new_message", "message_updated"}:
            self.learn([data])
        elif event == "ack" and "message" in data:
            self.learn([data["message"]])
        elif event == "messages_delivered":
            assert self._concerns(data), f"none of mine: {data}"
            for user in data["recipientIds"]:
                self._raise(data, user, RANKS["delivered"])
        elif event == "messages_read" and data["readBy"] == self.user.id:
            self.cleared.update(data["messageIds"], self._up_to(data))
        elif event == "messages_read":
            assert self._concerns(data), f"none of mine: {data}"
            self._raise(data, data["readBy"], RANKS["read"])
        if event in WORDS:
            self.heard.append((event, *WORDS[event](data)))

    def _concerns(self, data: Json) -> bool:
        """Whether a receipt is for this user: where all its messages are known, one is theirs."""
        senders = [self._known[each].sender for each in data["messageIds"] if each in self._known]
        return self.user.id in senders or len(senders) < len(data["messageIds"])

    def _raise(self, data: Json, user: str, rank: int) -> None:
        listed: list[str] = data["messageIds"]
        assert listed, f"says nothing: {data}"
        for name in listed:
            assert rank >= self.ranks.get((name, user), 0), f"went back: {data}"
        for name in {*listed, *self._up_to(data)}:
            self.ranks[name, user] = max(rank, self.ranks.get((name, user), 0))

    def _up_to(self, data: Json) -> set[str]:
        last: Any = data["upToSeq"]
        return {
            name
            for name, known in self._known.items()
            if last is not None and known.room == data["conversationId"] and known.seq <= last
        }
