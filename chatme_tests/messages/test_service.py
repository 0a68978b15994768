"""The rules for messages: who may send what, who sees which, and what a crash leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

from chatme.conversations.models import Activity
from chatme.errors import Invalid, NotFound, Unavailable
from chatme.messages.models import Message
from chatme.messages.wire import HistoryQuery, MessageDraft, MessageNamed, MessageView
from chatme_tests.conversations.engines import (
    AskedEngine,
    CountingEngine,
    Crash,
    CutEngine,
    DyingEngine,
    HeldEngine,
)
from chatme_tests.conversations.world import Node, World, ids


async def _page(
    world: World, user: ObjectId, conversation: ObjectId, **query: Any
) -> tuple[list[int], ObjectId | None]:
    page = await world.messages.history(user, conversation, HistoryQuery(**query))
    return [each.seq for each in page.items], ObjectId(page.next) if page.next else None


async def test_a_message_goes_to_all_members(world: World) -> None:
    """What is sent is announced to every member, the sender's own sockets included, and told to
    the others as a notification."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    world.forget()
    message = await world.say(ann, tea, "Hello", client_id="c-1")

    (heard,) = world.ears.heard
    assert (heard.event.name, sorted(heard.users)) == ("new_message", sorted([ann, bob, cyd]))
    assert heard.event.data == message
    assert (message.seq, message.rev, message.content, message.client_id) == (1, 1, "Hello", "c-1")
    assert (message.sender.id, message.sender.display_name) == (ann, "ann")
    assert {each.user_id: each.status for each in message.receipts} == {bob: "sent", cyd: "sent"}
    assert world.notes.told == [
        (
            "arrived",
            {
                "conversation_id": tea,
                "message_id": message.id,
                "sender_id": ann,
                "sender_name": "ann",
                "kind": "text",
                "content": "Hello",
                "users": {bob, cyd},
            },
        )
    ]
    assert await world.history(bob, tea) == [message]
    (activity,) = await world.engine.find(Activity)
    assert (activity.last_message, activity.seq) == (message.id, 1)
    assert activity.last_at == message.created_at


async def test_messages_come_in_order(world: World) -> None:
    """A hundred sends at once are announced by their numbers, 1 to 100, as history shows them."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await asyncio.gather(*(world.say((ann, bob)[at % 2], talk, str(at)) for at in range(100)))

    told: list[MessageView] = world.heard("new_message")
    assert [each.seq for each in told] == list(range(1, 101))
    assert ids(await world.history(ann, talk)) == ids(told)
    first, second = await world.listed(ann), await world.listed(bob)
    assert [each[0].last_message_at for each in (first, second)] == [told[-1].created_at] * 2


async def test_a_client_id_is_one_message(world: World) -> None:
    """However often and through however many processes one client id is sent, it is one message,
    announced once, with the same answer; notified are only those who were not here."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    nodes = world.node(), world.node()
    world.forget()
    answers = await asyncio.gather(
        *(nodes[at % 2].say(ann, talk, client_id="same") for at in range(10))
    )

    assert len({each.id for each in answers}) == 1
    assert world.ears.names == ["new_message"]
    told = [note for kind, note in world.notes.told if kind == "arrived"]
    assert {(each["message_id"], *each["users"]) for each in told} == {(answers[0].id, bob)}
    world.notes.told.clear()
    world.sockets.open.add(bob)
    await world.say(ann, talk, client_id="same")
    await world.receipts.read_all(bob, talk, None)
    world.sockets.open.clear()
    await world.say(ann, talk, client_id="same")
    assert [kind for kind, _ in world.notes.told] == ["read"]
    assert ids(await world.history(bob, talk)) == [answers[0].id]
    assert (await world.say(bob, talk, client_id="same")).seq == 2


async def test_what_was_sent_stays_sent(world: World) -> None:
    """The same client id is answered with the message also after the sender has left, with other
    content, and as the message now stands; but nothing of others is shown to who has left."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    question = await world.say(ann, tea, "Who?")
    sent = await world.say(bob, tea, client_id="same", reply_to=question.id)
    named = MessageNamed(message_id=sent.id)
    await world.changes.react(ann, named, "👍")
    await world.receipts.read_all(ann, tea, None)
    again = await world.say(bob, tea, "Other", client_id="same")
    assert (again.id, again.content, again.receipts[0].status) == (sent.id, "Hi", "read")
    await world.groups.remove(ann, tea, bob)
    for content in ("Hi", " "):
        gone = await world.say(bob, tea, content, client_id="same")
        assert (gone.id, gone.content, gone.receipts) == (sent.id, "Hi", [])
        assert (gone.reply_to, gone.reactions) == (None, [])
    with pytest.raises(NotFound):
        await world.say(bob, tea, client_id="other")


@pytest.mark.parametrize("content", ["", " ", "\n\t\u00a0\u2003"])
async def test_a_text_says_something(world: World, content: str) -> None:
    """Nothing, and only white space, is no text."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    with pytest.raises(Invalid) as invalid:
        await world.say(ann, talk, content)

    assert [fault.field for fault in invalid.value.faults] == ["content"]
    assert await world.engine.count(Message) == 0


