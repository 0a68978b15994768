"""Hostile peers: raw sockets that send what no client would, from a seeded generator."""

from __future__ import annotations

import asyncio
import base64
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

Maker = Callable[[random.Random], bytes]


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """One client frame (RFC 6455, 5.2), right or wrong as asked."""
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    # A mask of zeros leaves the payload as it is.
    return head + (b"\0\0\0\0" if masked else b"") + payload


def _noise(dice: random.Random, most: int) -> bytes:
    return dice.randbytes(dice.randrange(most))


HARMLESS: tuple[Maker, ...] = (
    lambda dice: frame(0x9, _noise(dice, 126)),
    lambda dice: frame(0xA, _noise(dice, 126)),
    lambda dice: frame(0x9),
    lambda dice: frame(0x1, b"{", fin=False) + frame(0x0, fin=False) + frame(0x0, b"}"),
    lambda dice: frame(0x1, b"") + frame(0x9),
    lambda dice: frame(0x1, base64.b64encode(_noise(dice, 60))),
    lambda dice: frame(0x1, b'{"event":"%s"}' % base64.b64encode(_noise(dice, 20))),
    lambda dice: frame(0x1, b"[" * dice.randrange(1, 2000)),
)
"""What a socket survives: control frames, fragments, text that is no frame of ours."""

FATAL: tuple[Maker, ...] = (
    lambda dice: frame(dice.choice((0x3, 0x7, 0xB, 0xF)), _noise(dice, 50)),
    lambda dice: frame(0x1, b"x", reserved=dice.randrange(1, 8)),
    lambda dice: frame(0x1, b"unmasked", masked=False),
    lambda dice: frame(0x9, b"x" * 126),
    lambda dice: frame(0x9, b"x", fin=False),
    lambda dice: frame(0x0, b"from nowhere"),
    lambda dice: frame(0x1, b"a", fin=False) + frame(0x1, b"b"),
    lambda dice: frame(0x1, b"\xff\xfe" + _noise(dice, 20)),
    lambda dice: frame(0x8, b"\x00"),
    lambda dice: frame(0x8, struct.pack("!H", dice.choice((0, 999, 1005, 1006, 2999)))),
    lambda dice: frame(0x8, b"\x03\xe8\xff\xff"),
    lambda dice: frame(0x2, _noise(dice, 50)),
    lambda dice: b"\x81\xff" + struct.pack("!Q", 2**63 - 1 - dice.randrange(99)) + b"\0\0\0\0",
    lambda dice: frame(0x1, b"x" * 70_000),
    lambda dice: frame(0x1, b"", fin=False) + frame(0x0, fin=False) * 5000,
    lambda dice: dice.randbytes(200),
)
"""What ends a socket: every kind of broken frame."""


def volley(seed: int, size: int) -> bytes:
    """So many harmless frames in a row, or a few more."""
    dice = random.Random(seed)
    return b"".join(dice.choice(HARMLESS)(dice) for _ in range(size))


def endings(seed: int) -> Iterator[bytes]:
    """One fatal frame after the other, each kind in turn."""
    dice = random.Random(seed)
    while True:
        for make in FATAL:
            yield make(dice)


async def open_raw(
    host: str, port: int, token: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket by hand, signed in."""
    reader, writer = await asyncio.open_connection(host, port)
    key = base64.b64encode(b"0123456789abcdef").decode()
    writer.write(
        f"GET /chat HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101"), head
    return reader, writer


async def swallow(reader: asyncio.StreamReader) -> int:
    """Reads to the end; how many bytes came."""
    size = 0
    with suppress(ConnectionError):
        while piece := await reader.read(65536):
            size += len(piece)
    return size
