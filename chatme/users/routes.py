"""Users over HTTP."""

from __future__ import annotations

from chatme.errors import Code
from chatme.http.endpoint import Call, Endpoint
from chatme.users.service import UserService
from chatme.users.wire import (
    BlockedUsers,
    Blocking,
    FoundUsers,
    Oneself,
    ProfileChange,
    SearchQuery,
    UserView,
)


async def search(service: UserService, call: Call, query: SearchQuery) -> FoundUsers:
    """Finds users by a part of their name or address.

    At most ten, without the caller and those who blocked the caller; none for a single character.
    """
    return FoundUsers(items=(await service.search(call.caller.user_id, query.q))[: query.limit])


async def one(service: UserService, call: Call) -> UserView:
    """One user, as others see them."""
    return await service.view(call.path_id("user_id"))


async def change(service: UserService, call: Call, body: ProfileChange) -> Oneself:
    """Changes the caller's own profile."""
    return await service.change(call.caller.user_id, body)


async def blocked(service: UserService, call: Call) -> BlockedUsers:
    """Whom the caller blocked."""
    return BlockedUsers(items=await service.blocks.listed(call.caller.user_id))


async def block(service: UserService, call: Call) -> Blocking:
    """Blocks a user, who is not told.

    Neither can begin a conversation with the other, and what they send is hidden meanwhile.
    """
    await service.blocks.block(call.caller.user_id, call.path_id("user_id"))
    return Blocking(blocked=True)


async def unblock(service: UserService, call: Call) -> Blocking:
    """Lifts a block."""
    await service.blocks.unblock(call.caller.user_id, call.path_id("user_id"))
    return Blocking(blocked=False)


ROUTES = (
    Endpoint("GET", "/users/search", search),
    Endpoint("GET", "/users/blocked", blocked),
    Endpoint("PATCH", "/users/me", change, codes=(Code.NOT_FOUND,)),
    Endpoint("GET", "/users/{user_id}", one),
    Endpoint(
        "POST",
        "/users/{user_id}/block",
        block,
        codes=(Code.BAD_REQUEST, Code.VALIDATION_FAILED),
    ),
    Endpoint("DELETE", "/users/{user_id}/block", unblock),
)
