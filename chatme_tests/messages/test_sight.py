"""What of a conversation one member may see: asked of a message, and of the database."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatme.messages.models import Message
from chatme.messages.sight import Sight
from chatme_tests.conversations.world import World
from chatme_tests.messages.stage import made
from chatme_tests.plans import plan_of

TEA = ObjectId()
ANN, BOB, CYD = PEOPLE = [ObjectId() for _ in range(3)]
CLEARED = st.integers(-1, 6)
SIGHTS = st.builds(
    Sight,
    viewer=st.sampled_from(PEOPLE),
    direct=st.just(False),
    cleared_seq=CLEARED,
    blocked=st.frozensets(st.sampled_from(PEOPLE), max_size=2),
) | st.builds(
    Sight,
    viewer=st.just(ANN),
    direct=st.just(True),
    cleared_seq=CLEARED,
    blocked=st.sampled_from([frozenset[ObjectId](), frozenset({BOB})]),
)


@st.composite
def said(draw: st.DrawFn, people: Sequence[ObjectId]) -> list[Message]:
    """Messages of some people, withheld from some of the others."""
    numbers = draw(st.lists(st.integers(1, 6), max_size=8, unique=True))
    messages = []
    for seq in numbers:
        sender = draw(st.sampled_from(people))
        others = st.sampled_from([each for each in people if each != sender])
        withheld = draw(st.lists(others, max_size=2, unique=True))
        messages.append(made(TEA, sender, seq, withheld_from=withheld))
    return messages


def test_a_plain_sight_shows_all() -> None:
    """Without clearing and blocks, everything is shown and nothing is asked of the database."""
    sight = Sight(ANN, direct=False, cleared_seq=-1, blocked=frozenset())

    assert sight.shows(made(TEA, BOB, 1))
    assert sight.conditions() == {}


@given(SIGHTS, said(PEOPLE))
def test_a_stored_message_is_seen_as_a_read_one(sight: Sight, messages: list[Message]) -> None:
    """A message's stored fields are enough to say whether it is shown."""
    for each in messages:
        assert sight.shows_row(each.model_dump_doc()) == sight.shows(each)


def test_what_was_cleared_is_hidden() -> None:
    """Messages up to the cleared number are hidden, later ones are not."""
    sight = Sight(ANN, direct=True, cleared_seq=2, blocked=frozenset())

    assert [sight.shows(made(TEA, BOB, seq)) for seq in (1, 2, 3)] == [False, False, True]


def test_who_is_blocked_is_hidden() -> None:
    """Whatever a blocked sender said is hidden, in groups as well, and nothing of others."""
    sight = Sight(ANN, direct=False, cleared_seq=-1, blocked=frozenset({BOB}))

    assert [sight.shows(made(TEA, who, 1)) for who in (ANN, BOB, CYD)] == [True, False, True]


def test_what_was_withheld_is_hidden_for_good_between_two() -> None:
    """What came during a block stays hidden in a direct conversation, from its recipient alone;
    a group shows it again after the block."""
    withheld = made(TEA, BOB, 1, withheld_from=[ANN])
    shown = [
        Sight(viewer, direct=direct, cleared_seq=-1, blocked=frozenset()).shows(withheld)
        for viewer, direct in ((ANN, True), (BOB, True), (ANN, False))
    ]

    assert shown == [False, True, True]


# Every example has messages of its own: nothing is left in the world for the next one.
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), sight=SIGHTS)
async def test_the_database_is_asked_the_same(
    world: World, data: st.DataObject, sight: Sight
) -> None:
    """The conditions, with the clearing, find exactly the messages that are shown."""
    messages = data.draw(said((ANN, BOB) if sight.direct else PEOPLE))
    collection = world.engine.get_collection(Message)
    await collection.delete_many({})
    for message in messages:
        await collection.insert_one(message.model_dump_doc())
    shown = [message.id for message in messages if sight.shows(message)]
    for by_seq in (True, False):
        conditions = sight.conditions(by_seq=by_seq)
        found = await world.engine.find(
            Message, {"conversation": TEA, "seq": {"$gt": sight.cleared_seq}, **conditions}
        )
        assert sorted(shown) == sorted(message.id for message in found)


async def test_a_flood_of_the_blocked_is_not_waded_through(world: World) -> None:
    """Between two, what is left to be seen during a block is found by its own index."""
    sight = Sight(ANN, direct=True, cleared_seq=0, blocked=frozenset({BOB}))
    plan = await plan_of(
        world.engine.get_collection(Message),
        {"conversation": TEA, "seq": {"$gt": 0}, **sight.conditions()},
        [("seq", -1)],
    )

    assert (plan["index"], plan["sorted"]) == ("sender", True)
