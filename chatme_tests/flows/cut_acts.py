"""What is cut: everything that takes several writes, as its caller asks for it, once or again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chatme.auth.wire import Credentials, Registration
from chatme.conversations.wire import GroupChange, GroupWanted
from chatme.errors import Conflict, NotAuthenticated, NotFound
from chatme.messages.wire import AttachmentName, MessageNamed
from chatme.principal import Peer
from chatme.users.models import User
from chatme.wiring import Services
from chatme_tests.client import PASSWORD
from chatme_tests.flows.cut_scene import Scene

PEER = Peer(address="192.0.2.1", user_agent="test")

UNMADE = "it is of no conversation"
"""What hangs on a conversation is made before it: nobody sees what is left of one that was cut."""

Step = Callable[[Services, Scene], Awaitable[Any]]


async def _nothing(_: Services, __: Scene) -> None:
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody asks for, what must be before, and what must be once it was answered.

    ``writes`` is by how many writes it is done; ``leaves`` is what a cut leaves for a repair;
    ``shuts_out`` is whether Bob is removed from the group by it.
    """

    writes: int
    do: Step
    after: Step
    before: Step = _nothing
    leaves: str = ""
    shuts_out: bool = False


async def _say(services: Services, scene: Scene, **more: Any) -> None:
    content = more.pop("content", "Tea")
    await scene.say(services, scene.ada, scene.group, content, client_id=scene.client_id, **more)


async def _said(_: Services, scene: Scene) -> None:
    assert await scene.contents() == ["Who?", "I!", "Tea"]


async def _show(services: Services, scene: Scene) -> None:
    named = AttachmentName(public_id=scene.upload)
    await _say(services, scene, type="image", attachment=named)


async def _shown(services: Services, scene: Scene) -> None:
    await _said(services, scene)
    row = await scene.row(scene.upload)
    assert row is not None
    assert row.uses


async def _cyd_blocks(services: Services, scene: Scene) -> None:
    await services.users.blocks.block(scene.cyd, scene.ada)


async def _made(services: Services, scene: Scene) -> None:
    wanted = GroupWanted(name="Cake", member_ids=[scene.bob, scene.dan])
    await services.conversations.groups.make(scene.ada, wanted)


async def _is_made(services: Services, scene: Scene) -> None:
    (made, *_) = await services.conversations.conversations.ids_of(scene.dan)
    assert await scene.members(services, made) == {scene.ada, scene.bob, scene.dan}


async def _add(services: Services, scene: Scene) -> None:
    await services.conversations.groups.add(scene.ada, scene.group, [scene.dan])


async def _added(services: Services, scene: Scene) -> None:
    assert await scene.members(services) == {scene.ada, scene.bob, scene.cyd, scene.dan}


async def _remove(services: Services, scene: Scene) -> None:
    with suppress(NotFound):  # it was done before
        await services.conversations.groups.remove(scene.ada, scene.group, scene.bob)


async def _leave(services: Services, scene: Scene) -> None:
    with suppress(NotFound):  # it was done before
        await services.conversations.groups.remove(scene.bob, scene.group, scene.bob)


async def _left(services: Services, scene: Scene) -> None:
    assert await scene.members(services) == {scene.ada, scene.cyd}


async def _promote(services: Services, scene: Scene) -> None:
    await services.conversations.groups.set_role(scene.ada, scene.group, scene.bob, "admin")


async def _promoted(services: Services, scene: Scene) -> None:
    roster = await services.conversations.conversations.members(scene.group)
    assert {user for user in roster.members if roster.is_admin(user)} == {scene.ada, scene.bob}


async def _block(services: Services, scene: Scene) -> None:
    await services.users.blocks.block(scene.bob, scene.ada)


async def _blocked(services: Services, scene: Scene) -> None:
    assert await services.users.blocks.blocked_by(scene.bob) == {scene.ada}


async def _unblock(services: Services, scene: Scene) -> None:
    await services.users.blocks.unblock(scene.bob, scene.ada)


async def _unblocked(services: Services, scene: Scene) -> None:
    assert await services.users.blocks.blocked_by(scene.bob) == set()


async def _clear(services: Services, scene: Scene) -> None:
    await services.conversations.listing.clear(scene.bob, scene.group)


async def _cleared(services: Services, scene: Scene) -> None:
    view = await services.conversations.listing.one(scene.bob, scene.group)
    assert (view.last_message, view.unread_count) == (None, 0)


async def _edit(services: Services, scene: Scene) -> None:
    named = MessageNamed(message_id=scene.second)
    await services.messages.changes.edit(scene.ada, named, "We!")


async def _edited(_: Services, scene: Scene) -> None:
    assert await scene.contents() == ["Who?", "We!"]


async def _delete(services: Services, scene: Scene) -> None:
    named = MessageNamed(message_id=scene.second)
    await services.messages.changes.delete(scene.ada, named)


async def _deleted(_: Services, scene: Scene) -> None:
    assert await scene.contents() == ["Who?", ""]


async def _show_second(services: Services, scene: Scene) -> None:
    named = AttachmentName(public_id=scene.upload)
    scene.second = await scene.say(
        services, scene.ada, scene.group, "", type="image", attachment=named
    )


async def _hidden(_: Services, scene: Scene) -> None:
    assert await scene.contents() == ["Who?", "I!", ""]


async def _react(services: Services, scene: Scene) -> None:
    named = MessageNamed(message_id=scene.second)
    await services.messages.changes.react(scene.cyd, named, "👍")


