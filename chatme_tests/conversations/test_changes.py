"""Changes of groups, and conversations that are made: told once, wherever the database was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

from chatme.conversations.models import Conversation
from chatme.errors import NotFound, Unavailable
from chatme.storage.errands import Errands
from chatme_tests.conversations.engines import CutEngine, HeldEngine
from chatme_tests.conversations.world import Node, World
from chatme_tests.fakes import AlwaysThere

UPDATED = ["conversation_updated"] * 2


class Cast(NamedTuple):
    """Ann and Bob, who have a group of Ann's, and Cyd."""

    ann: ObjectId
    bob: ObjectId
    cyd: ObjectId
    tea: ObjectId


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody asks for, and all that the connected are told of it, in order.

    ``at`` is which of its writes decides; ``notified`` is how many are notified; asked for again,
    ``repeats`` tells it once more.
    """

    do: Callable[[Node, Cast], Awaitable[Any]]
    events: list[str]
    at: int = 0
    notified: int = 0
    repeats: bool = False


ACTS: Mapping[str, Act] = {
    "make a group": Act(
        lambda node, cast: node.group(cast.ann, cast.bob, cast.cyd),
        ["conversation_created"],
        at=2,
        notified=2,
        repeats=True,
    ),
    "make a talk": Act(
        lambda node, cast: node.direct(cast.ann, cast.cyd), ["conversation_created"], at=2
    ),
    "add": Act(
        lambda node, cast: node.groups.add(cast.ann, cast.tea, [cast.cyd]),
        ["member_added", "conversation_created"],
        at=1,
        notified=1,
    ),
    "remove": Act(
        lambda node, cast: node.groups.remove(cast.ann, cast.tea, cast.bob),
        ["member_removed", "conversation_removed"],
        notified=1,
    ),
    "leave": Act(
        lambda node, cast: node.groups.remove(cast.ann, cast.tea, cast.ann),
        ["member_removed", "conversation_removed", "conversation_updated"],
    ),
    "promote": Act(
        lambda node, cast: node.groups.set_role(cast.ann, cast.tea, cast.bob, "admin"),
        UPDATED,
        repeats=True,
    ),
    "rename": Act(
        lambda node, cast: node.groups.rename(cast.ann, cast.tea, "Milk"), UPDATED, repeats=True
    ),
}


async def _cast(world: World) -> Cast:
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob)
    world.sockets.open = {ann, bob, cyd}
    world.forget()
    return Cast(ann, bob, cyd, tea)


def _notified(world: World) -> list[ObjectId]:
    return [user for _, details in world.notes.told for user in details["users"]]


@pytest.mark.parametrize("late", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("name", ACTS)
async def test_an_absence_tells_a_change_once(world: World, name: str, late: bool) -> None:
    """Where the database is away at the write that decides, its caller is told so; what was
    written all the same is told once, and asked for again only another change is."""
    act, cast = ACTS[name], await _cast(world)
    node = world.node(CutEngine(world.engine, act.at, late=late))
    with pytest.raises(Unavailable):
        await act.do(node, cast)
    await node.aclose()
    assert world.ears.names == act.events * late
    assert len(_notified(world)) == act.notified * late
    with suppress(NotFound):  # who is out already
        await act.do(node, cast)
    await node.aclose()

    times = 2 if late and act.repeats else 1
    assert world.ears.names == act.events * times
    assert len(_notified(world)) == act.notified * times


@pytest.mark.parametrize("name", ["make a group", "make a talk", "add"])
async def test_nothing_is_told_of_what_did_not_come_about(world: World, name: str) -> None:
    """Where the database is away before the write that decides, nobody hears of anything."""
    act, cast = ACTS[name], await _cast(world)
    for at in range(act.at):
        node = world.node(CutEngine(world.engine, at, late=True))
        with pytest.raises(AutoReconnect):
            await act.do(node, cast)
        await node.aclose()

    assert (world.ears.names, world.notes.told) == ([], [])
    assert await world.engine.count(Conversation) == 1


class Refusing(AlwaysThere):
    """A `Lifeline` that refuses one piece of work, counted from 0."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.begun = 0

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Counts, and lets in or refuses."""
        self.begun += 1
        if self.begun - 1 == self.at:
            raise Unavailable.briefly()
        async with super().guard():
            yield


@pytest.mark.parametrize("name", ACTS)
async def test_an_absence_after_the_write_tells_it_all(world: World, name: str) -> None:
    """Whichever of the steps after the write finds no database, everybody is told all, once."""
    act, at = ACTS[name], 1
    while True:
        cast, node = await _cast(world), world.node()
        lifeline = Refusing(at)
        node.core.errands = Errands(lifeline, pause=0.001)
        with suppress(Unavailable):
            await act.do(node, cast)
        await node.core.errands.aclose()
        assert world.ears.names == act.events
        assert len(_notified(world)) == act.notified
        if lifeline.begun <= at:
            break
        at += 1

    assert at > 1


@pytest.mark.parametrize("name", ACTS)
async def test_who_stops_waiting_stops_no_change(world: World, name: str) -> None:
    """A caller who is cut off as the change is written has made it: it is told all the same."""
    act, cast = ACTS[name], await _cast(world)
    made = name.startswith("make")
    place = "conversations.insert_one" if made else "conversations.find_one_and_update"
    engine = HeldEngine(world.engine, place, late=True)
    node = world.node(engine)
    asking = asyncio.ensure_future(act.do(node, cast))
    await engine.begun.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    engine.go.set()
    await node.aclose()

    assert world.ears.names == act.events
    assert len(_notified(world)) == act.notified
