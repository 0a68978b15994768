"""Tests for who is here, and delivery to them."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest
from bson import ObjectId

from chatme.realtime.backplane.base import Envelope, SessionsEnded
from chatme.realtime.close import Close
from chatme.realtime.hub import Hub
from chatme_tests.fakes import RecordingMeter
from chatme_tests.realtime.fakes import ANN, BOB, Listener, principal

FEW = 3
MANY = 50
ROOM, OTHER_ROOM = ObjectId("1" * 24), ObjectId("2" * 24)


def here(hub: Hub, *users: ObjectId) -> list[Listener]:
    """One new socket for each user."""
    listeners = [Listener(principal(user)) for user in users]
    for listener in listeners:
        hub.add(listener)
    return listeners


def envelope(*users: ObjectId, text: str = "hi") -> Envelope:
    """A frame for these users."""
    return Envelope(frozenset(users), text)


def heard(listener: Listener) -> list[str]:
    """The texts that a socket got."""
    return [outgoing.text for outgoing in listener.heard]


@pytest.mark.parametrize(("present", "concerned"), [(FEW, MANY), (MANY, FEW), (FEW, FEW)])
def test_a_frame_reaches_whom_it_goes_to(present: int, concerned: int) -> None:
    """Those concerned who are here get the frame and nobody else, whichever side is larger."""
    hub = Hub()
    users = [ObjectId() for _ in range(present)]
    listeners = here(hub, *users)
    strangers = [ObjectId() for _ in range(concerned - 2)]
    hub.receive(envelope(users[0], users[2], *strangers))

    assert [index for index, each in enumerate(listeners) if each.heard] == [0, 2]
    assert heard(listeners[0]) == ["hi"]


def test_a_frame_for_nobody_here_is_dropped() -> None:
    """A frame for users who have no socket here reaches nobody."""
    hub = Hub()
    (listener,) = here(hub, ANN)
    hub.receive(envelope(BOB))
    hub.receive(envelope())
    Hub().receive(envelope(ANN))

    assert listener.heard == []


def test_each_socket_of_a_user_gets_it_once() -> None:
    """All of a user's sockets get a frame, each once, also one that was added twice."""
    hub = Hub()
    first, second = here(hub, ANN, ANN)
    hub.add(first)
    hub.receive(envelope(ANN))

    assert (heard(first), heard(second)) == (["hi"], ["hi"])
    assert len(hub) == 2


def test_frames_keep_their_order() -> None:
    """Every socket gets frames in the order in which they came."""
    hub = Hub()
    listeners = here(hub, ANN, ANN, BOB)
    texts = [str(number) for number in range(100)]
    for text in texts:
        hub.receive(envelope(ANN, BOB, text=text))

    assert [heard(each) for each in listeners] == [texts] * 3


def test_a_frame_is_encoded_once() -> None:
    """All sockets are handed the very same frame, so that it is encoded once."""
    hub = Hub()
    first, second, third = here(hub, ANN, ANN, BOB)
    hub.receive(envelope(ANN, BOB))

    assert first.heard[0] is second.heard[0] is third.heard[0]


def test_one_socket_is_left_out() -> None:
    """A frame may leave out one socket, of whose user the others get it."""
    hub = Hub()
    first, second = here(hub, ANN, ANN)
    hub.receive(Envelope(frozenset({ANN}), "hi", without=first.id))

    assert (first.heard, heard(second)) == ([], ["hi"])


@pytest.mark.parametrize(
    ("sent", "who"),
    [
        (Envelope(frozenset({ANN}), "hi", quiet_in=ROOM), [False, True, True]),
        (Envelope(frozenset({ANN}), "hi", only_in=ROOM), [True, False, False]),
        (Envelope(frozenset({ANN}), "hi", only_in=ROOM, quiet_in=ROOM), [False, False, False]),
    ],
    ids=["quiet_in", "only_in", "both"],
)
def test_what_is_on_the_screen_decides(sent: Envelope, who: list[bool]) -> None:
    """A frame may go only to sockets that show a conversation, or only to those that do not."""
    hub = Hub()
    listeners = [Listener(principal(), shows) for shows in (ROOM, OTHER_ROOM, None)]
    for listener in listeners:
        hub.add(listener)
    hub.receive(sent)

    assert [bool(listener.heard) for listener in listeners] == who


