"""What others said in a part of a conversation, and who of them is to hear of it."""

from __future__ import annotations

from bson import ObjectId

from chatme.messages.models import Message
from chatme.messages.spans import Others, Span, others_in
from chatme.messages.wire import MAX_LISTED_IDS
from chatme.storage import atomic
from chatme_tests.conversations.engines import AskedEngine
from chatme_tests.conversations.world import World, ids
from chatme_tests.messages.stage import fill, made

TEA = ObjectId()
ANN, BOB, CYD, DAN = PEOPLE = [ObjectId() for _ in range(4)]


async def _store(world: World, *messages: Message) -> list[ObjectId]:
    await atomic.insert_missing(world.engine, messages)
    return ids(messages)


async def test_a_span_is_what_lies_between(world: World) -> None:
    """A span begins after one number and ends with another, of one conversation; own messages are
    none of it."""
    messages = [made(TEA, (ANN, BOB)[seq % 2], seq) for seq in range(1, 9)]
    stored = await _store(world, *messages)
    await _store(world, made(ObjectId(), BOB, 4))
    found = await others_in(world.engine, Span(TEA, 2, 7), ANN, set(), PEOPLE, ())

    assert found == Others([stored[at] for at in (2, 4, 6)], frozenset({BOB}))


async def test_some_need_no_telling(world: World) -> None:
    """What is known, was withheld from the user or comes from whom they block is left out, and
    who said nothing else is not among the senders."""
    people = (BOB, BOB, CYD, DAN)
    messages = [made(TEA, who, seq) for seq, who in enumerate(people, start=1)]
    messages[2].withheld_from = [ANN]
    stored = await _store(world, *messages)
    found = await others_in(world.engine, Span(TEA, 0, 4), ANN, {1}, PEOPLE, {DAN})

    assert found == Others([stored[1]], frozenset({BOB}))


async def test_the_absent_are_no_senders(world: World) -> None:
    """What the absent said is listed, but only who is here is to hear of it."""
    stored = await _store(world, made(TEA, BOB, 1), made(TEA, CYD, 2))
    here = await others_in(world.engine, Span(TEA, 0, 2), ANN, set(), [CYD], ())
    nobody = await others_in(world.engine, Span(TEA, 0, 2), ANN, set(), [], ())

    assert here == Others(stored, frozenset({CYD}))
    assert nobody == Others(stored, frozenset())


async def test_an_empty_span_is_empty(world: World) -> None:
    """Where nobody else said anything, nothing is listed and nobody is told."""
    await _store(world, made(TEA, ANN, 1))

    assert await others_in(world.engine, Span(TEA, 0, 1), ANN, set(), PEOPLE, ()) == Others(
        [], frozenset()
    )


async def test_a_long_span_lists_the_newest(world: World) -> None:
    """The newest 500 are listed, while everybody here who said any of it is to hear of it, at a
    query for each who is not among the listed."""
    await fill(world, TEA, CYD, 2)
    await fill(world, TEA, DAN, 1)
    await fill(world, TEA, BOB, MAX_LISTED_IDS)
    asked = AskedEngine(world.engine)
    span = Span(TEA, 1, MAX_LISTED_IDS + 3)
    found = await others_in(asked, span, ANN, set(), [BOB, CYD, ObjectId()], ())
    newest = await world.engine.find(
        Message, Message.conversation == TEA, Message.seq > 3, sort=Message.seq
    )

    assert found == Others(ids(newest), frozenset({BOB, CYD}))
    assert [each.method for each in asked.asked] == ["find", "count_documents", "count_documents"]
