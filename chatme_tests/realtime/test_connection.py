"""Tests for one socket: what is written to it, and when it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
import pytest
from bson import ObjectId
from starlette.websockets import WebSocket

from chatme.errors import NotAuthenticated
from chatme.realtime.close import Close
from chatme.realtime.connection import EXPIRY_WARNING, Connection
from chatme.realtime.outbox import Outgoing
from chatme_tests.fakes import RecordingMeter
from chatme_tests.loops import passes
from chatme_tests.realtime.fakes import ANN, BOB, NOON, FrozenClock, Said, Text, principal
from chatme_tests.realtime.peers import Peer, scope

MOVABLE_LOOP = True
SOON = timedelta(milliseconds=30)


class Box:
    """An Outbox that keeps what is put into it, and may be full."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.is_full = False
        self.closed = 0

    def put(self, outgoing: Outgoing) -> bool:
        """Keeps a frame."""
        self.texts.append(outgoing.text)
        return not self.is_full

    def held(self) -> int:
        """The characters that were put."""
        return sum(map(len, self.texts))

    async def aclose(self) -> None:
        """Counts."""
        self.closed += 1

    @property
    def frames(self) -> list[Any]:
        """What was put, read."""
        return [orjson.loads(text) for text in self.texts]


class Line:
    """A connection, its outbox and its peer."""

    def __init__(self) -> None:
        self.peer = Peer()
        self.box = Box()
        self.opened: list[ObjectId] = []
        self.websocket = WebSocket(scope(self.peer), self.peer.receive, self.peer.send)
        self.ended: list[Connection] = []
        self.meter = RecordingMeter()
        self.connection = Connection(
            self.websocket, self.box, FrozenClock(), self._on_open, self._on_close, self.meter
        )

    def _on_close(self, connection: Connection) -> None:
        self.ended.append(connection)

    def _on_open(self, connection: Connection) -> None:
        self.opened.append(connection.principal.user_id)


@asynccontextmanager
async def _accepted() -> AsyncIterator[Line]:
    line = Line()
    await line.websocket.accept()
    await line.peer.heard()
    yield line
    await line.connection.aclose()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """A connection whose socket is accepted."""
    async with _accepted() as made:
        yield made


async def test_connections_have_names(line: Line) -> None:
    """Each connection has an id of its own, and nobody to begin with."""
    async with _accepted() as other:
        assert line.connection.id != other.connection.id
    with pytest.raises(NotAuthenticated):
        _ = line.connection.principal
    assert line.connection.open_conversation is None


async def test_the_first_token_opens(line: Line) -> None:
    """The first sign-in opens the socket once, a later one renews it silently."""
    newer = principal()
    line.connection.sign_in(principal())
    line.connection.sign_in(newer)

    assert line.opened == [ANN]
    assert line.connection.principal is newer


async def test_another_users_token_is_refused(line: Line) -> None:
    """Another user's token is refused and takes nothing away."""
    line.connection.sign_in(principal(ANN))

    with pytest.raises(NotAuthenticated):
        line.connection.sign_in(principal(BOB))
    assert line.connection.principal.user_id == ANN
    assert not line.connection.closing


async def test_a_sign_in_that_comes_too_late_is_nothing(line: Line) -> None:
    """A token that was looked at while the end began opens nothing, and is no fault."""
    line.connection.close(Close.NO_AUTH_IN_TIME)
    line.connection.sign_in(principal())

    assert line.opened == []
    assert await line.peer.code() == 4408


async def test_a_renewal_that_comes_too_late_is_nothing(line: Line) -> None:
    """A newer token for a socket whose end has begun is no fault either."""
    line.connection.sign_in(principal())
    line.connection.close(Close.REPLACED)
    line.connection.sign_in(principal())

    assert await line.peer.code() == 4409


async def test_a_token_runs_out(line: Line) -> None:
    """When the token's time is over the socket is closed with 4401, after a warning."""
    line.connection.sign_in(principal(lasts=SOON))

    assert await line.peer.code() == 4401
    assert line.box.frames == [
        {"event": "token_expiring", "data": {"expiresAt": "2026-01-31T12:00:00.030Z"}}
    ]


async def test_a_stale_token_ends_at_once(line: Line) -> None:
    """A token whose time is over already closes the socket at once."""
    line.connection.sign_in(principal(lasts=-timedelta(days=1)))

    assert await line.peer.code() == 4401


async def test_the_warning_comes_ahead(line: Line) -> None:
    """The warning comes 60 s before the end, not with it."""
    line.connection.sign_in(principal(lasts=EXPIRY_WARNING + SOON))
    await passes(2 * SOON.total_seconds())

    assert [frame["event"] for frame in line.box.frames] == ["token_expiring"]
    assert not line.connection.closing
    assert timedelta(seconds=60) == EXPIRY_WARNING


async def test_a_renewed_token_lasts(line: Line) -> None:
    """After a renewal neither the old token's end nor its warning comes."""
    line.connection.sign_in(principal(lasts=SOON))
    line.connection.sign_in(principal(lasts=timedelta(hours=1)))
    await passes(2 * SOON.total_seconds())

    assert not line.connection.closing
    assert line.box.texts == []


