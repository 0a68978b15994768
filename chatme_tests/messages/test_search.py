"""Search: what is found, by whom, and what of it is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest
from bson import ObjectId

from chatme.errors import Invalid, NotFound
from chatme.messages.candidates import Candidates, Findings
from chatme.messages.models import Attachment
from chatme.messages.search import MAX_HIGHLIGHTS, MAX_WORDS, SearchService
from chatme.messages.wire import FoundPage, MessageNamed, WordsWanted
from chatme.messages.words import Word
from chatme_tests.conversations.engines import AskedEngine
from chatme_tests.conversations.world import Node, World, ids
from chatme_tests.messages.stage import write


async def _page(
    world: Node, user: ObjectId, q: str, talk: ObjectId | None = None, **more: int | str
) -> FoundPage:
    query = WordsWanted.model_validate({"q": q, **more})
    if talk is None:
        return await world.search.in_all(user, query)
    return await world.search.in_one(user, talk, query)


async def _found(world: Node, user: ObjectId, q: str, talk: ObjectId | None = None) -> list[str]:
    """What a user finds; the same where only one conversation has it."""
    return [each.content for each in (await _page(world, user, q, talk)).items]


async def _both(world: Node, user: ObjectId, q: str, talk: ObjectId) -> list[str]:
    """What a user finds in a conversation, which is all that they find."""
    one = await _found(world, user, q, talk)
    assert one == await _found(world, user, q)
    return one


async def test_words_are_found_newest_first(world: World) -> None:
    """Every word must match a beginning, without case and accents; the newest comes first, in one
    conversation and in all of them."""
    ann, bob, cyd = await world.people("Ann", "Bob", "Cyd")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob, cyd)
    one = await world.say(ann, talk, "La CRÈME brûlée")
    two = await world.say(bob, tea, "creme fraiche")
    three = await world.say(bob, talk, "Crèmes brunes")
    await world.say(bob, talk, "scream")

    assert ids((await _page(world, ann, "creme")).items) == [three.id, two.id, one.id]
    assert ids((await _page(world, ann, "BRU Crème", talk)).items) == [three.id, one.id]
    assert await _found(world, cyd, "creme") == ["creme fraiche"]
    assert await _found(world, ann, "creme", tea) == ["creme fraiche"]
    assert await _found(world, ann, "reme") == await _found(world, ann, "creme nothing") == []


async def test_a_found_message_is_whole(world: World) -> None:
    """An item is the message as the history shows it, with where the words are in UTF-16 units."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    first = await world.say(ann, talk, "first")
    await world.say(bob, talk, "😀 ünd \U0001d54f undo", reply_to=first.id)
    ((found,), (shown,)) = (
        (await _page(world, ann, "und", talk)).items,
        (await world.history(ann, talk))[-1:],
    )
    units = found.content.encode("utf-16-le")

    assert {**shown.to_plain(), "highlights": found.to_plain()["highlights"]} == found.to_plain()
    assert found.to_plain()["highlights"] == [{"start": 3, "end": 6}, {"start": 10, "end": 13}]
    assert [units[2 * e.start : 2 * e.end].decode("utf-16-le") for e in found.highlights] == [
        "ünd",
        "und",
    ]


async def test_highlights_are_bounded(world: World) -> None:
    """However often a word is in a text, a bounded number of places is shown."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    await world.say(ann, talk, "a " * 2000)
    ((found,), _) = (await _page(world, bob, "a", talk)).items, None

    assert len(found.highlights) == MAX_HIGHLIGHTS


async def test_edited_and_deleted_words_are_forgotten(world: World) -> None:
    """A message is found by its present words alone, and by none once it is deleted."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    sent = await world.say(ann, talk, "secret garden")
    named = MessageNamed(message_id=sent.id)
    await world.changes.edit(ann, named, "public garden")

    assert await _both(world, bob, "secret", talk) == []
    assert await _both(world, bob, "garden", talk) == ["public garden"]
    await world.changes.react(bob, named, "👍")
    assert await _both(world, bob, "public", talk) == ["public garden"]
    await world.changes.delete(ann, named)
    assert await _both(world, bob, "public garden", talk) == []


