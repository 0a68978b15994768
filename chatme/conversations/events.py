"""What happens to conversations, as sockets hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chatme.conversations.wire import (
    ConversationNamed,
    ConversationView,
    MemberAddedData,
    MemberNamed,
    UserNamed,
    WentOffline,
)


@dataclass(frozen=True, slots=True)
class ConversationCreated:
    """A conversation was made, or somebody was added to it."""

    name: ClassVar[str] = "conversation_created"
    data: ConversationView


@dataclass(frozen=True, slots=True)
class ConversationUpdated:
    """A conversation's name, picture or roles changed."""

    name: ClassVar[str] = "conversation_updated"
    data: ConversationView


@dataclass(frozen=True, slots=True)
class ConversationRemoved:
    """The conversation is no longer in this user's list."""

    name: ClassVar[str] = "conversation_removed"
    data: ConversationNamed


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """Somebody came into a group."""

    name: ClassVar[str] = "member_added"
    data: MemberAddedData


@dataclass(frozen=True, slots=True)
class MemberRemoved:
    """Somebody left a group, or was removed."""

    name: ClassVar[str] = "member_removed"
    data: MemberNamed


@dataclass(frozen=True, slots=True)
class Joined:
    """This socket hears of the conversation."""

    name: ClassVar[str] = "joined"
    data: ConversationNamed


@dataclass(frozen=True, slots=True)
class UserTyping:
    """Somebody is writing."""

    name: ClassVar[str] = "user_typing"
    data: MemberNamed


@dataclass(frozen=True, slots=True)
class UserStoppedTyping:
    """Somebody no longer is writing."""

    name: ClassVar[str] = "user_stopped_typing"
    data: MemberNamed


@dataclass(frozen=True, slots=True)
class UserOnline:
    """Somebody is here."""

    name: ClassVar[str] = "user_online"
    data: UserNamed


@dataclass(frozen=True, slots=True)
class UserOffline:
    """Somebody is away."""

    name: ClassVar[str] = "user_offline"
    data: WentOffline


EVENTS = (
    ConversationCreated,
    ConversationUpdated,
    ConversationRemoved,
    MemberAdded,
    MemberRemoved,
    Joined,
    UserTyping,
    UserStoppedTyping,
    UserOnline,
    UserOffline,
)
