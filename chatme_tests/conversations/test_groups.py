"""The rules for groups: who comes, who goes, who decides, and who hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import pytest
from bson import ObjectId

from chatme.clock import new_id
from chatme.conversations.changes import ATTEMPTS
from chatme.conversations.groups import GroupService
from chatme.conversations.models import Conversation, Member
from chatme.conversations.service import ConversationService
from chatme.conversations.wire import MAX_MEMBERS, ConversationView, GroupWanted
from chatme.errors import ChatMeError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from chatme.ports import Tellers
from chatme.storage import atomic
from chatme_tests.conversations.engines import CountingEngine, GatedEngine
from chatme_tests.conversations.world import World
from chatme_tests.fakes import SOMETIME

Act = Callable[[World, ObjectId, ObjectId, ObjectId], Awaitable[Any]]


def _roles(view: ConversationView) -> dict[ObjectId, str]:
    return {member.user.id: member.role for member in view.members}


async def _stored(world: World, group: ObjectId) -> Conversation:
    found = await world.engine.find_one(Conversation, Conversation.id == group)
    assert found is not None
    return found


async def test_who_makes_a_group_is_its_admin(world: World) -> None:
    """A group has its maker as admin and the others as members, each of them once, and all but
    the maker are notified."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    view = await world.groups.make(ann, GroupWanted(name="Tea", member_ids=[bob, cyd, bob, ann]))

    assert (view.type, view.name, view.member_count) == ("group", "Tea", 3)
    assert list(_roles(view).items()) == [(ann, "admin"), (bob, "member"), (cyd, "member")]
    ((kind, note),) = world.notes.told
    assert kind == "group"
    assert note == {
        "type": "group_added",
        "conversation_id": view.id,
        "name": "Tea",
        "by_id": ann,
        "by_name": "ann",
        "users": [bob, cyd],
    }
    assert [(each.event.name, each.users) for each in world.ears.heard] == [
        ("conversation_created", frozenset({ann, bob, cyd}))
    ]


async def test_a_new_member_comes_to_a_group_that_goes_on(world: World) -> None:
    """All hear who came, the new one gets the conversation, and what was said before is read."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    world.sockets.open = {ann, bob, cyd}
    tea = await world.group(ann, bob)
    await world.say(ann, tea)
    world.forget()
    view = await world.groups.add(ann, tea, [cyd, bob, cyd])
    last = await world.say(bob, tea)

    assert _roles(view) == {ann: "admin", bob: "member", cyd: "member"}
    assert world.names_heard(cyd)[:2] == ["member_added", "conversation_created"]
    (added,) = world.heard("member_added", by=bob)
    assert (added.conversation_id, added.user.id, added.role) == (tea, cyd, "member")
    (created,) = world.heard("conversation_created")
    assert (created.unread_count, created.seq) == (0, 1)
    assert [each[1]["users"] for each in world.notes.told if each[0] == "group"] == [[cyd]]
    assert await world.unread(cyd, tea) == 1
    assert last.receipt_counts.recipients == 2
    assert (await world.history(ann, tea))[0].receipt_counts.recipients == 1


async def test_who_is_in_it_already_stays(world: World) -> None:
    """Adding only members that are there changes nothing and tells nothing."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    world.forget()
    counting = CountingEngine(world.engine)
    await world.node(counting).groups.add(ann, tea, [bob, ann])

    assert counting.made == []
    assert (world.ears.heard, world.notes.told) == ([], [])


