"""The indexes: whatever the services ask of the database is served by one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from bson import ObjectId

from chatme.conversations.wire import GroupChange, PageQuery
from chatme.errors import Invalid
from chatme.messages.models import Message
from chatme.messages.wire import MAX_LISTED_IDS, HistoryQuery, MessageNamed, WordsWanted
from chatme_tests.conversations.engines import AskedEngine, Question
from chatme_tests.conversations.world import Node, World
from chatme_tests.messages.stage import fill
from chatme_tests.plans import plan_of

# What is sorted after it was found, by collection and first field, and why that is enough.
SORTED_LATER: Mapping[tuple[str, str], str] = {
    ("activities", "_id"): "the user's own conversations, by their ids, are few",
}
# What no index answers alone, though it finds it.
COUNTED_ONE_BY_ONE: Mapping[str, str] = {
    "$nin": "the numbers read ahead, at most a thousand, are left out of what the index finds",
    "read_ahead": "one row, by conversation and user",
}


def shape(filter_: Any) -> str:
    """A filter without its values."""
    if isinstance(filter_, dict):
        return "{" + ", ".join(f"{key}: {shape(value)}" for key, value in filter_.items()) + "}"
    if isinstance(filter_, list) and filter_ and isinstance(filter_[0], dict):
        return "[" + ", ".join(map(shape, filter_)) + "]"
    return "[]" if filter_ == [] else "?"


async def scenario(world: World, node: Node) -> None:
    """Everything that people do, at least once."""
    ann, bob, cyd, dan = await world.people("ann", "bob", "cyd", "dan")
    world.sockets.open = {ann, bob}
    talk, tea = await node.direct(ann, bob), await node.group(ann, bob, cyd)
    world.sockets.screens = {tea}
    said = [await node.say(who, place) for who in (ann, bob) for place in (talk, tea)]
    await _read(node, ann, bob, cyd)
    named = MessageNamed(message_id=said[0].id)
    await node.changes.edit(ann, named, "New")
    await node.changes.react(bob, named, "👍")
    await node.changes.unreact(bob, named)
    await node.changes.receipts(ann, named)
    await node.say(bob, talk, reply_to=said[0].id, client_id="c-1")
    await node.say(bob, talk, client_id="c-1")
    await node.blocks.block(bob, ann)
    ahead = [await node.say(who, tea) for who in (cyd, ann, cyd)][-1]
    await node.say(ann, talk)
    await node.read(bob, ahead)
    await node.listed(bob)
    await node.blocks.unblock(bob, ann)
    await node.listed(bob)
    await node.blocks.block(bob, ann)
    await _read(node, ann, bob, cyd)
    await node.blocks.unblock(bob, ann)
    await _read(node, ann, bob, cyd)
    await node.groups.add(ann, tea, [dan])
    await node.groups.set_role(ann, tea, dan, "admin")
    await node.groups.rename(ann, tea, "Coffee")
    await node.groups.remove(ann, tea, cyd)
    await node.changes.delete(ann, named)
    await node.listing.clear(bob, talk)
    await _read(node, ann, bob, dan)
    await node.presence.came(ann)
    await node.presence.view(bob, ann)
    await node.typing.start(ann, tea)
    await node.typing.stop(ann, tea)
    await node.aclose()
    await _be_away_for_long(world, node, (ann, bob, cyd))
    await _send_files(world, node, ann, bob)


async def _be_away_for_long(world: World, node: Node, people: Sequence[ObjectId]) -> None:
    """So much comes that not all of it is listed."""
    ann, bob, cyd = people
    tea = await world.group(ann, bob, cyd)
    await fill(world, tea, cyd, 1)
    await fill(world, tea, ann, MAX_LISTED_IDS)
    world.sockets.open = {ann, bob, cyd}
    await world.node(node.engine).receipts.connected(bob)


async def _send_files(world: World, node: Node, ann: ObjectId, bob: ObjectId) -> None:
    """Pictures come and go."""
    talk, tea = await node.direct(ann, bob), await node.group(ann, bob)
    first, second, third = [await world.upload(ann) for _ in range(3)]
    with pytest.raises(Invalid):
        await node.say(ann, talk, "unknown", type="image")
    await node.pictures.change(ann, tea, GroupChange(avatar=second.public_id))
    await node.pictures.change(ann, tea, GroupChange(avatar=third.url))
    sent = await node.say(ann, talk, first.url, type="image")
    world.clock.move(days=1)
    await node.sweeper.sweep()
    await node.changes.delete(ann, MessageNamed(message_id=sent.id))
    assert [each async for each in node.uploads.held(ann)]
    await node.uploads.owner_erased(ann)


async def _read(node: Node, *users: ObjectId) -> None:
    """Everything that people look at."""
    for user in users:
        await node.say(user, (await node.listed(user))[0].id)
        await node.receipts.connected(user)
        for view in await node.listed(user):
            for item in await node.history(user, view.id):
                await node.messages.history(user, view.id, HistoryQuery(before=item.id))
                await node.messages.history(user, view.id, HistoryQuery(after=item.id))
            await node.read(user, item)
            await node.listing.members(user, view.id, PageQuery())
        await node.listed(user)
        for view in await node.listed(user, limit=1):
            await node.receipts.read_all(user, view.id, None)
        page = await node.listing.page(user, PageQuery(limit=1))
        if page.next:
            await node.listing.page(user, PageQuery(limit=1, cursor=page.next))
        await node.searched(user, "tea")
        for view in await node.listed(user):
            await node.search.in_one(user, view.id, WordsWanted(q="hi tea"))
        await node.search.in_all(user, WordsWanted(q="hi"))
        known = dict.fromkeys(await node.core.ids_of(user), 1)
        for each in ({}, known):
            plan = await node.resume.plan(user, each)
            await node.resume.missed(user, plan.behind, each)


def _model_of(question: Question) -> str:
    return str(question.model.model_config["collection"])


async def test_whatever_is_asked_has_an_index(world: World) -> None:
    """Nothing that the services ask is answered by a full scan, what is paged comes in the order
    of an index, and what is counted is counted in one."""
    asked = AskedEngine(world.engine)
    await scenario(world, Node(asked, world.outside))
    questions = {
        (_model_of(each), each.method, shape(each.filter), each.sort): each for each in asked.asked
    }
    assert len(questions) > 50

    for (collection, method, form, sort), question in questions.items():
        first = next(iter(question.filter))
        stored = world.engine.get_collection(question.model)
        plan = await plan_of(stored, question.filter, sort)
        words = f"{collection}.{method} {form} by {sort}: {plan}"
        assert plan["index"] is not None, words
        assert plan["sorted"] or (collection, first) in SORTED_LATER, words
        if method == "count_documents":
            excused = any(each in form for each in COUNTED_ONE_BY_ONE)
            assert plan["covered"] or excused, words


async def test_a_full_scan_would_show(world: World) -> None:
    """What no index serves is told apart from what one does."""
    stored = world.engine.get_collection(Message)
    plan = await plan_of(stored, {"content": "Hi"}, [("created_at", -1)])

    assert (plan["index"], plan["sorted"]) == (None, False)
