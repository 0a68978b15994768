"""Messages as callers see them."""

from __future__ import annotations

from typing import Annotated, Literal

import emoji
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from chatme.conversations.wire import MessageInList
from chatme.http.paging import CursorText, Limit, Page
from chatme.messages.models import Message
from chatme.ports import MessageKind
from chatme.shapes import NOT_BLANK, Id, Omittable, Says, Shape, Text, Timestamp
from chatme.users.wire import UserView

MAX_CONTENT = 4000
MAX_RECEIPT_ROWS = 16
PREVIEW = 100
MAX_LISTED_IDS = 500
MAX_EMOJI_BYTES = 32
MAX_RESUMED_NAMES = 10_000
MAX_SEARCH = 200

Status = Literal["sent", "delivered", "read"]


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be only white space")
    return value


def _one_emoji(value: str) -> str:
    if len(value.encode()) > MAX_EMOJI_BYTES or not emoji.is_emoji(value):
        raise PydanticCustomError("emoji", "must be one emoji of at most 32 bytes")
    return value


Content = Annotated[Text, Field(max_length=MAX_CONTENT)]
NonBlank = Annotated[Content, Field(min_length=1), AfterValidator(_not_blank), Says(NOT_BLANK)]
Emoji = Annotated[Text, Field(min_length=1), AfterValidator(_one_emoji)]
KnownRev = Annotated[int, Field(ge=0, le=2**53)]
ClientId = Annotated[Text, Field(min_length=1, max_length=64)]


class AttachmentName(Shape):
    """An upload of the sender's own."""

    public_id: Annotated[Text, Field(min_length=1, max_length=256)]


class MessageDraft(Shape):
    """What a caller sends; beside an upload ``content`` is a caption, or names it by its URL."""

    content: Content = ""
    type: MessageKind = "text"
    reply_to: Omittable[Id] = None
    attachment: Omittable[AttachmentName] = None
    client_id: Omittable[ClientId] = None


class SendMessage(MessageDraft):
    """The same over the socket, with where it goes."""

    conversation_id: Id


class AttachmentView(Shape):
    """An upload that a message shows; what does not apply, or is not known, is null."""

    url: str
    public_id: str
    name: str | None
    size: int | None
    mime_type: str | None
    width: int | None
    height: int | None
    duration: float | None
    thumbnail_url: str | None


class ReplyView(Shape):
    """The message that another one answers, in short."""

    id: Id
    sender_id: Id
    type: MessageKind
    content: str


class Receipt(Shape):
    """How far one recipient is with one message."""

    user_id: Id
    status: Status


class ReceiptCounts(Shape):
    """How far the recipients are; who has read has also got it."""

    recipients: int
    delivered: int
    read: int


class ReactionView(Shape):
    """One user's emoji."""

    user_id: Id
    emoji: str


class MessageView(MessageInList):
    """A message. In conversations of over 16 members ``receipts`` is empty."""

    id: Id
    conversation_id: Id
    seq: int
    rev: int
    client_id: str | None
    sender: UserView
    type: MessageKind
    content: str
    attachment: AttachmentView | None
    reply_to: ReplyView | None
    receipts: list[Receipt]
    receipt_counts: ReceiptCounts
    reactions: list[ReactionView]
    is_edited: bool
    edited_at: Timestamp | None
    is_deleted: bool
    created_at: Timestamp


class MessagePage(Page):
    """Messages, newest first; ``next`` goes into ``before`` (or ``after``, if that was given)."""

    items: list[MessageView]


class Highlight(Shape):
    """A part of a message's content, from ``start`` up to ``end``, in UTF-16 code units: what
    JavaScript's ``content.slice(start, end)`` takes."""

    start: int
    end: int


class FoundMessage(MessageView):
    """A message that a search found, and where: at most 50 parts, in order."""

    highlights: list[Highlight]


class FoundPage(Page):
    """Messages that were found, newest first.

    A page may be shorter than asked for, even empty, while ``next`` says that there is more to
    search: no page looks at more than a bounded number of messages.
    """

    items: list[FoundMessage]


class WordsWanted(Shape):
    """What to search messages for: at most ten words, each as a word begins."""

    q: Annotated[Text, Field(max_length=MAX_SEARCH)]
    limit: Limit = 30
    cursor: Omittable[CursorText] = None


class HeldMessage(Shape):
    """A message as its sender takes it along: as it was written, without what others did to it."""

    id: Id
    conversation_id: Id
    seq: int
    client_id: str | None
    type: MessageKind
    content: str
    attachment: AttachmentView | None
    reply_to_id: Id | None
    is_deleted: bool
    edited_at: Timestamp | None
    created_at: Timestamp


class HeldReaction(Shape):
    """A reaction as its user takes it along."""

    conversation_id: Id
    message_id: Id
    emoji: str


class HistoryQuery(Shape):
    """Which part of a history: before and after are ids of messages."""

    limit: Limit = 30
    before: Omittable[Id] = None
    after: Omittable[Id] = None


class MessageSent(Shape):
    """The answer to `SendMessage`."""

    message: MessageView


class ConversationRead(Shape):
    """A conversation, and up to which number it is read."""

    conversation_id: Id
    read_seq: int


class MessageNamed(Shape):
    """A message; a conversation that does not fit makes it unknown."""

    message_id: Id
    conversation_id: Omittable[Id] = None


class MessageEdit(MessageNamed):
    """A message's other words."""

    content: NonBlank


class ReactionWanted(MessageNamed):
    """One emoji for a message."""

    emoji: Emoji


class MessageNamedAnswer(Shape):
    """The message that the work was done on."""

    message_id: Id


class ReactionAnswer(MessageNamedAnswer):
    """The emoji that is there now."""

    emoji: str


class ReceiptList(Shape):
    """Every recipient of a message."""

    items: list[Receipt]
    next: None = None


class DeliveredData(Shape):
    """Which messages reached whom; ``upToSeq``, where it is a number, means all up to it."""

    conversation_id: Id
    message_ids: list[Id]
    up_to_seq: int | None
    recipient_ids: list[Id]


class ReadData(Shape):
    """Which messages one member has read; ``upToSeq`` as in `DeliveredData`."""

    conversation_id: Id
    message_ids: list[Id]
    up_to_seq: int | None
    read_by: Id
    read_at: Timestamp


class EditedData(Shape):
    """A message's other words."""

    conversation_id: Id
    message_id: Id
    rev: int
    content: str
    edited_at: Timestamp


class DeletedData(Shape):
    """Which message is only a tombstone now, and by whom."""

    conversation_id: Id
    message_id: Id
    rev: int
    deleted_by: Id


class ReactionData(Shape):
    """Whose emoji came to a message, or went."""

    conversation_id: Id
    message_id: Id
    rev: int
    user_id: Id
    emoji: str


class ResumeWanted(Shape):
    """What a client knows: the revision of each conversation, by its id."""

    conversations: dict[str, KnownRev] = Field(default_factory=dict, max_length=MAX_RESUMED_NAMES)


class Resumed(Shape):
    """Up to which revision a conversation was sent; ``limited``: not all, the rest by history."""

    rev: int
    limited: bool


class ResumeAnswer(Shape):
    """What was sent, by conversation; ``complete`` is false where the client should ask again."""

    conversations: dict[str, Resumed]
    complete: bool


def attachment_view(message: Message) -> AttachmentView | None:
    """The upload that a message shows, if any."""
    attachment = message.attachments[0] if message.attachments else None
    return AttachmentView(**attachment.model_dump()) if attachment else None