async def test_who_goes_is_told_and_hears_no_more(world: World) -> None:
    """The others hear who went, who went that the conversation is gone, and nothing after that;
    who was removed is notified, who left is not."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    world.forget()
    await world.groups.remove(ann, tea, bob)
    await world.groups.remove(cyd, tea, cyd)
    await world.say(ann, tea)

    heard = [(each.event.name, each.users) for each in world.ears.heard]
    assert heard == [
        ("member_removed", frozenset({ann, cyd})),
        ("conversation_removed", frozenset({bob})),
        ("member_removed", frozenset({ann})),
        ("conversation_removed", frozenset({cyd})),
        ("new_message", frozenset({ann})),
    ]
    notes = [note for kind, note in world.notes.told if kind == "group"]
    assert [(note["type"], note["users"]) for note in notes] == [("group_removed", [bob])]
    for user in (bob, cyd):
        assert await world.listed(user) == []
        with pytest.raises(NotFound):
            await world.history(user, tea)


async def test_the_longest_standing_follows_the_last_admin(world: World) -> None:
    """When the last admin goes, the first of the others is admin, and all hear of it; while there
    is another admin, nobody's role changes."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    world.sockets.open = {ann, bob, cyd}
    tea = await world.group(ann, bob, cyd)
    await world.groups.set_role(ann, tea, cyd, "admin")
    world.forget()
    await world.groups.remove(ann, tea, ann)
    assert world.heard("conversation_updated") == []
    await world.groups.remove(cyd, tea, cyd)

    (updated,) = world.heard("conversation_updated", by=bob)
    assert _roles(updated) == {bob: "admin"}
    await world.groups.remove(bob, tea, bob)
    assert (await _stored(world, tea)).members == []


async def test_a_groups_name_is_told(world: World) -> None:
    """A new name goes to every member that is here, as each sees the conversation."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    await world.say(ann, tea)
    await world.deliveries.aclose()
    world.sockets.open = {ann, bob}
    world.forget()
    view = await world.groups.rename(ann, tea, "Coffee")
    assert view.name == "Coffee"
    assert world.ears.names == ["conversation_updated"] * 2
    assert {each.users for each in world.ears.heard} == {frozenset({ann}), frozenset({bob})}
    assert [each.unread_count for each in world.heard("conversation_updated", by=bob)] == [1]
    assert (await world.groups.rename(ann, tea, None)).name == "Coffee"


async def test_a_group_keeps_an_admin(world: World) -> None:
    """The last admin cannot become a member; with another one they can."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    with pytest.raises(Conflict) as refused:
        await world.groups.set_role(ann, tea, ann, "member")
    assert refused.value.code == "last_admin"
    await world.groups.set_role(ann, tea, bob, "admin")
    view = await world.groups.set_role(bob, tea, ann, "member")

    assert _roles(view) == {ann: "member", bob: "admin"}
    with pytest.raises(NotFound):
        await world.groups.set_role(bob, tea, ObjectId(), "admin")


ACTS: Mapping[str, Act] = {
    "add": lambda world, who, tea, other: world.groups.add(who, tea, [other]),
    "remove": lambda world, who, tea, other: world.groups.remove(who, tea, other),
    "rename": lambda world, who, tea, _: world.groups.rename(who, tea, "Coffee"),
    "set_role": lambda world, who, tea, other: world.groups.set_role(who, tea, other, "admin"),
}


@pytest.mark.parametrize("act", ACTS)
async def test_only_admins_decide(world: World, act: str) -> None:
    """A member may decide nothing about others, a stranger is told that there is no such group,
    and a direct conversation is none."""
    ann, bob, cyd, dan = await world.people("ann", "bob", "cyd", "dan")
    tea, talk = await world.group(ann, bob, cyd), await world.direct(ann, bob)
    other = dan if act == "add" else cyd
    before = [await _stored(world, each) for each in (tea, talk)]
    world.forget()
    expected: list[tuple[ObjectId, ObjectId, type[ChatMeError]]] = [
        (bob, tea, Forbidden),
        (dan, tea, NotFound),
        (ann, ObjectId(), NotFound),
        (ann, talk, Forbidden),
        (cyd, talk, NotFound),
    ]
    for who, where, error in expected:
        with pytest.raises(error):
            await ACTS[act](world, who, where, other)
    assert [await _stored(world, each) for each in (tea, talk)] == before
    assert (world.ears.heard, world.notes.told) == ([], [])

    await ACTS[act](world, ann, tea, other)
    assert await _stored(world, tea) != before[0]