def test_ended_sessions_are_closed() -> None:
    """The sockets of ended sessions are closed, the user's others and other users' are not."""
    hub = Hub()
    first, second, other = here(hub, ANN, ANN, BOB)
    theirs = frozenset({first.principal.session_id, other.principal.session_id})
    hub.receive(SessionsEnded(ANN, theirs))

    assert first.closed == [Close.NOT_AUTHENTICATED]
    assert second.closed == other.closed == []


def test_all_sessions_may_end() -> None:
    """All of a user's sockets are closed where all the sessions ended; no session is not all."""
    hub = Hub()
    first, second, other = here(hub, ANN, ANN, BOB)
    hub.receive(SessionsEnded(ANN, frozenset()))
    assert first.closed == []
    hub.receive(SessionsEnded(ANN, None))
    hub.receive(SessionsEnded(ObjectId(), None))

    assert first.closed == second.closed == [Close.NOT_AUTHENTICATED]
    assert other.closed == []


def test_a_users_sockets_stand_by_age() -> None:
    """A user's sockets are listed from the oldest, and each user's are their own."""
    hub = Hub()
    first, other, second = here(hub, ANN, BOB, ANN)

    assert list(hub.of_user(ANN)) == [first, second]
    assert list(hub.of_user(BOB)) == [other]
    assert list(hub.of_user(ObjectId())) == []
    assert set(hub.everyone()) == {first, second, other}


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
@pytest.mark.parametrize("strangers", [0, MANY])
def test_who_is_connected_is_known(
    kind: Callable[[Collection[ObjectId]], Collection[ObjectId]], strangers: int
) -> None:
    """Of some users those with a socket here are told, however the users are given."""
    hub = Hub()
    here(hub, ANN, ANN, BOB)
    asked = [ANN, *(ObjectId() for _ in range(strangers))]

    assert hub.connected(kind(asked)) == {ANN}
    assert hub.connected(kind([])) == set()


def test_what_is_on_screens_is_known() -> None:
    """The conversations that somebody here looks at are told, each once."""
    hub = Hub()
    for user, shows in ((ANN, ROOM), (BOB, ROOM), (BOB, OTHER_ROOM), (BOB, None)):
        hub.add(Listener(principal(user), shows))

    assert hub.on_screens() == {ROOM, OTHER_ROOM}
    assert Hub().on_screens() == set()


def test_who_is_gone_hears_nothing() -> None:
    """A socket that was removed gets nothing, the user's others still do."""
    hub = Hub()
    first, second = here(hub, ANN, ANN)

    assert hub.remove(first) is False
    hub.receive(envelope(ANN))
    assert (first.heard, heard(second)) == ([], ["hi"])
    assert len(hub) == 1


def test_nothing_is_left_of_the_last_one() -> None:
    """A user's last socket is known as the last, and then the user was never here."""
    hub = Hub()
    (only,) = here(hub, ANN)

    assert hub.remove(only) is True
    assert len(hub) == 0
    assert list(hub.of_user(ANN)) == []
    assert hub.connected([ANN]) == set()


def test_removing_a_stranger_is_no_error() -> None:
    """A socket that was never here, or is gone already, was nobody's last one."""
    hub = Hub()
    (only,) = here(hub, ANN)

    assert hub.remove(Listener(principal(ANN))) is False
    assert hub.remove(Listener(principal(BOB))) is False
    assert hub.remove(only) is True
    assert hub.remove(only) is False


def test_sockets_may_come_and_go_while_one_hears() -> None:
    """A delivery that makes sockets come and go still reaches those who stay."""
    hub = Hub()

    def turmoil() -> None:
        hub.remove(first)
        hub.add(Listener(principal(ANN)))
        hub.add(Listener(principal(ObjectId())))

    first = Listener(principal(ANN), then=turmoil)
    hub.add(first)
    second, other = here(hub, ANN, BOB)
    hub.receive(envelope(ANN, BOB))

    assert len(first.heard) == len(second.heard) == len(other.heard) == 1
    assert first not in hub.everyone()


def test_frames_are_counted_by_the_batch() -> None:
    """One count for each event that reached somebody, with the sockets that it went to."""
    meter = RecordingMeter()
    hub = Hub(meter)
    first, *_ = here(hub, ANN, ANN, BOB)
    hub.receive(Envelope(frozenset({ANN, BOB}), "hi", event="greeting"))
    hub.receive(Envelope(frozenset({ANN}), "hi", without=first.id, event="greeting"))
    hub.receive(Envelope(frozenset({ObjectId()}), "hi", event="greeting"))

    assert meter.told == [("sent", "greeting", 3), ("sent", "greeting", 1)]
