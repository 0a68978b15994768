"""Conversations over HTTP and over the socket."""

from __future__ import annotations

from dataclasses import dataclass

from chatme.conversations.events import Joined
from chatme.conversations.groups import GroupService
from chatme.conversations.listing import ListingService
from chatme.conversations.pictures import PictureService
from chatme.conversations.presence import PresenceService
from chatme.conversations.service import ConversationService
from chatme.conversations.typing import TypingService
from chatme.conversations.wire import (
    ConversationNamed,
    ConversationPage,
    ConversationView,
    DirectWanted,
    GroupChange,
    GroupLeft,
    GroupWanted,
    MemberPage,
    MembersWanted,
    NameQuery,
    NameWanted,
    PageQuery,
    PresenceView,
    RoleWanted,
)
from chatme.errors import Code
from chatme.http.endpoint import Call, Endpoint
from chatme.http.replies import Reply
from chatme.realtime.dispatcher import Client, Command
from chatme.shapes import Shape


@dataclass(frozen=True, slots=True)
class ConversationDoor:
    """What these routes and commands need."""

    conversations: ConversationService
    listing: ListingService
    groups: GroupService
    pictures: PictureService
    typing: TypingService
    presence: PresenceService


class Done(Shape):
    """Nothing more to say."""


async def direct(door: ConversationDoor, call: Call, body: DirectWanted) -> Reply[ConversationView]:
    """The conversation with one other user, made where there was none.

    There is one for each pair, however many ask at once: 201 where it was made just now, 200 where
    it was there.
    """
    view, made = await door.conversations.direct(call.caller.user_id, body.user_id)
    return Reply(view, status=201 if made else 200)


async def group(door: ConversationDoor, call: Call, body: GroupWanted) -> ConversationView:
    """Makes a group.

    The caller is its admin, and need not be among the members that are named.
    """
    return await door.groups.make(call.caller.user_id, body)


async def page(door: ConversationDoor, call: Call, query: PageQuery) -> ConversationPage:
    """The caller's conversations, newest activity first."""
    return await door.listing.page(call.caller.user_id, query)


async def search(door: ConversationDoor, call: Call, query: NameQuery) -> ConversationPage:
    """Finds conversations by a part of their name.

    Groups by their name, direct ones by the other user's.
    """
    return await door.listing.search(call.caller.user_id, query)


async def one(door: ConversationDoor, call: Call) -> ConversationView:
    """One conversation."""
    return await door.listing.one(call.caller.user_id, call.path_id("conversation_id"))


async def clear(door: ConversationDoor, call: Call) -> None:
    """Deletes a conversation for the caller alone.

    What was said up to now is never shown to the caller again; it comes back with the next message.
    """
    await door.listing.clear(call.caller.user_id, call.path_id("conversation_id"))


async def change(door: ConversationDoor, call: Call, body: GroupChange) -> ConversationView:
    """Changes what is given of a group.

    For its admins.
    """
    return await door.pictures.change(call.caller.user_id, call.path_id("conversation_id"), body)


async def rename(door: ConversationDoor, call: Call, body: NameWanted) -> ConversationView:
    """Gives a group another name.

    For its admins.
    """
    return await door.groups.rename(call.caller.user_id, call.path_id("conversation_id"), body.name)


async def members(door: ConversationDoor, call: Call, query: PageQuery) -> MemberPage:
    """A conversation's members."""
    return await door.listing.members(call.caller.user_id, call.path_id("conversation_id"), query)


async def add_members(door: ConversationDoor, call: Call, body: MembersWanted) -> ConversationView:
    """Adds members to a group.

    For its admins. Who is in it already stays as they are; a group has at most 1,024 members.
    """
    return await door.groups.add(
        call.caller.user_id, call.path_id("conversation_id"), body.member_ids
    )


async def remove_member(door: ConversationDoor, call: Call) -> None:
    """Takes a member out of a group.

    Admins anybody, everybody themselves.
    """
    await door.groups.remove(
        call.caller.user_id, call.path_id("conversation_id"), call.path_id("user_id")
    )