async def test_only_members_search(world: World) -> None:
    """A conversation that is not the caller's, or not any more, does not exist for a search."""
    ann, bob, cyd = await world.people("Ann", "Bob", "Cyd")
    tea = await world.group(ann, bob)
    await world.say(ann, tea, "tea")

    assert await _found(world, cyd, "tea") == []
    for user, talk in ((cyd, tea), (ann, ObjectId())):
        with pytest.raises(NotFound):
            await _page(world, user, "tea", talk)
    await world.groups.add(ann, tea, [cyd])
    assert await _both(world, cyd, "tea", tea) == ["tea"]
    await world.groups.remove(cyd, tea, cyd)
    assert await _found(world, cyd, "tea") == []
    with pytest.raises(NotFound):
        await _page(world, cyd, "tea", tea)


async def test_what_was_cleared_is_not_found(world: World) -> None:
    """What a user has cleared is found by the others alone; what came since, by both."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    await world.say(bob, talk, "tea one")
    await world.listing.clear(ann, talk)

    assert await _both(world, ann, "tea", talk) == []
    assert await _both(world, bob, "tea", talk) == ["tea one"]
    await world.say(bob, talk, "tea two")
    assert await _both(world, ann, "tea", talk) == ["tea two"]


async def test_the_blocked_are_not_found(world: World) -> None:
    """What the blocked say is found by nobody who blocks them; after the block what was sent to a
    direct conversation during it stays hidden, in a group it shows."""
    ann, bob = await world.people("Ann", "Bob")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob)
    await world.say(bob, talk, "tea before")
    await world.blocks.block(ann, bob)
    await world.say(bob, talk, "tea during")
    await world.say(bob, tea, "tea in the group")
    await world.say(ann, tea, "tea of mine")

    assert await _found(world, ann, "tea", talk) == []
    assert await _found(world, ann, "tea") == ["tea of mine"]
    assert len(await _found(world, bob, "tea")) == 4
    await world.blocks.unblock(ann, bob)
    assert await _found(world, ann, "tea", talk) == ["tea before"]
    assert await _found(world, ann, "tea", tea) == ["tea of mine", "tea in the group"]


async def test_an_answer_shows_nothing_hidden(world: World) -> None:
    """What a found message answers is shown only where the caller may see it."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    asked = await world.say(bob, talk, "who?")
    await world.say(bob, talk, "tea", reply_to=asked.id)
    ((before,), _) = (await _page(world, ann, "tea")).items, None
    await world.listing.clear(ann, talk)
    await world.say(bob, talk, "more tea", reply_to=asked.id)
    ((after,), _) = (await _page(world, ann, "tea")).items, None

    assert before.reply_to is not None
    assert after.reply_to is None


async def test_captions_are_found(world: World) -> None:
    """What stands under a picture is content like any other."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    picture = Attachment(url="/x", public_id="x")
    await write(world, talk, bob, ["A sunset"], type="image", attachments=[picture])
    ((found,), _) = (await _page(world, ann, "suns", talk)).items, None

    assert (found.type, found.attachment is not None) == ("image", True)


async def test_pages_follow_each_other(world: World) -> None:
    """Pages have each hit once; the last one says that it is the last, and what comes in between
    moves nothing."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    sent = await write(world, talk, bob, [f"tea {at}" for at in range(7)], apart=60)
    for where in (talk, None):
        found: list[ObjectId] = []
        more: dict[str, str] = {}
        while True:
            page = await _page(world, ann, "tea", where, limit=3, **more)
            found += ids(page.items)
            if page.next is None:
                break
            more = {"cursor": page.next}

        assert found == sent[::-1]
        assert (await _page(world, ann, "tea", where, limit=7)).next is None


