"""Conversations as they are stored, in three collections by how often they are written.

`Conversation` says who is in it, in one document, so that each change of members or roles is one
atomic write. `Activity` is small and written with each message: a cache of what the messages
say, which a repair can rebuild. `Watermark` is one row for each conversation and user.

`Roster` and `Marks` are what the rules read out of them: plain values, without I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId
from odmantic import EmbeddedModel, Field, Model
from odmantic.config import ODMConfigDict

from chatme.storage.atomic import index


class Member(EmbeddedModel):
    """Somebody in a conversation; messages up to ``joined_seq`` were not sent to them."""

    user: ObjectId
    role: str
    joined_at: datetime
    joined_seq: int = 0


class Conversation(Model):
    """Who talks. ``version`` moves with every change; ``direct_key`` names a pair for good.

    ``avatar_id`` names the upload that ``avatar`` leads to.
    """

    type: str
    name: str | None = None
    avatar: str | None = None
    avatar_id: str | None = None
    members: list[Member]
    direct_key: str | None = None
    version: int = 1
    created_at: datetime

    model_config = ODMConfigDict(
        collection="conversations",
        indexes=lambda: (
            index("members.user", name="member"),
            # "$gt" an empty string leaves out null: only direct conversations have a key.
            index("direct_key", name="direct", unique=True, partial={"direct_key": {"$gt": ""}}),
        ),
    )


class Activity(Model):
    """What happened last in the conversation of the same id; ``last_at`` orders lists."""

    seq: int = 0
    last_message: ObjectId | None = None
    last_at: datetime

    model_config = ODMConfigDict(collection="activities")


class Watermark(Model):
    """How far a user has got and read; numbers above ``read_seq`` read alone are ``read_ahead``.

    What was said up to ``cleared_seq`` is never shown to the user again; below the conversation's
    last number, nothing hides it from their list.
    """

    conversation: ObjectId
    user: ObjectId
    delivered_seq: int = 0
    read_seq: int = 0
    read_ahead: list[int] = Field(default_factory=list)
    cleared_seq: int = -1
    #: Whether messages were ever withheld from the user here, so that "up to" is never said.
    withheld: bool = False

    model_config = ODMConfigDict(
        collection="watermarks",
        parse_doc_with_default_factories=True,  # a row is made by an upsert of a few fields
        indexes=lambda: (
            index("conversation", "user", name="row", unique=True),
            index("user", name="user"),
        ),
    )


def direct_key(one: ObjectId, other: ObjectId) -> str:
    """The name of a pair, the same from both sides."""
    low, high = sorted((str(one), str(other)))
    return f"{low}:{high}"


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's place: their role, and the number before their first message."""

    role: str
    joined_seq: int


@dataclass(frozen=True, slots=True)
class Roster:
    """The members of one conversation at one version of it."""

    conversation_id: ObjectId
    direct: bool
    name: str | None
    version: int
    members: Mapping[ObjectId, Standing]

    @property
    def user_ids(self) -> frozenset[ObjectId]:
        """All members."""
        return frozenset(self.members)

    def is_admin(self, user_id: ObjectId) -> bool:
        """Whether a user is an admin of this group."""
        standing = self.members.get(user_id)
        return not self.direct and standing is not None and standing.role == "admin"


@dataclass(frozen=True, slots=True)
class Marks:
    """How far one member has got and read, from the number after ``joined_seq`` on."""

    joined_seq: int = 0
    delivered_seq: int = 0
    read_seq: int = 0
    read_ahead: frozenset[int] = frozenset()
    cleared_seq: int = -1
    withheld: bool = False

    @property
    def floor(self) -> int:
        """The number up to which nothing counts as unread any more."""
        return max(self.read_seq, self.cleared_seq)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a member's view of a conversation depends on, without its other members."""

    direct: bool
    cleared_seq: int = -1


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A conversation as its list entry needs it of the messages.

    ``last_message`` is thought to be the newest of all, which the viewer may not be able to see;
    ``last_seq`` is the newest one's number; ``marks`` are all members'.
    """

    conversation_id: ObjectId
    direct: bool
    last_message: ObjectId | None
    last_seq: int
    own: Marks
    marks: Mapping[ObjectId, Marks]


def roster_of(conversation: Conversation) -> Roster:
    """The roster that a stored conversation holds."""
    return Roster(
        conversation_id=conversation.id,
        direct=conversation.type == "direct",
        name=conversation.name,
        version=conversation.version,
        members={
            member.user: Standing(member.role, member.joined_seq) for member in conversation.members
        },
    )


def marks_of(roster: Roster, rows: Iterable[Watermark]) -> dict[ObjectId, Marks]:
    """Every member's marks; what was said before one joined counts as read by them."""
    found = {row.user: row for row in rows}
    return {
        user: _marks(standing.joined_seq, found.get(user))
        for user, standing in roster.members.items()
    }


def _marks(joined: int, row: Watermark | None) -> Marks:
    if row is None:
        return Marks(joined, joined, joined)
    read = max(row.read_seq, joined)
    ahead = frozenset(seq for seq in row.read_ahead if seq > read)
    delivered = max(row.delivered_seq, read)
    return Marks(joined, delivered, read, ahead, row.cleared_seq, row.withheld)
