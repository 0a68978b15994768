"""What a sign-in sets off, where the database goes away right after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from chatme.errors import Unavailable
from chatme_tests.realtime.chatroom import BEARER, House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """The house of the test."""
    made = House()
    yield made
    await made.aclose()


async def test_a_greeting_waits_for_the_database(house: House) -> None:
    """Where the database gets lost right after the sign-in the socket stays open, its frames are
    worked, and what the sign-in sets off follows."""
    house.not_greeted = [Unavailable.briefly()]
    async with house.connect(headers=BEARER, ready=True) as peer:
        assert (await peer.frame())["event"] == "connected"
        peer.emit("note", {"aText": "before"}, 1)
        assert (await peer.frame())["id"] == 1
        assert house.greeted == []
        async with asyncio.timeout(5):
            while not house.greeted:  # noqa: ASYNC110 -- nobody is told of it
                await asyncio.sleep(0.01)


async def test_who_leaves_is_greeted_no_more(house: House) -> None:
    """A socket that ends before the database is back leaves nothing behind."""
    house.not_greeted = [Unavailable.briefly()]
    async with house.connect(headers=BEARER, ready=True) as peer:
        await peer.frame()
    left = [task for task in asyncio.all_tasks() if "_greet_later" in repr(task)]

    assert (house.greeted, left) == ([], [])


async def test_a_late_greeting_that_fails_ends_the_socket(house: House) -> None:
    """A fault of ours in it closes the socket, as one at once would, and is logged."""
    house.not_greeted = [ZeroDivisionError(), Unavailable.briefly()]
    with capture_logs() as logs:
        async with house.connect(headers=BEARER, ready=True) as peer:
            await peer.frame()
            assert await peer.ends() == 1011

    assert "a socket failed" in [each["event"] for each in logs]
