"""The backplane's contract, on the one of a single node.

A twin joins by a line in `BACKPLANES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest

from chatme.realtime.backplane.base import Backplane, Envelope, Parcel, SessionsEnded
from chatme.realtime.backplane.memory import MemoryBackplane
from chatme_tests.realtime.fakes import ANN, BOB

BACKPLANES = (pytest.param(MemoryBackplane, id="memory"),)


@pytest.fixture(params=BACKPLANES)
def backplane(request: pytest.FixtureRequest) -> Backplane:
    """Each implementation in turn."""
    make: Callable[[], Backplane] = request.param
    return make()


def letter(text: str = "hi") -> Envelope:
    """An envelope."""
    return Envelope(frozenset({ANN, BOB}), text)


@pytest.mark.parametrize(
    "parcel",
    [
        letter('{"é": "\\n"}'),
        Envelope(frozenset({ANN}), "{}", without="s1", quiet_in=ANN, only_in=BOB),
        Envelope(frozenset(), ""),
        SessionsEnded(ANN, None),
        SessionsEnded(ANN, frozenset()),
        SessionsEnded(ANN, frozenset({ANN, BOB})),
    ],
    ids=repr,
)
def test_what_is_published_arrives_whole(backplane: Backplane, parcel: Parcel) -> None:
    """A parcel of either kind arrives at this node with all that it holds."""
    arrived: list[Parcel] = []
    backplane.subscribe(arrived.append)
    backplane.publish(parcel)

    assert arrived == [parcel]


def test_parcels_keep_their_order(backplane: Backplane) -> None:
    """Parcels arrive once each, in the order in which they were published."""
    arrived: list[Parcel] = []
    backplane.subscribe(arrived.append)
    sent: list[Parcel] = [letter(str(number)) for number in range(100)]
    sent.insert(50, SessionsEnded(ANN, None))
    for each in sent:
        backplane.publish(each)

    assert arrived == sent


def test_nobody_has_to_listen(backplane: Backplane) -> None:
    """Publishing before anybody listens does not fail, and is not kept for later."""
    arrived: list[Parcel] = []
    backplane.publish(letter())
    backplane.subscribe(arrived.append)

    assert arrived == []


def test_one_receiver_a_node(backplane: Backplane) -> None:
    """The receiver named last is the one that gets parcels."""
    first: list[Parcel] = []
    second: list[Parcel] = []
    backplane.subscribe(first.append)
    backplane.subscribe(second.append)
    backplane.publish(letter())

    assert (first, second) == ([], [letter()])


def test_nodes_do_not_share_by_accident() -> None:
    """Two backplanes in memory know nothing of each other."""
    arrived: list[Parcel] = []
    one, other = MemoryBackplane(), MemoryBackplane()
    other.subscribe(arrived.append)
    one.publish(letter())

    assert arrived == []


def test_a_parcel_is_sealed() -> None:
    """A parcel is a value that does not change on its way."""
    assert letter() == letter()
    with pytest.raises(FrozenInstanceError):
        letter().__setattr__("text", "other")
