"""Which conversations a user sees, in what order, and what deleting one hides."""

from __future__ import annotations

import pytest
from bson import ObjectId

from chatme.clock import new_id
from chatme.conversations.models import Activity, Conversation, Member
from chatme.conversations.wire import PageQuery
from chatme.errors import Invalid, NotFound
from chatme.http.paging import encode_cursor
from chatme.storage import atomic
from chatme.users.wire import ProfileChange
from chatme_tests.conversations.world import World, ids
from chatme_tests.fakes import SOMETIME


async def _pages(world: World, user: ObjectId, limit: int) -> list[list[ObjectId]]:
    page = await world.listing.page(user, PageQuery(limit=limit))
    pages = [ids(page.items)]
    while page.next is not None:
        page = await world.listing.page(user, PageQuery(limit=limit, cursor=page.next))
        pages.append(ids(page.items))
    return pages


async def test_the_latest_comes_first(world: World) -> None:
    """A list is ordered by the last thing that happened, its making or its last message."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    made = []
    for _ in range(3):
        world.clock.move(seconds=1)
        made.append(await world.group(ann, bob))
    await world.group(bob, cyd)
    assert ids(await world.listed(ann)) == made[::-1]
    last = await world.say(bob, made[0])

    first, *rest = await world.listed(ann)
    assert [first.id, *ids(rest)] == [made[0], made[2], made[1]]
    assert first.last_message is not None
    assert first.last_message.to_plain() == last.to_plain() | {
        "receiptCounts": {"recipients": 1, "delivered": 0, "read": 0}
    }
    assert first.last_message_at == last.created_at
    assert [(each.last_message, each.last_message_at) for each in rest] == [(None, None)] * 2


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_part_nothing_and_repeat_nothing(world: World, limit: int) -> None:
    """Whatever the size of a page, all conversations come once, also those of one moment."""
    ann, bob = await world.people("ann", "bob")
    made = [await world.group(ann, bob) for _ in range(4)]
    world.clock.move(seconds=1)
    made += [await world.group(ann, bob) for _ in range(3)]
    pages = await _pages(world, ann, limit)

    assert [each for page in pages for each in page] == sorted(made[4:])[::-1] + sorted(made[:4])[
        ::-1
    ]
    assert {len(page) for page in pages[:-1]} <= {limit}


async def test_a_list_of_nothing_is_empty(world: World) -> None:
    """Who talks to nobody has an empty list without a next page."""
    (ann,) = await world.people("ann")
    page = await world.listing.page(ann, PageQuery())

    assert (page.items, page.next) == ([], None)
    assert (await world.searched(ann, "tea")).items == []


NOBODY = "0" * 24
CURSORS = (
    "x",
    "!!",
    encode_cursor([1]),
    encode_cursor([-1, NOBODY]),
    encode_cursor([10**18, NOBODY]),
)


@pytest.mark.parametrize("cursor", CURSORS)
async def test_a_foreign_cursor_is_refused(world: World, cursor: str) -> None:
    """A cursor that this list did not make is a fault of the field, also one of another time."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    with pytest.raises(Invalid):
        await world.listing.page(ann, PageQuery(cursor=cursor))
    if cursor != CURSORS[2]:  # which is one of members
        with pytest.raises(Invalid):
            await world.listing.members(ann, tea, PageQuery(cursor=cursor))


async def test_one_is_shown_to_members_alone(world: World) -> None:
    """A conversation is there for its members; for strangers there is none."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk = await world.direct(ann, bob)
    assert (await world.listing.one(bob, talk)).id == talk
    for who, what in ((cyd, talk), (ann, ObjectId())):
        for attempt in (
            world.listing.one(who, what),
            world.listing.members(who, what, PageQuery()),
            world.listing.clear(who, what),
        ):
            with pytest.raises(NotFound):
                await attempt


async def test_members_are_paged(world: World) -> None:
    """All members come, the longest-standing first, page by page."""
    ann, *others = await world.people(*("x" * at for at in range(1, 8)))
    tea = await world.group(ann, *others)
    found: list[ObjectId] = []
    query = PageQuery(limit=3)
    for size in (3, 3, 1):
        page = await world.listing.members(ann, tea, query)
        assert len(page.items) == size
        found += [member.user.id for member in page.items]
        query = PageQuery(limit=3, cursor=page.next) if page.next else query

    assert page.next is None
    assert found == [ann, *others]


async def test_clearing_hides_for_oneself_alone(world: World) -> None:
    """A conversation that one deletes is gone from the list until the next message; what was said
    stays hidden, and the other keeps it all."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    said = [await world.say(ann, talk) for _ in range(3)]
    world.forget()
    await world.listing.clear(bob, talk)
    assert [(each.event.name, each.users) for each in world.ears.heard] == [
        ("conversation_removed", frozenset({bob}))
    ]
    assert world.notes.told == [("cleared", {"user": bob, "conversation": talk})]
    assert await world.listed(bob) == []
    assert (await world.searched(bob, "ann")).items == []
    assert ids(await world.listed(ann)) == [talk]
    assert await world.history(bob, talk) == []
    assert ids(await world.history(ann, talk)) == ids(said)

    alone = await world.listing.one(bob, talk)
    assert (alone.unread_count, alone.last_message, alone.seq) == (0, None, 3)
    last = await world.say(ann, talk)
    (back,) = await world.listed(bob)
    assert (back.unread_count, back.last_message_at) == (1, last.created_at)
    assert ids(await world.history(bob, talk)) == [last.id]


