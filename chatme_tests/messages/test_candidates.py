"""Candidates: that pages together have every hit once, newest first, and cost what they may."""

from __future__ import annotations

import pytest
from bson import ObjectId

from chatme.messages.candidates import (
    CHUNK,
    MAX_LOOKED_AT,
    MAX_READ,
    MAX_SPANS,
    RARE,
    Candidates,
    Findings,
)
from chatme.messages.models import Message
from chatme.messages.sight import Sight
from chatme.messages.words import words
from chatme_tests.conversations.engines import AskedEngine
from chatme_tests.conversations.world import World
from chatme_tests.messages.stage import write

ANN, BOB = ObjectId(), ObjectId()
ROOMS = [ObjectId() for _ in range(3)]
ANY = frozenset[ObjectId]()


def _findings(query: str, rooms: list[ObjectId], limit: int = 10, cleared: int = -1) -> Findings:
    sights = {room: Sight(ANN, False, cleared, ANY) for room in rooms}
    return Findings(words(query), sights, limit)


async def _page(
    world: World, query: str, rooms: list[ObjectId], below: ObjectId | None = None, limit: int = 10
) -> tuple[Findings, int]:
    """One page, and how many questions it took."""
    engine = AskedEngine(world.engine)
    candidates, findings = Candidates(engine, world.clock), _findings(query, rooms, limit)
    if len(rooms) == 1:
        await candidates.of_one(findings, rooms[0], below)
    else:
        await candidates.of_all(findings, below)
    assert findings.looked_at <= MAX_LOOKED_AT
    assert findings.read < MAX_READ + 4000
    return findings, len(engine.asked)


async def _pages(
    world: World, query: str, rooms: list[ObjectId], limit: int = 10
) -> list[list[ObjectId]]:
    found = []
    below: ObjectId | None = None
    while True:
        page, _ = await _page(world, query, rooms, below, limit)
        found.append(page.shown)
        below = page.rest_below
        if below is None:
            return found


async def _both_ways(world: World, apart: int, count: int) -> None:
    """Hits in three rooms are paged through, in one room and in all of them."""
    sent: list[ObjectId] = []
    for room in ROOMS:
        texts = [f"tea {'rare' if at % 50 == 0 else ''}" for at in range(count)]
        sent += await write(world, room, BOB, texts, apart=apart)
    first = sent[:count][::-1]
    one = await _pages(world, "tea", ROOMS[:1], limit=100)
    every = await _pages(world, "te", ROOMS, limit=100)
    rare = await _pages(world, "tea rare", ROOMS, limit=7)

    assert [each for page in one for each in page] == first
    assert [each for page in every for each in page] == sorted(sent, reverse=True)
    assert [each for page in rare for each in page] == sorted(
        (each for at, each in enumerate(sent) if at % count % 50 == 0), reverse=True
    )


@pytest.mark.parametrize("apart", [0, 1, 7, 3_600, 1_000_000])
async def test_pages_have_every_hit_once(world: World, apart: int) -> None:
    """However densely messages came, pages go through all of them, newest first, without doubles
    and holes."""
    await _both_ways(world, apart, 2 * RARE)


async def test_long_silences_are_skipped(world: World) -> None:
    """A common word that was last said years ago is found, and the years cost few questions."""
    await write(world, ROOMS[0], BOB, ["tea"] * 2 * RARE, apart=1)
    world.clock.move(days=3 * 365)
    page, asked = await _page(world, "tea", ROOMS)

    assert len(page.shown) == 10
    assert asked <= MAX_SPANS


async def test_messages_of_the_future_are_found(world: World) -> None:
    """A clock that was set back hides nothing."""
    sent = await write(world, ROOMS[0], BOB, ["tea"] * 2 * RARE, apart=60)
    world.clock.move(days=-30)
    found = await _pages(world, "tea", ROOMS, limit=100)

    assert [each for page in found for each in page] == sent[::-1]


async def test_common_words_that_rarely_meet_end_a_page_early(world: World) -> None:
    """Where candidates are many and hits few, a page ends after so many and the next goes on."""
    texts = ["tea" if at % 2 else "time" for at in range(3 * MAX_LOOKED_AT)]
    (old, *_) = await write(world, ROOMS[0], BOB, ["tea time", *texts], apart=1)
    for rooms in (ROOMS[:1], ROOMS):
        pages = await _pages(world, "tea time", rooms)

        assert 1 < len(pages) <= 8
        assert [each for page in pages for each in page] == [old]


