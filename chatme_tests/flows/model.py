"""A simple idea of the contract: who said what, who sees it, how far everybody is.

Plain sets instead of watermarks: for each message, who got it and who read it. Written from the
contract, without looking at how the server counts. Where the contract is silent:

- what was said before somebody joined is in their history, counts as read, and was not sent to
  them;
- a tombstone is a message like any other;
- what the sender's blockers get is never delivered; in a direct conversation it stays hidden from
  them for good, in a group it shows when the block ends;
- what reaches somebody, reaches them with all that came before it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Json = dict[str, Any]


@dataclass(eq=False)
class Said:
    """A message: what it says, who got it, who read it, and for whom it was withheld."""

    id: str
    seq: int
    rev: int
    sender: str
    content: str
    client_id: str | None
    reply_to: Said | None
    created_at: str
    withheld: frozenset[str]
    first_rev: int = 0
    reactions: dict[str, str] = field(default_factory=dict)
    edited: bool = False
    deleted: bool = False
    got: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    #: Whose progress the sender was not told of, since they block the sender.
    silent: set[str] = field(default_factory=set)

    def begins(self, query: str) -> bool:
        """Whether every word of a query begins a word of the message."""
        return all(
            any(word.startswith(each) for word in _plain_words(self.content))
            for each in _plain_words(query)
        )

    def status(self, user: str) -> str:
        """How far a recipient is, as the sender may know it."""
        if user in self.withheld:
            return "sent"
        if user in self.read:
            return "read"
        return "delivered" if user in self.got else "sent"


def _plain_words(text: str) -> list[str]:
    """Words without case and accents, of an alphabet."""
    return re.findall(
        r"[a-z0-9]+", unicodedata.normalize("NFD", text).replace("\u0301", "").lower()
    )


class Joined(NamedTuple):
    """A member's role, and the last number before them."""

    role: str
    seq: int


@dataclass(eq=False)
class Room:
    """A conversation: its members, longest-standing first, and all that was said."""

    id: str
    direct: bool
    members: dict[str, Joined]
    said: list[Said] = field(default_factory=list)
    rev: int = 0
    cleared: dict[str, int] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)

    @property
    def seq(self) -> int:
        """The number of the last message."""
        return len(self.said)

    def is_admin(self, user: str) -> bool:
        """Whether a user decides here."""
        return not self.direct and user in self.members and self.members[user].role == "admin"

    def recipients(self, said: Said) -> list[str]:
        """The present members that a message was sent to."""
        return [
            user
            for user, joined in self.members.items()
            if user != said.sender and joined.seq < said.seq
        ]

    def has_read(self, user: str, said: Said) -> bool:
        """Whether a message is nothing new to a member."""
        own = said.sender == user
        return own or user in said.read or said.seq <= self.members[user].seq

    def read_bounds(self, user: str) -> tuple[int, int]:
        """Between which numbers a member's ``readSeq`` must be: all up to it is read or own, and
        it moves when they read."""
        high = low = max(self.members[user].seq, self.opened.get(user, 0))
        for said in self.said[low:]:
            if not self.has_read(user, said):
                break
            high = said.seq
            if user in said.read:
                low = high
        return low, high

    def delivered_bounds(self, user: str) -> tuple[int, int]:
        """The same for ``deliveredSeq``."""
        low, _ = self.read_bounds(user)
        low = max([low, *(said.seq for said in self.said if user in said.got)])
        high = low
        for said in self.said[low:]:
            if not self.has_read(user, said) and user not in said.withheld:
                break
            high = said.seq
        return low, high


@dataclass(eq=False)
class Ear:
    """A socket: whose, what is on its screen, what it must hear and in which order."""

    user: str
    shown: Room | None = None
    must_hear: list[tuple[object, ...]] = field(default_factory=list)
    #: What was read on the user's other sockets.
    must_clear: set[str] = field(default_factory=set)


class Stored(NamedTuple):
    """An unread notification of somebody who was away."""

    room: Room
    said: Said | None


class Resumption(NamedTuple):
    """What a conversation has for one who comes back: the events by ``rev``."""

    events: list[tuple[str, Said]]
    limited: bool