@pytest.mark.parametrize("q", ["", "  ", "😀", "%", ".*", "\u200f\u200e", "\u0301", "_", "\\"])
async def test_no_words_find_nothing(world: World, q: str) -> None:
    """Without a word there is nothing to find, and nothing is a pattern."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    await world.say(ann, talk, "100% .* 😀 \\ _")

    assert await _both(world, ann, q, talk) == []


async def test_what_cannot_be_searched_names_the_field(world: World) -> None:
    """More words than ten and a foreign cursor are refused by name."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    many = " ".join(chr(ord("a") + at) for at in range(MAX_WORDS + 1))
    for where in (talk, None):
        for q, more, name in ((many, {}, "q"), ("a", {"cursor": "nonsense"}, "cursor")):
            with pytest.raises(Invalid) as caught:
                await _page(world, ann, q, where, **more)
            assert [each.field for each in caught.value.faults] == [name]
        assert (await _page(world, ann, many[:-1], where)).items == []


class _Slow(Candidates):
    """Candidates among which something happens after they were found."""

    def __init__(self, world: World, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(world.engine, world.clock)
        self._meanwhile = meanwhile

    async def of_all(self, findings: Findings, below: ObjectId | None) -> None:
        """Finds, then lets it happen."""
        await super().of_all(findings, below)
        await self._meanwhile()


@pytest.mark.parametrize("what", ["nothing", "edit", "delete", "leave", "rejoin"])
async def test_what_changed_meanwhile_is_not_shown(world: World, what: str) -> None:
    """A message that is edited, deleted or left behind while it is being found is not shown."""
    ann, bob = await world.people("Ann", "Bob")
    tea = await world.group(ann, bob)
    named = MessageNamed(message_id=(await world.say(ann, tea, "tea")).id)

    async def meanwhile() -> None:
        if what == "edit":
            await world.changes.edit(ann, named, "coffee")
        elif what == "delete":
            await world.changes.delete(ann, named)
        elif what in ("leave", "rejoin"):
            await world.groups.remove(bob, tea, bob)
        if what == "rejoin":
            await world.groups.add(ann, tea, [bob])

    slow = _Slow(world, meanwhile)
    search = SearchService(world.engine, world.users, world.core, world.log, world.facts, slow)
    found = (await search.in_all(bob, WordsWanted(q="tea"))).items

    assert len(found) == (1 if what in ("nothing", "rejoin") else 0)


class _Watched(list[Word]):
    """Wanted words that note in which turn of the event loop they are looked for."""

    def __init__(self, wanted: Sequence[Word]) -> None:
        super().__init__(wanted)
        self.turn = 0
        self.looks: list[int] = []

    async def turns(self) -> None:
        """Counts the turns until it is cancelled."""
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    def __iter__(self) -> Iterator[Word]:
        """A look for them."""
        self.looks.append(self.turn)
        return super().__iter__()


class _Watching(Candidates):
    """Candidates that are found as ever, and watched from then on."""

    async def of_all(self, findings: Findings, below: ObjectId | None) -> None:
        """Finds, then puts watched words in the place of the wanted."""
        await super().of_all(findings, below)
        findings.wanted = self.watched = _Watched(findings.wanted)
        self.counting = asyncio.create_task(self.watched.turns())


async def test_a_page_lets_others_work(world: World) -> None:
    """Between any two messages of a page the event loop has its turn, however long they are."""
    ann, bob = await world.people("Ann", "Bob")
    talk = await world.direct(ann, bob)
    await write(world, talk, ann, ["tea"] * 30)
    watching = _Watching(world.engine, world.clock)
    search = SearchService(world.engine, world.users, world.core, world.log, world.facts, watching)
    found = (await search.in_all(bob, WordsWanted(q="tea"))).items
    watching.counting.cancel()
    looks = watching.watched.looks

    assert len(found) == 30
    assert len(looks) == len(set(looks)) == 60  # whether it is there, and where


async def test_a_page_costs_few_questions(world: World) -> None:
    """A page of many conversations takes as many questions of the database as one of a few."""
    ann, bob = await world.people("Ann", "Bob")
    counts = []
    for _ in range(2):
        for _ in range(10):
            tea = await world.group(ann, bob)
            await world.say(bob, tea, "tea")
        engine = AskedEngine(world.engine)
        assert len((await _page(world.node(engine), ann, "tea")).items) in (10, 20)
        counts.append(len(engine.asked))

    assert counts[0] == counts[1] <= 12
