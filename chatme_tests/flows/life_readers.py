"""Sockets for crowds: they count what comes instead of keeping it, and can stop reading."""

from __future__ import annotations

import asyncio
import re
import socket
from base64 import b64encode
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from chatme_tests.client import WAIT_SECONDS
from chatme_tests.serving import CLOSE, masked

SMALL_BUFFER: Final = 64 * 1024
SMALL_SEGMENT: Final = 1024
_NEW: Final = b'{"event":"new_message"'
_WELCOME: Final = b'{"event":"connected"'
_SEQ: Final = re.compile(rb'"seq":([0-9]+)')
PAGE_KIB: Final = 4


class Arrivals:
    """How many readers have each message."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._waiting: tuple[int, int, asyncio.Event] | None = None

    def came(self, seq: int) -> None:
        """A message reached one more reader."""
        self._counts[seq] += 1
        if self._waiting is not None:
            wanted, readers, event = self._waiting
            if self._counts[wanted] >= readers:
                event.set()

    async def everywhere(self, seq: int, readers: int) -> None:
        """Returns when so many readers have a message."""
        if self._counts[seq] < readers:
            self._waiting = seq, readers, asyncio.Event()
            await asyncio.wait_for(self._waiting[2].wait(), WAIT_SECONDS)
            self._waiting = None


class Reader(asyncio.Protocol):
    """A raw WebSocket client that keeps the numbers of messages, and how the server closed."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.seqs: list[int] = []
        self.close_code: int | None = None
        self.gone = asyncio.Event()
        self.welcome = asyncio.Event()
        self._upgraded = False
        self._arrivals = arrivals
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The connection."""
        assert self._transport is not None
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, however it came."""
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        """Takes what came apart into frames."""
        self._buffer += data
        if not self._upgraded:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101 "), head
            self._buffer = bytearray(rest)
            self._upgraded = True
        while (frame := self._next_frame()) is not None:
            opcode, payload = frame
            if opcode == CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big")
                self.transport.write(masked(CLOSE, payload[:2]))
            elif payload.startswith(_NEW) and (match := _SEQ.search(payload)):
                self.seqs.append(int(match[1]))
                self._arrivals.came(self.seqs[-1])
            elif payload.startswith(_WELCOME):
                self.welcome.set()

    def stop_reading(self) -> None:
        """Leaves what comes to the kernel, which then takes no more."""
        self.transport.pause_reading()

    def read_on(self) -> None:
        """Reads again."""
        self.transport.resume_reading()

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return None
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[start : start + length])
        del buffer[: start + length]
        return opcode, payload


async def open_reader(url: str, token: str, arrivals: Arrivals, *, small: bool = False) -> Reader:
    """A signed-in reader; a ``small`` one lets the kernel hold hardly anything for it."""
    parts = urlsplit(url)
    raw = socket.socket()
    if small:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, (parts.hostname, parts.port))
    _, reader = await loop.create_connection(lambda: Reader(arrivals), sock=raw)
    key = b64encode(b"0123456789abcdef").decode()
    reader.transport.write(
        f"GET /chat HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    async with asyncio.timeout(WAIT_SECONDS):
        await reader.welcome.wait()
    return reader


async def close_readers(readers: list[Reader]) -> None:
    """Cuts the connections."""
    for reader in readers:
        reader.transport.abort()
    for reader in readers:
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.gone.wait(), WAIT_SECONDS)


def resident_kib(pid: int) -> int:
    """How much memory a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE_KIB