async def leave(door: ConversationDoor, call: Call) -> GroupLeft:
    """Leaves a group.

    When the last admin leaves, the longest-standing member becomes admin.
    """
    caller = call.caller.user_id
    await door.groups.remove(caller, call.path_id("conversation_id"), caller)
    return GroupLeft(message="You have left the group.")


async def set_role(door: ConversationDoor, call: Call, body: RoleWanted) -> ConversationView:
    """Makes a member an admin, or an admin a member.

    For admins; a group keeps at least one.
    """
    return await door.groups.set_role(
        call.caller.user_id, call.path_id("conversation_id"), call.path_id("user_id"), body.role
    )


async def presence(door: ConversationDoor, call: Call) -> PresenceView:
    """Whether a user is here, as the caller may know it.

    Offline, since nobody knows when, for who shares no conversation with them or was blocked.
    """
    return await door.presence.view(call.caller.user_id, call.path_id("user_id"))


async def join_conversation(
    door: ConversationDoor, client: Client, data: ConversationNamed
) -> ConversationNamed:
    """Confirms that the socket hears of a conversation; it joins all of the user's by itself."""
    await door.conversations.roster(data.conversation_id, client.principal.user_id)
    client.say(Joined(data))
    return data


async def close_conversation(
    door: ConversationDoor, client: Client, data: ConversationNamed
) -> ConversationNamed:
    """Says that a conversation is no longer on the screen."""
    await door.conversations.roster(data.conversation_id, client.principal.user_id)
    if client.open_conversation == data.conversation_id:
        client.open_conversation = None
    return data


async def typing(door: ConversationDoor, client: Client, data: ConversationNamed) -> Done:
    """Says that the user writes."""
    await door.typing.start(client.principal.user_id, data.conversation_id)
    return Done()


async def stop_typing(door: ConversationDoor, client: Client, data: ConversationNamed) -> Done:
    """Says that the user writes no more."""
    await door.typing.stop(client.principal.user_id, data.conversation_id)
    return Done()


_OF_GROUPS = (Code.FORBIDDEN,)

ROUTES = (
    Endpoint(
        "POST",
        "/conversations/direct",
        direct,
        status=201,
        also=(200,),
        codes=(Code.BLOCKED, Code.NOT_FOUND),
    ),
    Endpoint(
        "POST",
        "/conversations/group",
        group,
        status=201,
        codes=(Code.BLOCKED, Code.NOT_FOUND),
    ),
    Endpoint("GET", "/conversations", page),
    Endpoint("GET", "/conversations/search", search),
    Endpoint("GET", "/conversations/{conversation_id}", one),
    Endpoint("DELETE", "/conversations/{conversation_id}", clear, status=204),
    Endpoint("PATCH", "/conversations/{conversation_id}", change, codes=_OF_GROUPS),
    Endpoint("PATCH", "/conversations/{conversation_id}/name", rename, codes=_OF_GROUPS),
    Endpoint("GET", "/conversations/{conversation_id}/members", members),
    Endpoint(
        "PATCH",
        "/conversations/{conversation_id}/members",
        add_members,
        codes=(*_OF_GROUPS, Code.BLOCKED),
    ),
    Endpoint(
        "DELETE",
        "/conversations/{conversation_id}/members/{user_id}",
        remove_member,
        status=204,
        codes=_OF_GROUPS,
    ),
    Endpoint(
        "PATCH",
        "/conversations/{conversation_id}/members/{user_id}",
        set_role,
        codes=(*_OF_GROUPS, Code.LAST_ADMIN),
    ),
    Endpoint("POST", "/conversations/{conversation_id}/leave", leave, codes=_OF_GROUPS),
    Endpoint("GET", "/users/{user_id}/presence", presence),
)

COMMANDS = (
    Command("join_conversation", join_conversation),
    Command("close_conversation", close_conversation),
    Command("typing", typing),
    Command("stop_typing", stop_typing),
)