async def test_strangers_neither_send_nor_read(world: World) -> None:
    """Who is no member is told that there is no such conversation."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk = await world.direct(ann, bob)
    for where in (talk, ObjectId()):
        with pytest.raises(NotFound):
            await world.say(cyd, where)
        with pytest.raises(NotFound):
            await world.history(cyd, where)


async def test_an_answer_quotes_what_the_sender_sees(world: World) -> None:
    """An answer shows what it answers, in short; what is elsewhere, hidden or cleared cannot be
    answered."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob, cyd)
    first, foreign = await world.say(bob, talk, "x" * 150), await world.say(cyd, tea)
    answer = await world.say(ann, talk, reply_to=first.id)
    assert answer.reply_to is not None
    assert answer.reply_to.to_plain() == {
        "id": str(first.id),
        "senderId": str(bob),
        "type": "text",
        "content": "x" * 100,
    }
    await world.blocks.block(ann, cyd)
    await world.listing.clear(ann, talk)
    for where, what in ((talk, foreign.id), (tea, foreign.id), (talk, first.id), (tea, ObjectId())):
        with pytest.raises(NotFound):
            await world.say(ann, where, reply_to=what)
    assert (await world.say(bob, talk, reply_to=first.id)).reply_to is not None
    (shown,) = await world.history(ann, talk)
    assert shown.reply_to is None


async def test_history_is_paged_both_ways(world: World) -> None:
    """Pages are newest first and meet without gap or repeat, backwards and forwards."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    seqs = {seq: (await world.say(ann, talk)).id for seq in range(1, 8)}

    assert await _page(world, bob, talk, limit=3) == ([7, 6, 5], seqs[5])
    assert await _page(world, bob, talk, limit=3, before=seqs[5]) == ([4, 3, 2], seqs[2])
    assert await _page(world, bob, talk, limit=3, before=seqs[2]) == ([1], None)
    assert await _page(world, bob, talk, limit=3, after=seqs[1]) == ([4, 3, 2], seqs[4])
    assert await _page(world, bob, talk, limit=3, after=seqs[4]) == ([7, 6, 5], None)
    assert await _page(world, bob, talk, after=seqs[7]) == ([], None)
    assert await _page(world, bob, talk, after=seqs[2], before=seqs[6]) == ([5, 4, 3], None)
    assert await _page(world, bob, talk, limit=2, after=seqs[1], before=seqs[6]) == (
        [5, 4],
        seqs[4],
    )
    for query in ({"before": ObjectId()}, {"after": ObjectId()}):
        with pytest.raises(NotFound):
            await _page(world, bob, talk, **query)


async def test_a_block_withholds(world: World) -> None:
    """What is sent to who blocks the sender looks sent to them, reaches the others, and the
    blocker neither hears of it nor sees it."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob, cyd)
    before = await world.say(ann, tea)
    await world.blocks.block(bob, ann)
    world.forget()
    in_tea, in_talk = await world.say(ann, tea), await world.say(ann, talk)

    assert world.names_heard(bob) == []
    assert {user for _, note in world.notes.told for user in note["users"]} == {cyd}
    assert {each.user_id: each.status for each in in_talk.receipts} == {bob: "sent"}
    assert ids(await world.history(cyd, tea)) == [before.id, in_tea.id]
    assert await world.history(bob, tea) == []
    assert [await world.unread(bob, each) for each in (tea, talk)] == [0, 0]
    await world.blocks.unblock(bob, ann)
    assert ids(await world.history(bob, tea)) == [before.id, in_tea.id]
    assert await world.history(bob, talk) == []
    assert [await world.unread(bob, each) for each in (tea, talk)] == [2, 0]


