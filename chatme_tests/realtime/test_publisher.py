"""Tests for telling sockets what happened."""

from __future__ import annotations

from collections.abc import Collection

import orjson
import pytest
from bson import ObjectId

from chatme.ports import Announcer, SocketCloser
from chatme.realtime.backplane.base import Envelope, Parcel, Receiver, SessionsEnded
from chatme.realtime.publisher import Publisher
from chatme_tests.realtime.fakes import ANN, BOB, Said, Text


class Recorder:
    """A backplane that remembers what was published."""

    def __init__(self) -> None:
        self.published: list[Parcel] = []

    @property
    def envelopes(self) -> list[Envelope]:
        """The events that were published."""
        return [parcel for parcel in self.published if isinstance(parcel, Envelope)]

    def publish(self, parcel: Parcel) -> None:
        """Remembers a parcel."""
        self.published.append(parcel)

    def subscribe(self, receiver: Receiver) -> None:
        """Nobody listens."""


def test_an_event_is_framed_once_for_all() -> None:
    """An event becomes one envelope with one encoded frame, however many users it goes to."""
    backplane = Recorder()
    announcer: Announcer = Publisher(backplane)
    announcer.publish(Said(Text(a_text="hi")), [ANN, BOB, ANN])
    (envelope,) = backplane.envelopes

    assert (envelope.users, envelope.event) == (frozenset({ANN, BOB}), "said")
    assert (envelope.without, envelope.quiet_in, envelope.only_in) == (None, None, None)
    assert orjson.loads(envelope.text) == {"event": "said", "data": {"aText": "hi"}}


@pytest.mark.parametrize("nobody", [(), [], frozenset(), {}])
def test_what_concerns_nobody_is_not_sent(nobody: Collection[ObjectId]) -> None:
    """An event for nobody is not published."""
    backplane = Recorder()
    Publisher(backplane).publish(Said(Text()), nobody)

    assert backplane.published == []


def test_events_keep_their_order() -> None:
    """Events are published in the order of the calls."""
    backplane = Recorder()
    for number in range(10):
        Publisher(backplane).publish(Said(Text(a_text=str(number))), {ANN})
    texts = [orjson.loads(each.text)["data"]["aText"] for each in backplane.envelopes]

    assert texts == [str(number) for number in range(10)]


def test_who_is_left_out_is_told() -> None:
    """Which sockets are left out goes along with the event."""
    backplane, room, other = Recorder(), ObjectId(), ObjectId()
    Publisher(backplane).publish(Said(Text()), [ANN], without="s1", quiet_in=room, only_in=other)
    (envelope,) = backplane.envelopes

    assert (envelope.without, envelope.quiet_in, envelope.only_in) == ("s1", room, other)


@pytest.mark.parametrize(
    ("given", "sent"),
    [(None, None), ([], frozenset()), ([ANN, BOB, ANN], frozenset({ANN, BOB}))],
)
def test_ended_sessions_are_told(
    given: Collection[ObjectId] | None, sent: frozenset[ObjectId] | None
) -> None:
    """The end of some sessions, or of all, goes to every node; none at all is not all."""
    backplane = Recorder()
    closer: SocketCloser = Publisher(backplane)
    closer.end_sessions(ANN, given)

    assert backplane.published == [SessionsEnded(ANN, sent)]