async def test_nobody_leaves_a_direct_conversation(world: World) -> None:
    """A direct conversation keeps its two, and who is in no group leaves none."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob)
    with pytest.raises(Forbidden):
        await world.groups.remove(ann, talk, ann)
    with pytest.raises(NotFound):
        await world.groups.remove(cyd, tea, cyd)
    with pytest.raises(NotFound):
        await world.groups.remove(ann, tea, cyd)


@pytest.mark.parametrize("act", ["make", "add"])
async def test_some_cannot_be_added(world: World, act: str) -> None:
    """Unknown users are named, and who is at odds with the caller, from either side, is refused;
    nobody is added then."""
    ann, bob, cyd, dan, eve = await world.people("ann", "bob", "cyd", "dan", "eve")
    tea = await world.group(ann, bob)
    await world.blocks.block(ann, cyd)
    await world.blocks.block(dan, ann)
    world.forget()

    async def bring(*users: ObjectId) -> None:
        if act == "make":
            await world.group(ann, *users)
        else:
            await world.groups.add(ann, tea, users)

    for one in (cyd, dan):
        with pytest.raises(Forbidden) as refused:
            await bring(eve, one)
        assert refused.value.code == "blocked"
    unknown = ObjectId()
    with pytest.raises(Invalid) as invalid:
        await bring(eve, unknown)
    assert invalid.value.faults[0].field == "memberIds"
    assert str(unknown) in invalid.value.faults[0].message
    assert world.ears.heard == []
    assert await world.listed(eve) == []


async def test_a_group_is_bounded(world: World) -> None:
    """A group takes 1,024 members and not one more."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob)
    crowd = [
        Member(user=new_id(), role="member", joined_at=SOMETIME).model_dump_doc()
        for _ in range(MAX_MEMBERS - 2)
    ]
    change = {"$push": {"members": {"$each": crowd}}}
    await atomic.update(world.engine, Conversation, {"_id": tea}, change)
    with pytest.raises(Invalid):
        await world.groups.add(ann, tea, [cyd])
    await world.groups.remove(ann, tea, bob)
    await world.groups.add(ann, tea, [cyd])

    assert len((await _stored(world, tea)).members) == MAX_MEMBERS


async def test_versions_race(world: World) -> None:
    """However changes of two processes race, none is lost, and each moves the version by one."""
    ann, bob = await world.people("ann", "bob")
    crowd = await world.people(*("x" * at for at in range(1, 13)))
    nodes = world.node(), world.node()
    tea = await world.group(ann, bob)
    await asyncio.gather(
        *(nodes[at % 2].groups.add(ann, tea, [user]) for at, user in enumerate(crowd)),
        nodes[0].groups.set_role(ann, tea, bob, "admin"),
        nodes[1].groups.rename(ann, tea, "Coffee"),
    )
    stored = await _stored(world, tea)

    assert {member.user for member in stored.members} == {ann, bob, *crowd}
    assert len(stored.members) == len(crowd) + 2
    assert (stored.name, stored.members[1].role) == ("Coffee", "admin")
    assert stored.version == 1 + len(crowd) + 2


