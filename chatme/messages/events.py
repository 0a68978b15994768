"""What happens to messages, as sockets hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chatme.messages.wire import (
    DeletedData,
    DeliveredData,
    EditedData,
    MessageView,
    ReactionData,
    ReadData,
)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message came."""

    name: ClassVar[str] = "new_message"
    data: MessageView


@dataclass(frozen=True, slots=True)
class MessageUpdated:
    """A message as it now stands; only in answer to `resume`."""

    name: ClassVar[str] = "message_updated"
    data: MessageView


@dataclass(frozen=True, slots=True)
class MessagesDelivered:
    """Messages reached recipients; to the senders."""

    name: ClassVar[str] = "messages_delivered"
    data: DeliveredData


@dataclass(frozen=True, slots=True)
class MessagesRead:
    """Messages were read; to the senders and the reader's other sockets."""

    name: ClassVar[str] = "messages_read"
    data: ReadData


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """A message has other words."""

    name: ClassVar[str] = "message_edited"
    data: EditedData


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """A message is only a tombstone now."""

    name: ClassVar[str] = "message_deleted"
    data: DeletedData


@dataclass(frozen=True, slots=True)
class ReactionAdded:
    """An emoji came to a message."""

    name: ClassVar[str] = "message_reaction_added"
    data: ReactionData


@dataclass(frozen=True, slots=True)
class ReactionRemoved:
    """An emoji went from a message."""

    name: ClassVar[str] = "message_reaction_removed"
    data: ReactionData


EVENTS = (
    NewMessage,
    MessageUpdated,
    MessagesDelivered,
    MessagesRead,
    MessageEdited,
    MessageDeleted,
    ReactionAdded,
    ReactionRemoved,
)