@pytest.mark.parametrize("members", [2, 40])
async def test_a_send_costs_four_round_trips(world: World, members: int) -> None:
    """Whatever the number of members, a send to a conversation in use costs two writes, and at
    most two reads."""
    ann, *others = await world.people(*("x" * at for at in range(1, members + 1)))
    tea = await world.group(ann, *others)
    asked = AskedEngine(world.engine)
    node = Node(asked, world.outside)
    await node.say(ann, tea)
    asked.asked.clear()
    await node.say(ann, tea)
    counting = CountingEngine(world.engine)
    await Node(counting, world.outside).say(ann, tea)

    assert counting.made == ["messages.insert_one", "activities.update_one"]
    assert [each.method for each in asked.asked if each.method != "update_one"] == []


@pytest.mark.parametrize("late", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(4))
async def test_a_crash_leaves_a_message_or_none(world: World, at: int, late: bool) -> None:
    """Wherever a send is cut, every member sees the message or none does; sent again it is there
    once, without a hole, and the lists agree."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea, other = await world.group(ann, bob, cyd), await world.group(ann, bob)
    await world.say(bob, tea)
    await world.say(bob, other)
    await world.blocks.block(cyd, ann)
    world.clock.move(seconds=1)
    dying = DyingEngine(world.engine, at, late=late)
    draft = MessageDraft(content="Hello", client_id="c-1")
    finished = True
    try:
        await world.node(dying).messages.send(ann, tea, draft)
    except Crash:
        finished = False
    assert finished == (at == 3)
    expected = ["watermarks.update_many", "messages.insert_one", "activities.update_one"]
    assert dying.made == expected[: at + 1]

    after = world.node()
    there = at > 1 or (at == 1 and late)
    for user in (ann, bob):
        shown, one = await after.history(user, tea), await after.listing.one(user, tea)
        assert len(shown) == one.seq == 1 + there
        assert one.last_message == shown[-1]
    again = await after.messages.send(ann, tea, draft)
    assert (again.seq, again.content) == (2, "Hello")
    for user in (ann, bob):
        first, _ = await after.listed(user)
        assert (first.id, first.last_message_at, first.seq) == (tea, again.created_at, 2)
    assert [each.seq for each in await after.history(bob, tea)] == [1, 2]
    assert (await after.say(bob, tea)).seq == 3
    assert [await after.unread(user, tea) for user in (ann, bob)] == [2, 1]


@pytest.mark.parametrize("late", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(3))
async def test_an_absence_leaves_a_message_or_none(world: World, at: int, late: bool) -> None:
    """Where the database is away in the middle of a send, its sender is told so, and what is in the
    log all the same is announced once, told to the absent and listed, in its order."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    await world.blocks.block(cyd, ann)
    world.forget()
    node = world.node(CutEngine(world.engine, at, late=late))
    draft = MessageDraft(content="Hello", client_id="c-1")
    with pytest.raises((Unavailable, AutoReconnect)):
        await node.messages.send(ann, tea, draft)
    there = at > 1 or (at == 1 and late)
    await node.say(bob, tea, "And?")
    again = await node.messages.send(ann, tea, draft)
    await node.aclose()

    said = ["Hello", "And?"] if there else ["And?", "Hello"]
    assert [each.content for each in world.heard("new_message", by=bob)] == said
    assert [each.content for each in await world.history(ann, tea)] == said
    assert again.seq == said.index("Hello") + 1
    told = [note for kind, note in world.notes.told if kind == "arrived"]
    assert {user for each in told if each["content"] == "Hello" for user in each["users"]} == {bob}
    (activity,) = await world.engine.find(Activity, Activity.id == tea)
    assert activity.seq == 2


async def test_who_gives_up_stops_nothing(world: World) -> None:
    """A sender who is cut off in the middle of a send has sent it: it is announced all the same."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    world.forget()
    held = HeldEngine(world.engine, "messages.insert_one", late=True)
    node = world.node(held)
    sending = asyncio.create_task(node.say(ann, talk, "Hello"))
    await held.begun.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert world.ears.names == []
    held.go.set()
    await node.aclose()

    assert world.ears.names == ["new_message"]
    assert [kind for kind, _ in world.notes.told] == ["arrived"]
    assert (await world.say(bob, talk)).seq == 2


async def test_a_message_comes_back_to_a_cleared_list_by_the_retry(world: World) -> None:
    """Where a send was cut before the lists knew, who had deleted the conversation sees it again
    once the send is repeated."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await world.say(ann, talk)
    await world.listing.clear(bob, talk)
    dying = world.node(DyingEngine(world.engine, 1))
    with pytest.raises(Crash):
        await dying.say(ann, talk, client_id="c-1")
    node = world.node()
    assert await node.listed(bob) == []
    await node.say(ann, talk, client_id="c-1")

    assert [each.unread_count for each in await node.listed(bob)] == [1]
