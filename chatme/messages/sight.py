"""Which messages of a conversation one member may see. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from typing import Any, Self

from bson import ObjectId

from chatme.messages.models import Message


@dataclass(frozen=True, slots=True)
class Sight:
    """What hides messages from a viewer.

    What they cleared; the senders they block, while they do; and in a direct conversation what
    was sent during a block, for good.
    """

    viewer: ObjectId
    direct: bool
    cleared_seq: int
    blocked: frozenset[ObjectId]

    @classmethod
    def of(
        cls,
        viewer: ObjectId,
        direct: bool,
        cleared_seq: int,
        blocked: frozenset[ObjectId],
        members: Set[ObjectId],
    ) -> Self:
        """The sight of a viewer who blocks these users.

        Of a group all of them count: one that has left is still among its senders.
        """
        return cls(viewer, direct, cleared_seq, blocked & members if direct else blocked)

    def shows(self, message: Message) -> bool:
        """Whether the viewer may see a message of the conversation."""
        return self._shows(message.seq, message.sender, message.withheld_from)

    def shows_row(self, row: Mapping[str, Any]) -> bool:
        """The same of a message's fields as they are stored."""
        return self._shows(row["seq"], row["sender"], row["withheld_from"])

    def _shows(self, seq: int, sender: ObjectId, withheld_from: Collection[ObjectId]) -> bool:
        return (
            seq > self.cleared_seq
            and sender not in self.blocked
            and not (self.direct and self.viewer in withheld_from)
        )

    def conditions(self, *, by_seq: bool = True) -> dict[str, Any]:
        """The same for the database, but for the clearing, which bounds ``seq``.

        ``by_seq`` says that the messages are asked for in the order of their numbers.
        """
        if self.direct and self.blocked and by_seq:
            # Of two, one is hidden: one's own are an index away, however much the other sent.
            return {"sender": self.viewer}
        found: dict[str, Any] = {}
        if self.blocked:
            found["sender"] = {"$nin": sorted(self.blocked)}
        if self.direct:
            found["withheld_from"] = {"$ne": self.viewer}
        return found
