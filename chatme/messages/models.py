"""Messages as they are stored.

``seq`` and ``rev`` are allocated by the insert itself, under unique indexes: whoever inserts
``last + 1`` second clashes and tries again, so there is no hole and nothing is seen out of turn.

``revs`` holds the message's latest revisions, the present one last. The unique index is over all
of them, not over ``rev`` alone: otherwise a message that changes twice would set its middle
revision free, and a writer that had read the state before could take it, below what readers have
seen already.
"""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId
from odmantic import EmbeddedModel, Field, Model
from odmantic.config import ODMConfigDict

from chatme.ports import MessageKind
from chatme.storage.atomic import index

KEPT_REVS = 256
"""How many revisions stay taken: a writer would have to sleep through so many changes of one
message, between its read and its write, to take one that was set free."""


class Reaction(EmbeddedModel):
    """One user's emoji."""

    user: ObjectId
    emoji: str


class Attachment(EmbeddedModel):
    """An upload that a message shows."""

    url: str
    public_id: str
    name: str | None = None
    size: int | None = None
    mime_type: str | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    thumbnail_url: str | None = None


class Message(Model):
    """One message; a deleted one stays as a tombstone without content."""

    conversation: ObjectId
    seq: int
    rev: int
    first_rev: int
    revs: list[int]
    client_id: str | None = None
    sender: ObjectId
    type: MessageKind = "text"
    content: str = ""
    #: At most one: ODMantic knows lists of embedded models, but no optional one.
    attachments: list[Attachment] = Field(default_factory=list)
    reply_to: ObjectId | None = None
    reactions: list[Reaction] = Field(default_factory=list)
    #: Who had blocked the sender as it was sent: to the sender it is never delivered to them.
    withheld_from: list[ObjectId] = Field(default_factory=list)
    edited_at: datetime | None = None
    is_deleted: bool = False
    created_at: datetime

    model_config = ODMConfigDict(
        collection="messages",
        indexes=lambda: (
            index("conversation", "seq", name="seq", unique=True),
            index("conversation", "revs", name="revs", unique=True),
            index("conversation", "rev", name="rev"),
            index("conversation", "sender", "seq", name="sender"),
            index("conversation", "words", "_id", name="words"),
            index(
                "reactions.user",
                "_id",
                name="reactions",
                partial={"reactions.user": {"$exists": True}},
            ),
            index(
                "withheld_from",
                "conversation",
                "seq",
                name="withheld",
                partial={"withheld_from": {"$exists": True}},
            ),
            # "$gt" an empty string leaves out null: a message need not have a client's id.
            index(
                "sender",
                "client_id",
                name="client",
                unique=True,
                partial={"client_id": {"$gt": ""}},
            ),
        ),
    )
