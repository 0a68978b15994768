"""The log of a conversation: numbers and revisions, from one process and from several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from bson import ObjectId

from chatme.errors import NotFound, Unavailable
from chatme.messages.log import ATTEMPTS, AlreadySent, MessageLog
from chatme.messages.models import KEPT_REVS, Message
from chatme.storage import atomic
from chatme_tests.conversations.engines import (
    AskedEngine,
    Crash,
    DyingEngine,
    GatedEngine,
    HeldEngine,
)
from chatme_tests.conversations.world import World
from chatme_tests.fakes import RecordingMeter
from chatme_tests.messages.stage import made

TEA = ObjectId()
ANN = ObjectId()


def _message(content: str = "", conversation: ObjectId = TEA, **more: Any) -> Message:
    return made(conversation, more.pop("sender", ANN), content=content, **more)


def _to(content: str) -> Mapping[str, Any]:
    return {"content": content}


async def _add(log: MessageLog, content: str = "", **more: Any) -> Message:
    message = _message(content, **more)
    await log.append(message)
    return message


async def _write(log: MessageLog, message: Message, kind: str) -> Message:
    """A new message, or a change of one."""
    if kind == "append":
        return await _add(log, "late")
    return (await log.change(message.id, lambda _: _to("late")))[0]


async def _stored(world: World) -> list[Message]:
    return await world.engine.find(Message, Message.conversation == TEA, sort=Message.seq)


async def _taken(world: World) -> list[int]:
    """All revisions that messages hold or held."""
    return sorted(rev for message in await _stored(world) for rev in message.revs)


async def test_a_message_gets_the_next_numbers(world: World) -> None:
    """The first message is 1, each gets the next number, and a change takes a revision alone."""
    one, two = await _add(world.log, "one"), await _add(world.log, "two")
    changed, did = await world.log.change(one.id, lambda _: _to("uno"))
    three = await _add(world.log, "three")

    assert [(each.seq, each.rev, each.first_rev) for each in (one, two, changed, three)] == [
        (1, 1, 1),
        (2, 2, 2),
        (1, 3, 1),
        (3, 4, 4),
    ]
    assert (did, changed.content, changed.revs) == (True, "uno", [1, 3])
    assert await _stored(world) == [changed, two, three]


async def test_the_words_are_those_of_the_content(world: World) -> None:
    """A message is found by its words alone: those written last, and none where it has none."""

    async def found_by(word: str) -> list[ObjectId]:
        where = {"conversation": TEA, "words": word}
        return [each["_id"] for each in await atomic.project(world.engine, Message, where, ["seq"])]

    one, two = await _add(world.log, "Tea time"), await _add(world.log, "tea")
    assert await found_by("te") == [one.id, two.id]
    await world.log.change(two.id, lambda _: {"reactions": []})
    await world.log.change(one.id, lambda _: _to("Café"))

    assert (await found_by("te"), await found_by("cafe")) == ([two.id], [one.id])
    await world.log.change(two.id, lambda _: {"is_deleted": True, "content": ""})

    assert (await found_by("te"), await found_by("")) == ([], [one.id])


async def test_a_hundred_at_once_leave_no_hole(world: World) -> None:
    """A hundred appends that race from two processes, without turns, get 1 to 100, once each."""
    logs = world.log, world.node().log
    messages = [_message(str(at)) for at in range(100)]
    await asyncio.gather(*(logs[at % 2].append(each) for at, each in enumerate(messages)))
    stored = await _stored(world)

    assert [each.seq for each in stored] == [each.rev for each in stored] == list(range(1, 101))
    assert sorted(messages, key=lambda message: message.seq) == stored
    assert [await log.tail(TEA) for log in (world.node().log, MessageLog(world.engine))] == [
        (100, 100)
    ] * 2


async def test_conversations_have_numbers_of_their_own(world: World) -> None:
    """Appends to different conversations at once each begin at 1."""
    rooms = [ObjectId() for _ in range(10)]
    messages = [_message(conversation=room) for room in rooms for _ in range(3)]
    await asyncio.gather(*(world.log.append(each) for each in messages))

    assert await world.log.tails(rooms) == dict.fromkeys(rooms, (3, 3))
    assert sorted(each.seq for each in messages) == sorted([1, 2, 3] * 10)


async def test_revisions_are_unique_and_in_turn(world: World) -> None:
    """However appends and changes of two processes race, a revision that is seen comes after all
    lower ones, and is of one message only."""
    logs = world.log, world.node().log
    firsts = [await _add(world.log) for _ in range(3)]
    kinds = ("append", "change") * 30
    works = [_write(logs[at // 2 % 2], firsts[at % 3], kind) for at, kind in enumerate(kinds)]
    over = asyncio.Event()

    async def watch() -> int:
        looks = 0
        while not over.is_set():
            taken = await _taken(world)
            assert taken == list(range(1, len(taken) + 1))
            looks += 1
        return looks

    watching = asyncio.create_task(watch())
    await asyncio.gather(*works)
    over.set()

    assert await watching > 3
    assert await _taken(world) == list(range(1, 64))
    assert await MessageLog(world.engine).tail(TEA) == (33, 63)


@pytest.mark.parametrize("kind", ["append", "change"])
async def test_a_revision_left_behind_is_never_taken(world: World, kind: str) -> None:
    """Who read the tail before another process changed one message twice gets the revision after
    both, not the middle one."""
    early, other = world.log, world.node().log
    one, two = await _add(early), await _add(early)
    assert await early.tail(TEA) == (2, 2)
    await other.change(one.id, lambda _: _to("once"))
    twice, _ = await other.change(one.id, lambda _: _to("twice"))
    assert twice.rev == 4
    late = await _write(early, two, kind)

    assert late.rev == 5
    assert await _taken(world) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("times", [1, 2])
async def test_a_change_never_repeats_a_revision(world: World, times: int) -> None:
    """A change of a message that another process changed, since this one read the tail, gets a
    revision of its own."""
    early, other = world.log, world.node().log
    message = await _add(early)
    assert await early.tail(TEA) == (1, 1)
    await _add(other)
    for _ in range(times):
        await other.change(message.id, lambda _: _to("theirs"))
    ours = await _write(early, message, "change")

    assert ours.rev == times + 3
    assert await _taken(world) == list(range(1, times + 4))
    assert await early.tail(TEA) == (2, times + 3)


async def test_a_message_keeps_its_latest_revisions(world: World) -> None:
    """Of many revisions a message keeps the latest, so that it does not grow without end."""
    message = await _add(world.log)
    for _ in range(KEPT_REVS + 5):
        message = await _write(world.log, message, "change")

    assert message.rev == KEPT_REVS + 6
    assert message.revs == list(range(7, KEPT_REVS + 7))
    assert message.first_rev == 1


async def test_a_client_id_is_used_once(world: World) -> None:
    """Of ten sends under one client id, from two processes at once, one is written."""
    logs = world.log, world.node().log
    messages = [_message(str(at), client_id="same") for at in range(10)]
    outcomes = await asyncio.gather(
        *(logs[at % 2].append(each) for at, each in enumerate(messages)), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in outcomes) == ["AlreadySent"] * 9 + ["NoneType"]
    assert [(each.seq, each.client_id) for each in await _stored(world)] == [(1, "same")]
    assert (await _add(world.log, client_id="same", sender=ObjectId())).seq == 2
    with pytest.raises(AlreadySent):
        await world.log.append(_message(client_id="same", conversation=ObjectId()))


async def test_a_change_that_was_overtaken_is_decided_again(world: World) -> None:
    """Where another process changes the message first, the decision is made on what it left."""
    held = HeldEngine(world.engine, "messages.find_one_and_update")
    message = await _add(world.log, "a")
    seen: list[str] = []

    def decide(found: Message) -> Mapping[str, Any]:
        seen.append(found.content)
        return _to(found.content + "c")

    change = asyncio.create_task(MessageLog(held).change(message.id, decide))
    await held.begun.wait()
    await world.log.change(message.id, lambda found: _to(found.content + "b"))
    held.go.set()
    changed, did = await change

    assert seen == ["a", "ab"]
    assert (did, changed.content, changed.revs) == (True, "abc", [1, 2, 3])


async def test_a_decision_may_be_none(world: World) -> None:
    """A decision against a change writes nothing, an error goes to the caller, and so does that
    there is no message."""
    message = await _add(world.log, "a")

    def refuse(_: Message) -> None:
        raise ZeroDivisionError

    assert await world.log.change(message.id, lambda _: None) == (message, False)
    with pytest.raises(ZeroDivisionError):
        await world.log.change(message.id, refuse)
    with pytest.raises(NotFound):
        await world.log.change(ObjectId(), lambda _: _to("b"))
    assert await _stored(world) == [message]
    assert await world.log.tail(TEA) == (1, 1)


class RushedEngine(GatedEngine):
    """An engine before each of whose writes another process writes."""

    def __init__(self, log: MessageLog, world: World, message: Message) -> None:
        super().__init__(world.engine)
        self.log = log
        self.message = message
        self.rushed = 0

    async def before(self, place: str) -> None:
        """Somebody else was faster."""
        self.rushed += 1
        if place == "messages.insert_one":
            await self.log.append(_message())
        else:
            await self.log.change(self.message.id, lambda _: _to(str(self.rushed)))


@pytest.mark.parametrize("kind", ["append", "change"])
async def test_who_is_never_fast_enough_may_come_again(world: World, kind: str) -> None:
    """Where others take every next number, the caller is told to come again and nothing is
    written."""
    message = await _add(world.log)
    engine = RushedEngine(world.log, world, message)
    log = MessageLog(engine)
    with pytest.raises(Unavailable) as refused:
        await _write(log, message, kind)

    assert refused.value.retry_after == 1
    assert engine.rushed == ATTEMPTS
    assert "late" not in [each.content for each in await _stored(world)]
    assert await _taken(world) == list(range(1, ATTEMPTS + 2))


async def test_tails_are_remembered(world: World) -> None:
    """A tail is read once, known after each write of this process, and (0, 0) without messages."""
    asked = AskedEngine(world.engine)
    log = MessageLog(asked)
    assert [await log.tail(TEA) for _ in range(3)] == [(0, 0)] * 3
    assert await log.tails([TEA, TEA]) == {TEA: (0, 0)}
    assert len(asked.asked) == 2
    message = await _add(log)
    assert await log.tail(TEA) == (1, 1)
    await log.change(message.id, lambda _: _to("a"))
    assert await log.tail(TEA) == (1, 2)

    reads = [each.sort for each in asked.asked if each.method == "find"]
    assert len(reads) == 2


async def test_an_outdated_tail_does_no_harm(world: World) -> None:
    """What another process wrote since the tail was read is met at the write, and then known."""
    other = world.node().log
    assert await world.log.tail(TEA) == (0, 0)
    theirs = [await _add(other) for _ in range(3)]
    assert (await _add(world.log)).seq == 4
    assert await world.log.tail(TEA) == (4, 4)
    await other.change(theirs[0].id, lambda _: _to("a"))
    changed, _ = await world.log.change(theirs[1].id, lambda _: _to("b"))

    assert changed.rev == 6
    assert await world.log.tail(TEA) == (4, 6)


@pytest.mark.parametrize("kind", ["append", "change"])
async def test_a_tail_read_during_a_write_is_not_remembered(world: World, kind: str) -> None:
    """Who reads the tail while a write is under way does not keep later ones from knowing it."""
    message = await _add(world.log)
    place = "insert_one" if kind == "append" else "find_one_and_update"
    held = HeldEngine(world.engine, f"messages.{place}")
    log = MessageLog(held)
    writing = asyncio.create_task(_write(log, message, kind))
    await held.begun.wait()
    assert await log.tail(TEA) == (1, 1)
    held.go.set()
    await writing

    assert await log.tail(TEA) == ((2, 2) if kind == "append" else (1, 2))


@pytest.mark.parametrize("kind", ["append", "change"])
async def test_a_write_whose_answer_is_lost_is_known(world: World, kind: str) -> None:
    """A write that came to be though its answer was lost shows in the tail, whoever read the
    tail in between."""
    message = await _add(world.log)

    class Losing(DyingEngine):
        async def before(self, place: str) -> None:
            await super().before(place)
            assert await log.tail(TEA) == (1, 1)

    log = MessageLog(Losing(world.engine, 0, late=True))
    with pytest.raises(Crash):
        await _write(log, message, kind)

    assert await log.tail(TEA) == ((2, 2) if kind == "append" else (1, 2))


async def test_a_stored_message_is_counted(world: World) -> None:
    """Each message counts once, by its type; one that was sent before does not."""
    meter = RecordingMeter()
    log = MessageLog(world.engine, meter)
    await _add(log, "one")
    await _add(log, "two", client_id="c")
    with pytest.raises(AlreadySent):
        await _add(log, "two", client_id="c")

    assert meter.told == [("stored", "text")] * 2