async def test_a_deadline_may_be_moved(line: Line) -> None:
    """A later deadline takes the place of an earlier one."""
    line.connection.close_after(SOON, Close.NO_AUTH_IN_TIME)
    line.connection.close_after(SOON / 2, Close.REPLACED)

    assert await line.peer.code() == 4409


async def test_frames_go_out_in_order(line: Line) -> None:
    """Events, deliveries and answers go out in the order of the calls."""
    line.connection.say(Said(Text(a_text="1")))
    line.connection.deliver(Outgoing('"2"'))
    line.connection.answer('"3"')
    line.connection.answer(None)

    assert line.box.frames == [{"event": "said", "data": {"aText": "1"}}, "2", "3"]


async def test_a_slow_reader_is_closed(line: Line) -> None:
    """A socket whose outbox is full is closed with 4499, and gets nothing more."""
    line.box.is_full = True
    line.connection.say(Said(Text()))
    line.connection.say(Said(Text()))

    assert await line.peer.code() == 4499
    assert len(line.box.texts) == 1


async def test_nothing_goes_out_after_the_end(line: Line) -> None:
    """Once the end has begun nothing more is written, by whatever way."""
    line.connection.close(Close.RESTART)
    line.connection.say(Said(Text()))
    line.connection.answer('"x"')
    await line.connection.stream(Said(Text()))

    assert line.connection.closing
    assert line.box.texts == []
    assert await line.peer.code() == 1012
    assert line.peer.from_app.empty()


async def test_the_first_reason_stands(line: Line) -> None:
    """A socket is closed once, for the first reason."""
    line.connection.close(Close.TOO_SLOW)
    line.connection.close(Close.RESTART)
    await line.connection.aclose()

    assert await line.peer.code() == 4499
    assert line.peer.from_app.empty()


async def test_a_reason_is_told(line: Line) -> None:
    """The close carries its reason in words."""
    line.connection.close(Close.REPLACED)

    assert (await line.peer.heard())["reason"] == Close.REPLACED.reason


async def test_the_doomed_get_their_answer_first(line: Line) -> None:
    """A socket that is doomed within a frame is closed after that frame's answer."""
    line.connection.busy = True
    line.connection.doom(Close.NOT_AUTHENTICATED)
    assert not line.connection.closing
    line.connection.busy = False
    line.connection.answer('"sorry"')

    assert line.box.frames == ["sorry"]
    assert await line.peer.code() == 4401


async def test_the_doomed_without_an_answer_are_closed_too(line: Line) -> None:
    """A doomed socket whose frame asks for no answer is closed all the same."""
    line.connection.busy = True
    line.connection.doom(Close.NOT_AUTHENTICATED)
    line.connection.answer(None)

    assert await line.peer.code() == 4401


async def test_an_idle_socket_is_doomed_at_once(line: Line) -> None:
    """A socket that is at no frame is closed without waiting for one."""
    line.connection.doom(Close.RESTART)

    assert await line.peer.code() == 1012


async def test_a_stream_waits_for_the_reader(line: Line) -> None:
    """One of many events waits until the client takes it, past the bound of the outbox."""
    line.peer.reads.clear()
    sending = asyncio.create_task(line.connection.stream(Said(Text(a_text="1"))))
    await asyncio.sleep(0)
    assert not sending.done()
    line.peer.reads.set()
    await sending

    assert (await line.peer.frame())["data"] == {"aText": "1"}
    assert line.box.texts == []


async def test_a_stream_to_a_lost_peer_ends(line: Line) -> None:
    """Events for a peer that has gone are dropped in silence, however many are still to come."""
    line.peer.leave()
    for _ in range(3):
        await line.connection.stream(Said(Text()))

    assert line.peer.from_app.empty()


async def test_a_lost_peer_is_closed_in_silence(line: Line) -> None:
    """Closing a socket whose peer has gone is no fault."""
    line.peer.leave()
    line.connection.close(Close.TOO_SLOW)
    await line.connection.aclose()

    assert line.connection.closing


async def test_the_end_leaves_nothing(line: Line) -> None:
    """At the end the outbox is closed and no timer runs, whoever began it."""
    line.connection.sign_in(principal(lasts=SOON))
    await line.connection.aclose()
    await passes(2 * SOON.total_seconds())

    assert line.connection.closing
    assert line.connection.session.closed_for is None
    assert line.box.closed == 1
    assert line.peer.from_app.empty()


async def test_the_clock_is_the_given_one(line: Line) -> None:
    """How long a token lasts is told by the clock that was given, not by the machine's."""
    line.connection.sign_in(principal(lasts=timedelta(hours=1)))
    await passes(SOON.total_seconds())

    assert line.connection.principal.expires_at == NOON + timedelta(hours=1)
    assert not line.connection.closing


async def test_frames_and_the_end_are_counted(line: Line) -> None:
    """What goes to the socket alone is counted by its event, and the end once, by its reason."""
    line.connection.say(Said(Text(a_text="a")))
    await line.connection.stream(Said(Text(a_text="b")))
    held = line.connection.held
    line.connection.close(Close.TOO_SLOW)
    line.connection.close(Close.FAULT)
    line.connection.say(Said(Text(a_text="c")))

    assert held == len(line.box.texts[0])
    assert line.meter.told == [("sent", "said", 1), ("sent", "said", 1), ("closed", "too_slow")]