async def test_the_last_admins_race(world: World) -> None:
    """Of two admins that step down at once, in two processes, one stays; of all members that leave
    at once the last ones to stay always have an admin."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    nodes = world.node(), world.node()
    for _ in range(5):
        tea = await world.group(ann, bob, cyd)
        await world.groups.set_role(ann, tea, bob, "admin")
        outcomes = await asyncio.gather(
            nodes[0].groups.set_role(ann, tea, ann, "member"),
            nodes[1].groups.set_role(bob, tea, bob, "member"),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in outcomes) == ["Conflict", "ConversationView"]
        await asyncio.gather(
            nodes[0].groups.remove(ann, tea, ann), nodes[1].groups.remove(bob, tea, bob)
        )
        (left,) = (await _stored(world, tea)).members
        assert (left.user, left.role) == (cyd, "admin")


async def test_who_is_no_longer_admin_decides_nothing(world: World) -> None:
    """A decision that was overtaken by the loss of the role is refused."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    await world.groups.set_role(ann, tea, bob, "admin")
    engine = RushedEngine(world, lambda: world.groups.set_role(ann, tea, bob, "member"))
    with pytest.raises(Forbidden):
        await world.node(engine).groups.remove(bob, tea, ann)

    assert len((await _stored(world, tea)).members) == 3


class RushedEngine(GatedEngine):
    """An engine before whose changes of conversations somebody else changes them."""

    def __init__(
        self, world: World, rush: Callable[[], Awaitable[Any]], *, often: bool = False
    ) -> None:
        super().__init__(world.engine)
        self.rush = rush
        self.often = often
        self.rushed = 0

    async def before(self, place: str) -> None:
        """Somebody else is faster, once or always."""
        if place == "conversations.find_one_and_update" and (self.often or not self.rushed):
            self.rushed += 1
            await self.rush()


async def test_who_is_never_fast_enough_may_come_again(world: World) -> None:
    """Where somebody else is always faster, the caller is told to come again."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    rush = RushedEngine(world, lambda: world.groups.rename(ann, tea, "Coffee"), often=True)
    with pytest.raises(Unavailable) as refused:
        await world.node(rush).groups.rename(ann, tea, "Milk")

    assert (refused.value.retry_after, rush.rushed) == (1, ATTEMPTS)
    assert (await _stored(world, tea)).name == "Coffee"


async def test_a_user_who_is_no_more_leaves_every_group(world: World) -> None:
    """They are out of all groups, each keeps an admin, and direct conversations stay."""
    ann, bob, cat = await world.people("ann", "bob", "cat")
    tea, work = await world.group(ann, bob), await world.group(bob, ann, cat)
    talk = await world.direct(ann, bob)
    for _ in range(2):
        await world.groups.leave_all(ann)

    assert await world.core.ids_of(ann) == [talk]
    assert (await world.core.members(tea)).is_admin(bob)
    assert (await world.core.members(work)).user_ids == {bob, cat}


class _LateCore(ConversationService):
    """Lets somebody be erased after they were found to be there, before they are in the group."""

    meanwhile: Callable[[], Awaitable[None]]

    async def add_marks(
        self, conversation_id: ObjectId, users: Collection[ObjectId], last: int
    ) -> None:
        """The marks, made late."""
        await self.meanwhile()
        await super().add_marks(conversation_id, users, last)


@pytest.mark.parametrize("how", ["add", "make"])
async def test_an_erasure_races_an_addition(how: str, world: World) -> None:
    """Who is erased at the very moment at which they are added is in no group in the end."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob)
    core = _LateCore(world.engine, world.clock, world.users, world.views, world.ears, world.errands)
    tellers = Tellers(world.ears, world.notes, world.sockets)
    groups = GroupService(
        world.engine, world.clock, world.users, core, world.views, world.facts, tellers
    )

    async def meanwhile() -> None:
        await world.users.erase(cyd)
        await groups.leave_all(cyd)

    core.meanwhile = meanwhile
    world.forget()
    if how == "add":
        view = await groups.add(ann, tea, [cyd])
    else:
        view = await groups.make(ann, GroupWanted(name="Work", member_ids=[bob, cyd]))

    assert {member.user.id for member in view.members} == {ann, bob}
    assert (await core.members(view.id)).user_ids == {ann, bob}
    assert await core.ids_of(cyd) == []
    assert all(cyd not in details["users"] for _, details in world.notes.told)
