"""What the rules read out of stored conversations: rosters and marks. Pure."""

from __future__ import annotations

from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from chatme.conversations.models import (
    Conversation,
    Marks,
    Member,
    Roster,
    Standing,
    Watermark,
    direct_key,
    marks_of,
    roster_of,
)
from chatme_tests.fakes import SOMETIME

ANN, BOB, CYD = (ObjectId() for _ in range(3))
IDS = st.builds(ObjectId, st.binary(min_size=12, max_size=12))


def _roster(direct: bool = False, **joined: int) -> Roster:
    members = {ANN: Standing("admin", 0), BOB: Standing("member", joined.get("bob", 0))}
    return Roster(ObjectId(), direct, None if direct else "Tea", 1, members)


def _row(user: ObjectId, **fields: object) -> Watermark:
    return Watermark.model_validate(
        {"id": ObjectId(), "conversation": ObjectId(), "user": user, **fields}
    )


@given(IDS, IDS, IDS)
def test_a_pair_has_one_name(one: ObjectId, other: ObjectId, third: ObjectId) -> None:
    """A pair's key is the same from both sides, the lower id first, and no other pair's."""
    low, high = sorted((one, other))

    assert direct_key(one, other) == direct_key(other, one) == f"{low}:{high}"
    assert (direct_key(one, other) == direct_key(one, third)) == (other == third)


def test_a_roster_is_what_is_stored() -> None:
    """A roster holds the members with their roles and numbers, the name, kind and version."""
    stored = Conversation(
        id=ObjectId(),
        type="group",
        name="Tea",
        members=[
            Member(user=ANN, role="admin", joined_at=SOMETIME),
            Member(user=BOB, role="member", joined_at=SOMETIME, joined_seq=7),
        ],
        version=3,
        created_at=SOMETIME,
    )
    members = {ANN: Standing("admin", 0), BOB: Standing("member", 7)}

    assert roster_of(stored) == Roster(stored.id, False, "Tea", 3, members)
    assert roster_of(stored).user_ids == {ANN, BOB}
    assert roster_of(stored.model_copy(update={"type": "direct"})).direct


def test_only_a_groups_admin_is_one() -> None:
    """Neither a member, nor a stranger, nor anybody of a direct conversation is an admin."""
    group, direct = _roster(), _roster(direct=True)

    assert [group.is_admin(user) for user in (ANN, BOB, CYD)] == [True, False, False]
    assert [direct.is_admin(user) for user in (ANN, BOB, CYD)] == [False] * 3


def test_marks_are_of_the_members() -> None:
    """Every member has marks, with a row or without one, and nobody else."""
    rows = [_row(ANN, delivered_seq=5, read_seq=3), _row(CYD, read_seq=9)]

    assert marks_of(_roster(), rows) == {ANN: Marks(0, 5, 3), BOB: Marks()}


def test_what_was_said_before_counts_as_read() -> None:
    """What came before a member joined is read by them, whatever is left of an earlier stay."""
    row = _row(BOB, delivered_seq=4, read_seq=2, read_ahead=[4, 7], cleared_seq=3, withheld=True)
    marks = marks_of(_roster(bob=5), [row])[BOB]

    assert marks == Marks(5, 5, 5, frozenset({7}), 3, withheld=True)
    assert marks_of(_roster(bob=5), [])[BOB] == Marks(5, 5, 5)


def test_what_is_read_is_delivered() -> None:
    """A mark of reading moves the one of delivery along, and numbers below it are not ahead."""
    row = _row(BOB, delivered_seq=1, read_seq=6, read_ahead=[5, 6, 8])

    assert marks_of(_roster(), [row])[BOB] == Marks(0, 6, 6, frozenset({8}))


def test_what_was_cleared_is_no_longer_unread() -> None:
    """Counting begins above what was read and above what was cleared."""
    assert Marks(read_seq=4, cleared_seq=2).floor == 4
    assert Marks(read_seq=4, cleared_seq=9).floor == 9
    assert Marks().floor == 0
