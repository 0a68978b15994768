"""Tests for who is online, and who is told of it when."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from chatme.errors import Unavailable
from chatme_tests.fakes import SOMETIME
from chatme_tests.realtime.audience import SHORT, Audience, settle

ANN, BOB, CYD = ObjectId("a" * 24), ObjectId("b" * 24), ObjectId("c" * 24)
LONG = timedelta(hours=1)


async def test_the_first_socket_and_the_last_are_told() -> None:
    """A user is told of at their first socket and the grace after the last, and not in between."""
    here = Audience()
    loop = asyncio.get_running_loop()
    for _ in range(3):
        here.tracker.connected(ANN)
    await here.until((ANN, None))
    for _ in range(2):
        here.tracker.disconnected(ANN)
        here.clock.move(seconds=1)
    left_at = loop.time()
    here.tracker.disconnected(ANN)
    here.clock.move(seconds=1)

    assert here.tracker.is_online(ANN)
    await here.until((ANN, None), (ANN, SOMETIME + timedelta(seconds=2)))
    assert loop.time() - left_at >= SHORT.total_seconds() * 0.9
    assert not here.tracker.is_online(ANN)
    await here.tracker.aclose()


async def test_a_thousand_reconnects_are_no_news() -> None:
    """However often a user goes and comes back within the grace, nobody is told."""
    here = Audience(LONG)
    here.tracker.connected(ANN)
    await here.until((ANN, None))
    for _ in range(1000):
        here.tracker.disconnected(ANN)
        assert here.tracker.is_online(ANN)
        await asyncio.sleep(0)
        here.tracker.connected(ANN)
    await settle()

    assert here.told == [(ANN, None)]
    assert len(asyncio.all_tasks()) == 1
    await here.tracker.aclose()


async def test_the_grace_begins_again_with_each_departure() -> None:
    """Only the last of many departures is told, with its own moment, and once."""
    here = Audience()
    for _ in range(1000):
        here.tracker.connected(ANN)
        here.clock.move(seconds=1)
        here.tracker.disconnected(ANN)

    await here.until((ANN, None), (ANN, SOMETIME + timedelta(seconds=1000)))
    await asyncio.sleep(SHORT.total_seconds() * 2)
    assert len(here.told) == 2
    await here.tracker.aclose()


async def test_who_comes_back_after_the_grace_is_news() -> None:
    """A user who was told to be away is told to be online again."""
    here = Audience()
    here.tracker.connected(ANN)
    here.tracker.disconnected(ANN)
    await here.until((ANN, None), (ANN, SOMETIME))
    here.tracker.connected(ANN)

    await here.until((ANN, None), (ANN, SOMETIME), (ANN, None))
    await here.tracker.aclose()


async def test_those_online_are_picked_out() -> None:
    """Of a number of users those are online who have a socket or are within the grace."""
    here = Audience(LONG)
    here.tracker.connected(ANN)
    here.tracker.connected(BOB)
    here.tracker.disconnected(BOB)

    assert here.tracker.online_among([ANN, BOB, CYD]) == {ANN, BOB}
    assert here.tracker.online_among(frozenset()) == set()
    assert not here.tracker.is_online(CYD)
    await here.tracker.aclose()


async def test_a_stranger_cannot_leave() -> None:
    """A socket that was never here closes without effect, also beside one that is."""
    here = Audience()
    here.tracker.disconnected(ANN)
    assert len(here.tracker) == 0

    here.tracker.connected(ANN)
    for _ in range(3):
        here.tracker.disconnected(ANN)
    here.tracker.connected(ANN)
    await asyncio.sleep(SHORT.total_seconds() * 2)
    assert here.tracker.is_online(ANN)
    here.tracker.disconnected(ANN)
    await here.until((ANN, None), (ANN, SOMETIME))
    await here.tracker.aclose()


async def test_who_is_away_is_forgotten() -> None:
    """Nothing is kept of a user once it is told that they are away."""
    here = Audience()
    users = [ObjectId() for _ in range(100)]
    for user in users:
        here.tracker.connected(user)
        here.tracker.disconnected(user)
    assert len(here.tracker) == 100
    async with asyncio.timeout(5), here.heard:
        await here.heard.wait_for(lambda: len(here.told) == 200)
    await settle()

    assert len(here.tracker) == 0
    assert len(asyncio.all_tasks()) == 1


async def test_news_of_a_user_waits_its_turn() -> None:
    """While one thing is told of a user the next waits, and what undid itself is never told."""
    here = Audience()
    here.let_go.clear()
    here.tracker.connected(ANN)
    await here.until((ANN, None))
    here.tracker.disconnected(ANN)
    await asyncio.sleep(SHORT.total_seconds() * 2)
    assert not here.tracker.is_online(ANN)
    assert here.told == [(ANN, None)]
    here.let_go.set()
    await here.until((ANN, None), (ANN, SOMETIME))

    here.let_go.clear()
    here.tracker.connected(BOB)
    await settle()
    here.tracker.disconnected(BOB)
    await asyncio.sleep(SHORT.total_seconds() * 2)
    here.tracker.connected(BOB)
    here.let_go.set()
    await settle()
    assert here.told[2:] == [(BOB, None)]
    await here.tracker.aclose()


async def test_one_slow_user_delays_no_other() -> None:
    """What is told of one user does not wait for what is told of another."""
    here = Audience()
    here.let_go.clear()
    for user in (ANN, BOB, CYD):
        here.tracker.connected(user)

    await here.until((ANN, None), (BOB, None), (CYD, None))
    here.let_go.set()
    await here.tracker.aclose()


async def test_a_failure_is_logged_and_breaks_nothing() -> None:
    """A listener that fails is logged with its fault, and hears the next news all the same."""
    here = Audience()
    here.errors = [ZeroDivisionError("deaf"), ZeroDivisionError("deaf")]
    with capture_logs() as logs:
        here.tracker.connected(ANN)
        here.tracker.disconnected(ANN)
        await here.until((ANN, None), (ANN, SOMETIME))
        await settle()

    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("telling a presence failed", "error")
    ] * 2
    assert all(isinstance(log["exc_info"], ZeroDivisionError) for log in logs)
    assert len(here.tracker) == 0


async def test_news_waits_for_the_database() -> None:
    """What could not be told is told again until it is, as it then stands; nothing is logged."""
    here = Audience()
    here.errors = [Unavailable.briefly(), Unavailable.briefly()]
    with capture_logs() as logs:
        here.tracker.connected(ANN)
        await here.until((ANN, None), (ANN, None), (ANN, None))
        await settle()
        here.errors = [Unavailable.briefly()]
        here.told.clear()
        here.tracker.disconnected(ANN)
        await here.until((ANN, SOMETIME), (ANN, SOMETIME))
        await settle()

    assert logs == []
    assert len(here.tracker) == 0


async def test_closing_waits_for_no_database() -> None:
    """The end gives up what cannot be told, and says so."""
    here = Audience()
    here.errors = [Unavailable.briefly()]
    here.let_go.clear()
    here.tracker.connected(ANN)
    await here.until((ANN, None))
    closing = asyncio.create_task(here.tracker.aclose())
    await settle()
    with capture_logs() as logs:
        here.let_go.set()
        await closing

    assert [log["event"] for log in logs] == ["telling a presence failed"]


async def test_closing_waits_for_what_is_being_told() -> None:
    """The end waits for listeners at work, stops the graces, and after it nothing is told."""
    here = Audience()
    here.tracker.connected(BOB)
    await here.until((BOB, None))
    here.tracker.disconnected(BOB)
    here.let_go.clear()
    here.tracker.connected(ANN)
    await here.until((BOB, None), (ANN, None))
    closing = asyncio.create_task(here.tracker.aclose())
    await settle()
    assert not closing.done()

    here.let_go.set()
    await closing
    assert not here.listening
    here.tracker.disconnected(ANN)
    here.tracker.connected(CYD)
    await asyncio.sleep(SHORT.total_seconds() * 2)
    assert here.told == [(BOB, None), (ANN, None)]
    assert len(asyncio.all_tasks()) == 1


MOVES = st.lists(
    st.tuples(
        st.sampled_from([ANN, BOB]),
        st.sampled_from(["connected", "disconnected", "wait", "stop", "go"]),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=100)
@given(MOVES)
def test_what_was_told_last_is_how_it_is(moves: list[tuple[ObjectId, Any]]) -> None:
    """After any comings and goings, with listeners of any speed, the last news is the truth."""

    async def play() -> None:
        here = Audience(timedelta(milliseconds=1))
        sockets = {ANN: 0, BOB: 0}
        left: dict[ObjectId, datetime] = {}
        for user, move in moves:
            here.clock.move(seconds=1)
            if move == "wait":
                await asyncio.sleep(0.002)
            elif move in ("stop", "go"):
                here.let_go.set() if move == "go" else here.let_go.clear()
            else:
                getattr(here.tracker, move)(user)
                sockets[user] = max(0, sockets[user] + (1 if move == "connected" else -1))
                if move == "disconnected" and sockets[user] == 0:
                    left.setdefault(user, here.clock.now())
                elif sockets[user]:
                    left.pop(user, None)
        here.let_go.set()
        await asyncio.sleep(0.004)
        await here.tracker.aclose()
        for user, count in sockets.items():
            news = [since for each, since in here.told if each == user]
            assert here.tracker.is_online(user) == (count > 0)
            assert news[-1:] == ([None] if count else [left[user]] if news else [])
            assert not news or news[0] is None
            assert all(one != other for one, other in pairwise(news))

    asyncio.run(play())
