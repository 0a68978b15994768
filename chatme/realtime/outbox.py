"""A socket's outgoing side: bounded, ordered, never waiting.

`ReadyOutbox` writes ready frames straight to the transport, whose own buffer is the bound: no
queue and no task for each socket. `QueuedOutbox` serves where the server offers no ready frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Protocol

from chatme.realtime.ready import ReadyFrames, encode_text_frame

MAX_BUFFERED_BYTES = 1024 * 1024
MAX_QUEUED_FRAMES = 1024


class Outgoing:
    """One frame on its way to any number of sockets, encoded at most once."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def frame(self) -> bytes:
        """The text as a whole WebSocket frame."""
        return encode_text_frame(self.text)


class Outbox(Protocol):
    """Where a socket's frames go."""

    def put(self, outgoing: Outgoing) -> bool:
        """Takes a frame; False where the peer is so far behind that the socket must go."""
        ...

    def held(self) -> int:
        """The bytes that the peer has not taken yet."""
        ...

    async def aclose(self) -> None:
        """Lets go of what is held; frames not yet sent are dropped."""
        ...


class ReadyOutbox:
    """Lives as long as its socket."""

    def __init__(self, frames: ReadyFrames) -> None:
        self._frames = frames

    def put(self, outgoing: Outgoing) -> bool:
        """Writes the frame; False over 1 MiB that the peer has not taken."""
        self._frames.write(outgoing.frame)
        return self._frames.buffered() <= MAX_BUFFERED_BYTES

    def held(self) -> int:
        """What the transport holds."""
        return self._frames.buffered()

    async def aclose(self) -> None:
        """Nothing is held here."""


class QueuedOutbox:
    """Lives as long as its socket; one task sends what waits."""

    def __init__(self, send_text: Callable[[str], Awaitable[None]]) -> None:
        self._send_text = send_text
        self._queue: asyncio.Queue[Outgoing] = asyncio.Queue(MAX_QUEUED_FRAMES)
        self._held = 0
        self._task = asyncio.create_task(self._send())

    def put(self, outgoing: Outgoing) -> bool:
        """Queues the frame; False over 1024 that wait."""
        try:
            self._queue.put_nowait(outgoing)
        except asyncio.QueueFull:
            return False
        self._held += len(outgoing.frame)
        return True

    def held(self) -> int:
        """What waits for the task."""
        return self._held

    async def aclose(self) -> None:
        """Ends the task."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _send(self) -> None:
        while True:
            outgoing = await self._queue.get()
            await self._send_text(outgoing.text)
            self._held -= len(outgoing.frame)