async def test_long_texts_end_a_page_early(world: World) -> None:
    """A page reads no more than so many characters."""
    texts = ["tea " * 1000] * (MAX_READ // 4000 + 20)
    await write(world, ROOMS[0], BOB, texts, apart=1)
    page, _ = await _page(world, "tea tex", ROOMS[:1])

    assert (page.shown, page.looked_at) == ([], MAX_READ // 4000)
    assert page.rest_below is not None


async def test_the_rarer_word_is_looked_up(world: World) -> None:
    """Of a common and a rare word the rare one's candidates are looked at, whichever comes first
    and whichever is longer."""
    texts = ["wonderful"] * 4 * CHUNK
    texts[3] = "wonderful day"
    sent = await write(world, ROOMS[0], BOB, texts, apart=1)
    for query in ("wonderful day", "da wonder"):
        for rooms in (ROOMS[:1], ROOMS):
            page, _ = await _page(world, query, rooms)

            assert page.shown == [sent[3]]
            assert page.looked_at == 1


async def test_what_was_cleared_is_not_gone_through(world: World) -> None:
    """Below the clearing nothing is looked at any more."""
    await write(world, ROOMS[0], BOB, ["tea"] * 6 * CHUNK, apart=1)
    findings = _findings("tea", ROOMS[:1], cleared=6 * CHUNK - 5)
    await Candidates(world.engine, world.clock).of_one(findings, ROOMS[0], None)

    assert len(findings.shown) == 5
    assert findings.looked_at <= 2 * CHUNK
    assert findings.rest_below is None


async def test_what_came_after_the_clearing_is_found_below_it(world: World) -> None:
    """Where the clock was set back after a clearing, what was sent since is found all the same."""
    cleared = CHUNK // 2
    await write(world, ROOMS[0], BOB, ["tea"] * cleared, apart=1)
    world.clock.move(days=-30)
    sent = await write(world, ROOMS[0], BOB, ["tea"] * 3, apart=1)
    findings = _findings("tea", ROOMS[:1], limit=2, cleared=cleared)
    await Candidates(world.engine, world.clock).of_one(findings, ROOMS[0], None)

    assert findings.shown == sent[:0:-1]


async def test_cost_is_flat(world: World) -> None:
    """A page asks no more questions, and looks at no more messages, of four times as many: for a
    word in all of them, a rare one, two that rarely meet, and none."""
    costs: list[dict[str, list[tuple[int, int]]]] = []
    for count in (2 * MAX_LOOKED_AT + 2, 8 * MAX_LOOKED_AT):
        room = ObjectId()
        texts = [f"all tea {at}" if at % 2 else f"all time {at}" for at in range(count)]
        texts[count // 2] = "all tea rare time"
        await write(world, room, BOB, texts, apart=1)
        costs.append({})
        for query in ("all", "rare", "tea time", "none", "a t"):
            pages = [await _page(world, query, rooms) for rooms in ([room], [room, *ROOMS])]
            costs[-1][query] = [(asked, page.looked_at) for page, asked in pages]
    few, many = costs

    for query, before in few.items():
        for (asked, looked_at), (more_asked, more_looked_at) in zip(
            before, many[query], strict=True
        ):
            assert (more_asked <= asked, more_looked_at <= looked_at) == (True, True), query


async def test_every_question_is_an_index_away(world: World) -> None:
    """All that is asked names conversations and a key: the leading fields of one index."""
    await write(world, ROOMS[0], BOB, ["tea time"] * 2 * RARE, apart=1)
    engine = AskedEngine(world.engine)
    for rooms in (ROOMS[:1], ROOMS):
        findings = _findings("tea time", rooms)
        candidates = Candidates(engine, world.clock)
        if len(rooms) == 1:
            await candidates.of_one(findings, rooms[0], None)
        else:
            await candidates.of_all(findings, None)

    assert engine.asked
    for each in engine.asked:
        assert (each.model, set(each.filter) - {"_id"}) == (Message, {"conversation", "words"})
        assert each.sort in ((), (("_id", -1),))
