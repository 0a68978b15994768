"""Conversations as callers see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny

from chatme.http.paging import CursorText, Limit, Page
from chatme.shapes import Id, Omittable, Says, Shape, Timestamp, Trimmed
from chatme.uploads.wire import UploadName
from chatme.users.wire import SoughtName, UserView

MAX_MEMBERS = 1024
SHOWN_MEMBERS = 50

Role = Literal["admin", "member"]
_NAME = r"^\s*[^\s\x00]([^\x00]{0,98}[^\s\x00])?\s*$"
_NAME_TEXT = "1 to 100 characters; white space around them does not count."
GroupName = Annotated[
    Trimmed, Field(min_length=1, max_length=100), Says(_NAME, text=_NAME_TEXT, trimmed=True)
]
MemberIds = Annotated[list[Id], Field(min_length=1, max_length=MAX_MEMBERS - 1)]


class MemberView(Shape):
    """A member, and how far they have got and read."""

    user: UserView
    role: Role
    delivered_seq: int
    read_seq: int


class MessageInList(Shape):
    """What a list needs to know of a message's shape, which it passes on whole."""

    created_at: Timestamp


class ConversationView(Shape):
    """A conversation as one of its members sees it; at most the first 50 members."""

    id: Id
    type: Literal["direct", "group"]
    name: str | None
    avatar: str | None
    members: list[MemberView]
    member_count: int
    seq: int
    rev: int
    unread_count: int
    last_message: SerializeAsAny[MessageInList] | None
    last_message_at: Timestamp | None
    created_at: Timestamp


class ConversationPage(Page):
    """Conversations, newest activity first."""

    items: list[ConversationView]


class MemberPage(Page):
    """Members, longest-standing first."""

    items: list[MemberView]


class MembersWanted(Shape):
    """Whom to add to a group."""

    member_ids: MemberIds


class RoleWanted(Shape):
    """What a member becomes."""

    role: Role


class NameWanted(Shape):
    """A group's new name."""

    name: GroupName


class GroupChange(Shape):
    """What changes of a group; what is left out stays.

    ``avatar`` is the public id or the URL of an image that the caller uploaded; null takes the
    picture away.
    """

    name: Omittable[GroupName] = None
    avatar: UploadName | None = None


class MemberAddedData(Shape):
    """Who came into which conversation."""

    conversation_id: Id
    user: UserView
    role: Role


class MemberNamed(Shape):
    """A user in a conversation."""

    conversation_id: Id
    user_id: Id


class WentOffline(Shape):
    """Who is away, since when."""

    user_id: Id
    last_seen_at: Timestamp


class UserNamed(Shape):
    """A user."""

    user_id: Id


class PresenceView(Shape):
    """Whether a user is here, and when they last were."""

    is_online: bool
    last_seen_at: Timestamp | None


class GroupLeft(Shape):
    """The end of a membership, in words."""

    message: str


class DirectWanted(Shape):
    """With whom to talk."""

    user_id: Id


class GroupWanted(Shape):
    """A new group, the caller aside."""

    name: GroupName
    member_ids: MemberIds


class PageQuery(Shape):
    """Which part of a list."""

    limit: Limit = 50
    cursor: Omittable[CursorText] = None


class NameQuery(PageQuery):
    """A part of a conversation's name, plain text, and which part of what is found."""

    q: SoughtName


class ConversationNamed(Shape):
    """A conversation."""

    conversation_id: Id


class HeldMembership(Shape):
    """A conversation as somebody takes it along; role and name are null where they have left it."""

    conversation_id: Id
    type: Literal["direct", "group"]
    name: str | None
    role: Role | None
    joined_at: Timestamp | None
    delivered_seq: int
    read_seq: int
