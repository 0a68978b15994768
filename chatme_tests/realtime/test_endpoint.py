"""Tests for `/chat`: who is let in, how frames are worked, and that all is cleaned up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from chatme.errors import Unavailable
from chatme.rates import Rate
from chatme.realtime.backplane.base import Envelope
from chatme_tests.realtime.chatroom import BEARER, FAULTY, FOREIGN, OURS, SOON, House
from chatme_tests.realtime.fakes import ANN, BOB
from chatme_tests.realtime.peers import Peer, scope


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """The house of the test."""
    made = House()
    yield made
    await made.aclose()


@pytest.fixture
async def ann(house: House) -> AsyncIterator[Peer]:
    """Ann's open socket."""
    async with house.connect(headers=BEARER) as peer:
        assert (await peer.frame())["event"] == "connected"
        yield peer


# Signing in


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": BEARER},
        {"headers": {"authorization": "bearer  ann "}},
        {"query": "token=ann"},
        {"query": "token=bob", "headers": BEARER},
        {"query": "token=ann", "headers": {"Authorization": "Basic YTpi"}},
    ],
)
async def test_a_token_of_the_handshake_opens(house: House, asked: dict[str, Any]) -> None:
    """A genuine token in the header, or else in the query, opens the socket at once."""
    async with house.connect(**asked) as peer:
        frame = await peer.frame()

    assert frame["event"] == "connected"
    assert frame["data"].pop("connectionId") == house.greeted[0]
    assert frame["data"] == {
        "userId": str(ANN),
        "serverTime": "2026-01-31T12:00:00.000Z",
        "heartbeatInterval": 25,
    }


async def test_a_token_of_the_first_frame_opens(house: House) -> None:
    """A genuine token in an auth frame opens the socket, and the frame is acked."""
    async with house.connect() as peer:
        peer.emit("auth", {"token": "ann"}, 1)
        frames = [await peer.frame(), await peer.frame()]

    assert [frame["event"] for frame in frames] == ["connected", "ack"]
    assert frames[1]["data"] == {"userId": str(ANN)}


@pytest.mark.parametrize(
    "asked", [{"headers": {"Authorization": "Bearer x"}}, {"query": "token=x"}, {"query": "token="}]
)
async def test_a_bad_token_closes_after_the_upgrade(house: House, asked: dict[str, Any]) -> None:
    """A bad token of the handshake is let in and closed with 4401, so that browsers see why."""
    async with house.connect(**asked) as peer:
        assert await peer.code() == 4401
    assert house.greeted == []


async def test_a_bad_auth_frame_is_answered_and_closed(house: House) -> None:
    """A bad token in an auth frame is answered by its id, and then closed with 4401."""
    async with house.connect() as peer:
        peer.emit("auth", {"token": "x"}, 7)
        frame = await peer.frame()
        assert (frame["event"], frame["id"]) == ("error", 7)
        assert frame["data"]["code"] == "not_authenticated"
        assert await peer.code() == 4401


async def test_who_does_not_sign_in_goes(house: House) -> None:
    """A socket without a token in time is closed with 4408, whatever it says meanwhile."""
    house.limit(auth_deadline=SOON)
    async with house.connect() as peer:
        peer.emit("ping")
        assert (await peer.frame())["event"] == "pong"
        assert await peer.code() == 4408


async def test_who_signed_in_stays(house: House) -> None:
    """The deadline is off once somebody signed in."""
    house.limit(auth_deadline=SOON)
    async with house.connect(headers=BEARER) as peer:
        await peer.frame()
        await asyncio.sleep(2 * SOON.total_seconds())
        peer.emit("ping")
        assert (await peer.frame())["event"] == "pong"


async def test_a_slow_check_is_overtaken_by_the_deadline(house: House) -> None:
    """A token whose check takes longer than the deadline opens nothing, and is no fault."""
    house.limit(auth_deadline=SOON)
    house.door.open.clear()
    with capture_logs() as logs:
        async with house.connect(headers=BEARER) as peer:
            assert await peer.code() == 4408
            house.door.open.set()

    assert (logs, house.greeted, len(house.hub)) == ([], [], 0)


async def test_strangers_may_only_sign_in(house: House) -> None:
    """Before the sign-in a socket hears nothing, and what it asks is refused; it lives."""
    async with house.connect() as peer:
        house.hub.receive(Envelope(frozenset({ANN, BOB}), '{"event":"a"}'))
        peer.emit("note", {"aText": "x"}, 1)
        assert (await peer.frame())["data"]["code"] == "not_authenticated"
        peer.emit("auth", {"token": "ann"})
        assert (await peer.frame())["event"] == "connected"
    assert house.desk.worked == []


async def test_a_session_that_ended_meanwhile_is_found_out(house: House) -> None:
    """A session that ended while its token was looked at does not keep its socket."""
    house.door.ended.add(house.door.known["ann"].session_id)
    async with house.connect(headers=BEARER) as peer:
        assert await peer.ends() == 4401
    assert house.greeted == []


