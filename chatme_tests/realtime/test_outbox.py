"""The outbox's contract, on both implementations, and what is special of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from chatme.realtime.outbox import (
    MAX_BUFFERED_BYTES,
    MAX_QUEUED_FRAMES,
    Outbox,
    Outgoing,
    QueuedOutbox,
    ReadyOutbox,
)
from chatme.realtime.ready import encode_text_frame
from chatme_tests.realtime.peers import ReadyWire

KIBIBYTE = "x" * 1024
FAR_TOO_MANY = 5000


class Line(Protocol):
    """An outbox, and the socket at its other end."""

    outbox: Outbox

    def stop_reading(self) -> None:
        """From now on the peer takes nothing."""
        ...

    async def arrived(self, count: int) -> list[bytes]:
        """The frames that arrived, once there are so many."""
        ...


class ReadyLine:
    """Over ready frames."""

    def __init__(self) -> None:
        self._wire = ReadyWire()
        self.outbox: Outbox = ReadyOutbox(self._wire)

    def stop_reading(self) -> None:
        """The transport's buffer fills."""
        self._wire.is_stuck = True

    async def arrived(self, count: int) -> list[bytes]:
        """What was written."""
        assert len(self._wire.written) >= count
        return self._wire.written


class QueuedLine:
    """Over a server's own send."""

    def __init__(self) -> None:
        self._sent: list[bytes] = []
        self._reads = asyncio.Event()
        self._reads.set()
        self._news = asyncio.Event()
        self.outbox: Outbox = QueuedOutbox(self._send)

    def stop_reading(self) -> None:
        """Sending waits."""
        self._reads.clear()

    async def arrived(self, count: int) -> list[bytes]:
        """What was sent."""
        async with asyncio.timeout(5):
            while len(self._sent) < count:
                self._news.clear()
                await self._news.wait()
        return self._sent

    async def _send(self, text: str) -> None:
        await self._reads.wait()
        self._sent.append(encode_text_frame(text))
        self._news.set()


@pytest.fixture(params=[ReadyLine, QueuedLine])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    """Each implementation in turn."""
    made: Line = request.param()
    yield made
    await made.outbox.aclose()


async def test_frames_arrive_in_order(line: Line) -> None:
    """Frames arrive whole, once each, in the order in which they were put."""
    texts = [f"{number}é" for number in range(500)]

    assert all(line.outbox.put(Outgoing(text)) for text in texts)
    assert await line.arrived(500) == [encode_text_frame(text) for text in texts]


async def test_a_reader_that_stops_is_found_out(line: Line) -> None:
    """A peer that takes nothing is told of after a bounded number of frames, without waiting."""
    line.stop_reading()
    answers = [line.outbox.put(Outgoing(KIBIBYTE)) for _ in range(FAR_TOO_MANY)]

    assert answers[:1000] == [True] * 1000
    assert answers[1100:] == [False] * (FAR_TOO_MANY - 1100)


async def test_closing_does_not_wait_for_the_peer(line: Line) -> None:
    """An outbox lets go at once, and may be told so twice, while the peer takes nothing."""
    line.stop_reading()
    line.outbox.put(Outgoing("never read"))

    async with asyncio.timeout(5):
        await line.outbox.aclose()
        await line.outbox.aclose()


def test_a_frame_is_encoded_once() -> None:
    """A frame for many sockets is encoded when the first one wants it, and only then."""
    outgoing = Outgoing("hé")

    assert outgoing.frame == encode_text_frame("hé")
    assert outgoing.frame is outgoing.frame


def test_ready_frames_are_bounded_by_bytes() -> None:
    """Over ready frames the bound is what the transport still holds: 1 MiB is fine, more is not."""
    wire = ReadyWire()
    outbox = ReadyOutbox(wire)
    wire.is_stuck = True
    head = len(encode_text_frame("x" * 70_000)) - 70_000

    assert outbox.put(Outgoing("x" * (MAX_BUFFERED_BYTES - head)))
    assert not outbox.put(Outgoing(""))


async def test_queued_frames_are_bounded_by_number() -> None:
    """Over a queue the bound is the number of frames that wait."""
    line = QueuedLine()
    line.stop_reading()

    assert all(line.outbox.put(Outgoing("")) for _ in range(MAX_QUEUED_FRAMES))
    assert not line.outbox.put(Outgoing(""))
    await line.outbox.aclose()


async def test_a_lost_peer_is_no_noise() -> None:
    """A queue whose sending fails for good takes frames still, and closes without complaint."""

    async def lose(_text: str) -> None:
        raise OSError("the client has gone")

    outbox = QueuedOutbox(lose)
    outbox.put(Outgoing("a"))
    await asyncio.sleep(0)

    assert outbox.put(Outgoing("b"))
    await outbox.aclose()


async def test_what_is_held_is_known(line: Line) -> None:
    """A peer that reads leaves nothing behind; one that does not leaves every byte."""
    frame = len(encode_text_frame("a"))
    line.outbox.put(Outgoing("a"))
    await line.arrived(1)
    await asyncio.sleep(0)
    assert line.outbox.held() == 0

    line.stop_reading()
    for _ in range(3):
        line.outbox.put(Outgoing("a"))
    await asyncio.sleep(0)
    assert line.outbox.held() == 3 * frame
