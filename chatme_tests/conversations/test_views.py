"""Conversations as one of their members sees them, a whole page by a few queries."""

from __future__ import annotations

import pytest
from odmantic import AIOEngine

from chatme.conversations.models import Conversation
from chatme.conversations.wire import SHOWN_MEMBERS, ConversationView
from chatme.users.models import User
from chatme_tests.conversations.engines import AskedEngine
from chatme_tests.conversations.world import Node, World, ids


async def _all(engine: AIOEngine) -> list[Conversation]:
    return await engine.find(Conversation, sort=Conversation.created_at)


async def test_a_conversation_is_shown_whole(world: World) -> None:
    """A view holds who is in it and how far each is, the numbers, and what is unread."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    said = [await world.say(bob, talk) for _ in range(3)]
    await world.receipts.connected(ann)
    await world.read(ann, said[0])
    view = (await world.listing.one(ann, talk)).to_plain()

    assert view.pop("lastMessage")["id"] == str(said[2].id)
    people = [{"displayName": name, "avatar": None, "bio": ""} for name in ("ann", "bob")]
    assert view == {
        "id": str(talk),
        "type": "direct",
        "name": None,
        "avatar": None,
        "members": [
            {"user": {"id": str(ann), **people[0]}, "role": "member"}
            | {"deliveredSeq": 3, "readSeq": 1},
            {"user": {"id": str(bob), **people[1]}, "role": "member"}
            | {"deliveredSeq": 0, "readSeq": 0},
        ],
        "memberCount": 2,
        "seq": 3,
        "rev": 3,
        "unreadCount": 2,
        "lastMessageAt": said[2].to_plain()["createdAt"],
        "createdAt": "2040-01-31T12:00:00.000Z",
    }


async def test_each_sees_it_their_own_way(world: World) -> None:
    """Members who see one conversation at once each have their own badge and last message."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    first = await world.say(ann, tea)
    await world.blocks.block(bob, cyd)
    last = await world.say(cyd, tea)
    (stored,) = await _all(world.engine)
    views = await world.views.build_each([ann, bob], stored)

    def shown(view: ConversationView) -> tuple[int, object]:
        assert view.last_message is not None
        return view.unread_count, view.last_message.to_plain()["id"]

    assert {user: shown(view) for user, view in views.items()} == {
        ann: (1, str(last.id)),
        bob: (1, str(first.id)),
    }


async def test_the_first_fifty_are_shown(world: World) -> None:
    """Of a large group a view shows the first 50 members, and counts all."""
    ann, *others = await world.people(*("x" * at for at in range(1, SHOWN_MEMBERS + 3)))
    view = await world.listing.one(ann, await world.group(ann, *others))

    assert [member.user.id for member in view.members] == [ann, *others][:SHOWN_MEMBERS]
    assert view.member_count == SHOWN_MEMBERS + 2


async def test_who_is_gone_is_left_out(world: World) -> None:
    """A member whose user is no longer there is counted and not shown."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    await world.engine.remove(User, User.id == bob)
    view = await world.listing.one(ann, tea)

    assert ([member.user.id for member in view.members], view.member_count) == ([ann], 2)


@pytest.mark.parametrize("many", [2, 20])
async def test_a_page_costs_as_much_as_one(world: World, many: int) -> None:
    """The queries for members, marks and activities do not grow with the page."""
    ann, bob = await world.people("ann", "bob")
    for _ in range(many):
        world.clock.move(seconds=1)
        await world.say(bob, await world.group(ann, bob))
    node, asked = Node(world.engine, world.outside), AskedEngine(world.engine)
    await node.listed(ann)
    watched = Node(asked, world.outside)
    conversations = await _all(world.engine)
    await watched.blocks.blocked_by(ann)
    await watched.log.tails(ids(conversations))
    await watched.users.known_views([bob])
    asked.asked.clear()
    views = await watched.views.build(ann, conversations)

    assert ids(views) == ids(conversations)
    assert [each.unread_count for each in views] == [1] * many
    kinds = [each.method for each in asked.asked]
    assert kinds.count("aggregate") == 4  # users, marks, activities, last messages
    assert kinds.count("count_documents") == many  # each badge, in the index
    assert len(kinds) == 4 + many