async def test_a_door_that_is_away_is_asked_again(house: House) -> None:
    """Where tokens cannot be checked for now the socket is told so, lives, and may sign in."""
    house.door.broken = Unavailable.briefly()
    async with house.connect(headers=BEARER) as peer:
        assert (await peer.frame())["data"]["code"] == "unavailable"
        house.door.broken = None
        peer.emit("auth", {"token": "ann"})
        assert (await peer.frame())["event"] == "connected"


# Origins


@pytest.mark.parametrize(
    ("origin", "scheme"),
    [(OURS, "ws"), ("http://chat.example", "ws"), ("https://chat.example", "wss")],
)
async def test_our_pages_are_let_in(house: House, origin: str, scheme: str) -> None:
    """The origins that are set, and our own, are let in; so is who names none."""
    async with house.connect(headers={"Origin": origin}, scheme=scheme):
        pass
    async with house.connect(scheme=scheme):
        pass


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: headers["Origin"])
async def test_foreign_pages_are_refused(house: House, headers: dict[str, str]) -> None:
    """A foreign origin is a 403 before the upgrade, with or without a token."""
    assert await house.refusal(headers=headers) == 403
    assert (house.greeted, len(house.hub)) == ([], 0)


async def test_a_query_that_is_no_text_is_no_fault(house: House) -> None:
    """Bytes in the query that are no text do not stop a page from being judged."""
    assert await house.refusal(query="token=\xff", headers={"Origin": "null"}) == 403


# Frames


async def test_frames_are_worked_in_order(house: House, ann: Peer) -> None:
    """A frame waits for those before it, however quick it would be."""
    ann.emit("wait", {"aText": "slow"}, 1)
    ann.emit("note", {"aText": "quick"}, 2)
    await asyncio.sleep(0.01)
    assert house.desk.worked == []
    house.desk.go.set()

    assert [(await ann.frame())["id"] for _ in range(2)] == [1, 2]
    assert house.desk.worked == ["slow", "quick"]


@pytest.mark.parametrize(("text", "frame_id", "code"), FAULTY)
async def test_a_faulty_frame_is_answered_and_the_socket_lives(
    ann: Peer, text: str, frame_id: object, code: str
) -> None:
    """Whatever is wrong with a frame is an error, with its id where it has one."""
    ann.text(text)
    frame = await ann.frame()
    ann.emit("ping")

    assert frame["event"] == "error"
    assert frame.get("id") == frame_id
    assert ("id" in frame) is (frame_id is not None)
    assert frame["data"]["code"] == code
    assert (await ann.frame())["event"] == "pong"


async def test_a_fault_of_ours_shows_nothing(ann: Peer) -> None:
    """A handler's crash is logged whole and answered in general words."""
    with capture_logs() as logs:
        ann.emit("fail", {"aText": "hunter2"}, 1)
        frame = await ann.frame()
    (line,) = logs

    assert "hunter2" not in str(frame)
    assert "hunter2" not in str(line)
    assert (line["event"], line["event_name"]) == ("a command failed", "fail")
    assert line["exc_info"]


async def test_a_binary_frame_closes(house: House, ann: Peer) -> None:
    """A binary frame closes with 1003, and what comes after it is not worked."""
    ann.binary(b'{"event": "note"}')
    ann.emit("note", {"aText": "late"}, 1)

    assert await ann.code() == 1003
    assert house.desk.worked == []


# Deliveries


@pytest.mark.parametrize("ready", [True, False])
async def test_events_reach_the_socket(house: House, ready: bool) -> None:
    """What the backplane brings reaches the socket, by ready frames or without."""
    async with house.connect(headers=BEARER, ready=ready) as peer:
        await peer.frame()
        house.hub.receive(Envelope(frozenset({ANN}), '{"event":"a"}'))
        house.hub.receive(Envelope(frozenset({BOB}), '{"event":"b"}'))
        house.hub.receive(Envelope(frozenset({ANN}), '{"event":"c"}'))
        assert [(await peer.frame())["event"] for _ in range(2)] == ["a", "c"]


async def test_a_slow_reader_goes(house: House, ann: Peer) -> None:
    """A socket that does not take what is sent is closed with 4499; the others go on."""
    large = '{"event":"large","data":"' + "x" * 1024 * 600 + '"}'
    async with house.connect(headers=BEARER, ready=True) as peer:
        await peer.frame()
        peer.wire.is_stuck = True
        for _ in range(2):
            house.hub.receive(Envelope(frozenset({ANN}), large))
        assert await peer.ends() == 4499

    assert [(await ann.frame())["event"] for _ in range(2)] == ["large"] * 2
    assert len(house.hub) == 1


# Limits