async def test_clearing_is_no_reading(world: World) -> None:
    """The receipts of what one deleted stay as they were."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await world.say(ann, talk)
    await world.listing.clear(bob, talk)

    (seen,) = await world.history(ann, talk)
    assert [each.status for each in seen.receipts] == ["sent"]


async def test_an_empty_conversation_can_be_cleared(world: World) -> None:
    """A conversation without messages leaves the list as well, and comes back with the first."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    for _ in range(2):
        await world.listing.clear(ann, talk)
    assert await world.listed(ann) == []
    assert await world.core.direct(ann, bob) == (await world.listing.one(ann, talk), False)
    await world.say(bob, talk)

    assert ids(await world.listed(ann)) == [talk]


@pytest.mark.parametrize("kind", ["direct", "group"])
async def test_the_blocked_bring_nothing_back(world: World, kind: str) -> None:
    """What somebody whom one blocks writes leaves a deleted conversation deleted, until there is
    something to be seen in it."""
    ann, bob = await world.people("ann", "bob")
    talk = await (world.direct(ann, bob) if kind == "direct" else world.group(bob, ann))
    await world.say(bob, talk)
    await world.listing.clear(ann, talk)
    await world.users.blocks.block(ann, bob)
    await world.say(bob, talk)

    assert await world.listed(ann) == []
    assert (await world.searched(ann, "bob" if kind == "direct" else "tea")).items == []
    assert ids(await world.listed(bob)) == [talk]
    await world.users.blocks.unblock(ann, bob)
    # A group shows what was said during a block afterwards, a direct conversation never does.
    assert ids(await world.listed(ann)) == ([talk] if kind == "group" else [])
    await world.say(bob, talk)
    assert ids(await world.listed(ann)) == [talk]


async def test_a_clearing_never_moves_back(world: World) -> None:
    """Of two clearings the later one counts, whichever is written last."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    early = world.node()
    await early.log.tail(talk)
    await world.say(bob, talk)
    await world.listing.clear(ann, talk)
    await early.listing.clear(ann, talk)

    assert (await world.marks(ann, talk)).cleared_seq == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tea", ["group", "tea"]),
        ("TEA", ["group", "tea"]),
        ("ea", ["group", "tea"]),
        ("zoë", ["zoë"]),
        ("ZOË", ["zoë"]),
        ("ann", []),
        ("t", []),
        ("", []),
        (".*", []),
        ("tea for", ["group"]),
    ],
)
async def test_a_part_of_a_name_is_found(world: World, text: str, found: list[str]) -> None:
    """Groups go by their name and direct conversations by the other's, without case, as text,
    from two characters on."""
    ann, teacher, zoe, other = await world.people("ann", "Teacher", "Zoë", "Other")
    named = {
        "group": await world.group(ann, zoe, name="Tea for two"),
        "tea": await world.direct(ann, teacher),
        "zoë": await world.direct(zoe, ann),
    }
    await world.group(other, teacher, name="Tea without ann")

    shown = await world.searched(ann, text)
    assert sorted(ids(shown.items)) == sorted(named[each] for each in found)
    assert shown.next is None


async def test_a_search_is_paged(world: World) -> None:
    """What is found comes in pages, by the newest activity, and by the names of now."""
    ann, bob = await world.people("ann", "bob")
    member = Member(user=ann, role="admin", joined_at=SOMETIME)
    for at in range(6):
        world.clock.move(seconds=1)
        now = world.clock.now()
        name = "Coffee" if at == 3 else "Tea"
        made = Conversation(id=new_id(), type="group", name=name, members=[member], created_at=now)
        await atomic.insert(world.engine, Activity(id=made.id, last_at=now))
        await atomic.insert(world.engine, made)
    newest = ids(await world.listed(ann))
    first = await world.searched(ann, "tea", limit=2)
    second = await world.searched(ann, "tea", limit=2, cursor=str(first.next))
    third = await world.searched(ann, "tea", limit=2, cursor=str(second.next))

    assert ids([*first.items, *second.items, *third.items]) == newest[:2] + newest[3:]
    assert third.next is None
    await world.direct(ann, bob)
    assert (await world.searched(ann, "bob")).items != []
    await world.users.change(bob, ProfileChange(display_name="Coffee"))
    assert (await world.searched(ann, "bob")).items == []
    assert (await world.searched(ann, "coff")).items != []
