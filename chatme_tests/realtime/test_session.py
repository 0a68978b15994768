"""Tests for a socket's session: its states, and which moves are legal."""

from __future__ import annotations

import pytest
from bson import ObjectId

from chatme.errors import NotAuthenticated
from chatme.realtime.close import Close
from chatme.realtime.session import IllegalMove, Session, State
from chatme_tests.realtime.fakes import ANN, BOB, principal


def opened(user: ObjectId = ANN) -> Session:
    """A session in OPEN."""
    session = Session()
    session.open(principal(user))
    return session


def closed() -> Session:
    """A session in CLOSING."""
    session = opened()
    session.close(Close.TOO_SLOW)
    return session


def test_a_session_waits_first() -> None:
    """A new session waits for a token; nobody is signed in."""
    session = Session()

    assert session.state is State.WAIT_AUTH
    assert not session.signed_in
    assert session.closed_for is None
    with pytest.raises(NotAuthenticated):
        _ = session.principal


def test_a_token_opens_it() -> None:
    """The first genuine token opens a session for its user."""
    session, who = Session(), principal()
    session.open(who)

    assert session.state is State.OPEN
    assert session.signed_in
    assert session.principal is who


def test_a_newer_token_takes_the_olds_place() -> None:
    """Another token of the same user renews an open session."""
    session, newer = opened(), principal()
    session.renew(newer)

    assert session.state is State.OPEN
    assert session.principal is newer


def test_another_users_token_changes_nothing() -> None:
    """Another user's token is refused, and the session stays its owner's."""
    session = opened(ANN)

    with pytest.raises(NotAuthenticated):
        session.renew(principal(BOB))
    assert session.principal.user_id == ANN
    assert session.state is State.OPEN


@pytest.mark.parametrize("session", [Session(), opened()], ids=["waiting", "open"])
@pytest.mark.parametrize("reason", [Close.RESTART, None])
def test_either_side_ends_it(session: Session, reason: Close | None) -> None:
    """A session ends from any state, by us for a reason or by the client without one."""
    fresh = Session() if session.state is State.WAIT_AUTH else opened()
    fresh.close(reason)

    assert fresh.state is State.CLOSING
    assert fresh.closed_for is reason


def test_who_was_here_is_known_to_the_end() -> None:
    """A closing session still knows its user, so that the socket can be taken off the list."""
    assert closed().signed_in
    assert closed().principal.user_id == ANN


def test_an_open_session_is_not_opened_again() -> None:
    """Opening an open session is a fault of ours."""
    with pytest.raises(IllegalMove, match="OPEN → OPEN"):
        opened().open(principal())


def test_a_closing_session_is_not_opened() -> None:
    """Opening a closing session is a fault of ours."""
    with pytest.raises(IllegalMove, match="CLOSING → OPEN"):
        closed().open(principal())


def test_a_waiting_session_is_not_renewed() -> None:
    """Renewing before the first token is a fault of ours."""
    with pytest.raises(IllegalMove, match="renew in WAIT_AUTH"):
        Session().renew(principal())


def test_a_closing_session_is_not_renewed() -> None:
    """Renewing a closing session is a fault of ours."""
    with pytest.raises(IllegalMove, match="renew in CLOSING"):
        closed().renew(principal())


def test_a_closing_session_is_not_closed_again() -> None:
    """Closing twice is a fault of ours, and the first reason stands."""
    session = closed()

    with pytest.raises(IllegalMove, match="CLOSING → CLOSING"):
        session.close(Close.RESTART)
    assert session.closed_for is Close.TOO_SLOW


def test_a_fault_of_ours_is_not_the_clients() -> None:
    """An illegal move is no error that a caller is told."""
    assert not issubclass(IllegalMove, NotAuthenticated.__mro__[1])