async def test_too_many_frames_are_refused_then_end(house: House) -> None:
    """Frames over the rate are errors that say when to come back, by id; too many end it."""
    house.limit(frames=Rate(1, 3600))
    async with house.connect(headers=BEARER, ready=True) as peer:
        await peer.frame()
        for frame_id in range(200):
            peer.emit("note", {}, frame_id)
        answers = [await peer.frame() for _ in range(2)]
        assert [(each["event"], each["id"]) for each in answers] == [("ack", 0), ("error", 1)]
        assert answers[1]["data"]["code"] == "rate_limited"
        assert answers[1]["data"]["retryAfter"] > 0
        assert await peer.ends() == 4429
    assert len(house.desk.worked) == 1


async def test_a_users_oldest_socket_makes_room(house: House) -> None:
    """One socket too many of a user takes the oldest one's place; other users' stay."""
    house.limit(sockets_per_user=2)
    async with (
        house.connect(query="token=bob") as other,
        house.connect(headers=BEARER) as oldest,
        house.connect(headers=BEARER) as middle,
        house.connect(headers=BEARER) as newest,
    ):
        assert await oldest.ends() == 4409
        for peer in (other, middle, newest):
            await peer.frame()
            peer.emit("ping")
            assert (await peer.frame())["event"] == "pong"


async def test_strangers_of_one_address_are_few(house: House) -> None:
    """Sockets that have not signed in are limited by address; a sign-in or an end makes room."""
    house.limit(strangers_per_address=2)
    async with house.connect() as first:
        async with house.connect():
            assert await house.refusal() == 429
            assert await house.refusal(headers=BEARER) == 429
        async with house.connect():
            assert await house.refusal() == 429
            first.emit("auth", {"token": "ann"})
            await first.frame()
            async with house.connect():
                assert await house.refusal() == 429
    for _ in range(3):
        async with house.connect(query="token=x") as peer:
            await peer.code()


# The end


async def test_a_restart_gives_each_a_slot(house: House) -> None:
    """At a restart each socket is told when to come back, and closed with 1012."""
    async with (
        house.connect(headers=BEARER) as idle,
        house.connect(headers=BEARER) as busy,
    ):
        for peer in (idle, busy):
            await peer.frame()
        busy.emit("wait", {}, 1)
        await asyncio.sleep(0.01)
        draining = asyncio.create_task(house.endpoint.drain())
        slots = [(await peer.frame())["data"]["reconnectIn"] for peer in (idle, busy)]
        assert await idle.code() == 1012
        house.desk.go.set()
        assert (await busy.frame())["event"] == "ack"
        assert await busy.code() == 1012
        await draining

    assert len(set(slots)) == 2
    assert len(house.hub) == 0


async def test_presence_hears_of_both_ends(house: House) -> None:
    """The first socket of a user and the end of the last one are told, strangers' are not."""
    async with house.connect(headers=BEARER) as first, house.connect(headers=BEARER) as second:
        await first.frame()
        await second.frame()
    async with house.connect():
        pass
    await house.aclose()

    assert house.news == [("came", ANN), ("went", ANN)]


@pytest.mark.parametrize("asked", [{"headers": BEARER}, {}, {"query": "token=x"}])
async def test_nothing_is_left_of_a_socket(house: House, asked: dict[str, Any]) -> None:
    """However a socket began, after its end the hub knows it no more and no task runs."""
    before = asyncio.all_tasks()
    async with house.connect(**asked) as peer:
        peer.emit("ping")
        await peer.heard()
    await house.aclose()

    assert len(house.hub) == 0
    assert asyncio.all_tasks() == before


async def test_a_peer_that_vanishes_is_no_noise(house: House) -> None:
    """A peer that vanishes while it is worked for leaves no traceback."""
    with capture_logs() as logs:
        async with house.connect(headers=BEARER) as peer:
            await peer.frame()
            peer.emit("wait", {}, 1)
            peer.emit("stream", {}, 2)
            await asyncio.sleep(0)
            peer.leave()
            house.hub.receive(Envelope(frozenset({ANN}), '{"event":"a"}'))
            house.desk.go.set()

    assert logs == []
    assert len(house.hub) == 0


async def test_a_peer_that_never_was_is_no_noise(house: House) -> None:
    """A peer that is gone before it is accepted leaves nothing either."""
    peer = Peer()
    peer.leave()
    with capture_logs() as logs:
        await house.endpoint(scope(peer, headers=BEARER), peer.receive, peer.send)

    assert (logs, len(house.hub)) == ([], 0)


async def test_a_stop_cleans_up(house: House) -> None:
    """A socket whose task is cancelled, as at a shutdown, is cleaned up as well."""
    peer = Peer()
    asked = scope(peer, headers=BEARER)
    running = asyncio.create_task(house.endpoint(asked, peer.receive, peer.send))
    await peer.heard()
    await peer.frame()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
    assert len(house.hub) == 0