async def _reacted(services: Services, scene: Scene) -> None:
    found = await services.messages.changes.find(scene.ada, MessageNamed(message_id=scene.second))
    assert [(each.user, each.emoji) for each in found.reactions] == [(scene.cyd, "👍")]


async def _open(services: Services, scene: Scene) -> None:
    await services.messages.receipts.read_all(scene.cyd, scene.group, None)


async def _opened(services: Services, scene: Scene) -> None:
    view = await services.conversations.listing.one(scene.cyd, scene.group)
    assert view.unread_count == 0
    assert await services.notifications.count(scene.cyd) == 0


async def _mark(services: Services, scene: Scene) -> None:
    found = await services.messages.changes.find(scene.cyd, MessageNamed(message_id=scene.first))
    await services.messages.receipts.read_one(scene.cyd, found, None)


async def _marked(services: Services, scene: Scene) -> None:
    view = await services.conversations.listing.one(scene.cyd, scene.group)
    assert view.unread_count == 1


async def _talk(services: Services, scene: Scene) -> None:
    await services.conversations.conversations.direct(scene.ada, scene.cyd)


async def _talking(services: Services, scene: Scene) -> None:
    view, is_new = await services.conversations.conversations.direct(scene.cyd, scene.ada)
    assert not is_new
    assert await scene.members(services, view.id) == {scene.ada, scene.cyd}


async def _register(services: Services, scene: Scene) -> None:
    wanted = {"displayName": "Eve", "email": scene.email, "password": PASSWORD}
    try:
        await services.auth.auth.register(Registration.model_validate(wanted), PEER)
    except Conflict:  # it was done before
        await _registered(services, scene)


async def _registered(services: Services, scene: Scene) -> None:
    credentials = Credentials(email=scene.email, password=PASSWORD)
    await services.auth.auth.login(credentials, PEER)
    assert len(await scene.engine.find(User, User.email == scene.email)) == 1


async def _put_on(services: Services, scene: Scene) -> None:
    scene.portrait = await scene.uploaded("avatar", [f"user:{scene.ada}"])  # each time anew
    await services.uploads.avatars.put_on(scene.ada, await scene.portrait_row())


async def _worn(_: Services, scene: Scene) -> None:
    assert (await scene.user(scene.ada)).avatar_id == scene.portrait


async def _picture(services: Services, scene: Scene) -> None:
    change = GroupChange(avatar=scene.upload)
    await services.conversations.pictures.change(scene.ada, scene.group, change)


async def _pictured(services: Services, scene: Scene) -> None:
    view = await services.conversations.listing.one(scene.ada, scene.group)
    assert view.avatar is not None
    assert view.avatar.endswith(scene.upload)


async def _sign_up(services: Services, scene: Scene) -> None:
    """Eve, who is a member, blocks Bob, and has a picture."""
    await _register(services, scene)
    eve = await services.users.by_email(scene.email)
    assert eve is not None
    scene.dan = eve.id
    await services.conversations.groups.add(scene.ada, scene.group, [eve.id])
    await services.users.blocks.block(eve.id, scene.bob)
    await scene.say(services, eve.id, scene.group, "Bye")


async def _erase(services: Services, scene: Scene) -> None:
    credentials = Credentials(email=scene.email, password=PASSWORD)
    with suppress(NotAuthenticated):  # it was done before, or goes on by itself
        grant: Any = await services.auth.auth.login(credentials, PEER)
        principal = await services.auth.auth.authenticate(grant.access_token)
        await services.accounts.accounts.erase(principal, PASSWORD)


async def _erased(services: Services, scene: Scene) -> None:
    await services.accounts.accounts.finish_erasures()
    assert await scene.members(services) == {scene.ada, scene.bob, scene.cyd}
    assert (await scene.user(scene.dan)).display_name == "Deleted user"
    assert await services.users.blocks.blocked_by(scene.dan) == set()


async def _reply(services: Services, scene: Scene) -> None:
    await _say(services, scene, reply_to=scene.first)


async def _send_again(services: Services, scene: Scene) -> None:
    await _say(services, scene, content="Other")


ACTS: Mapping[str, Act] = {
    "send": Act(3, _say, _said),
    "send a reply": Act(3, _reply, _said),
    "send past a block": Act(4, _say, _said, _cyd_blocks),
    "send an upload": Act(4, _show, _shown),
    "send again": Act(3, _send_again, _said, _say),
    "make a group": Act(4, _made, _is_made, leaves=UNMADE),
    "add": Act(3, _add, _added),
    "remove": Act(2, _remove, _left, shuts_out=True),
    "leave": Act(1, _leave, _left),
    "promote": Act(1, _promote, _promoted),
    "block": Act(1, _block, _blocked),
    "unblock": Act(1, _unblock, _unblocked, _block),
    "clear": Act(2, _clear, _cleared),
    "edit": Act(2, _edit, _edited),
    "delete": Act(2, _delete, _deleted),
    "delete an upload": Act(6, _delete, _hidden, _show_second),
    "react": Act(1, _react, _reacted),
    "open": Act(2, _open, _opened),
    "mark": Act(2, _mark, _marked),
    "talk": Act(3, _talk, _talking, leaves=UNMADE),
    "register": Act(2, _register, _registered),
    "put a picture on": Act(1, _put_on, _worn),
    "put another picture on": Act(5, _put_on, _worn, _put_on),
    "picture a group": Act(2, _picture, _pictured),
    "erase an account": Act(10, _erase, _erased, _sign_up),
}
