"""A server that speaks as much of MongoDB's protocol as a client's handshake and a ping need."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from typing import Any

import bson

from chatme_tests.stub import Stub

_REPLY, _QUERY, _MESSAGE = 1, 2004, 2013
_HELLO = frozenset({"hello", "ismaster", "isMaster"})


class MongoDBStub(Stub):
    """Answers hello and everything else with ok, and pings not while it is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.thawed = asyncio.Event()
        self.thawed.set()

    @property
    def uri(self) -> str:
        """Where it is."""
        return f"mongodb://127.0.0.1:{self.port}/chatme"

    async def hang_up(self) -> None:
        """Ends every connection, also those that wait for an answer."""
        self.thawed.set()
        await super().hang_up()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        while True:
            length, number, _, kind = struct.unpack("<iiii", await reader.readexactly(16))
            body = await reader.readexactly(length - 16)
            name = next(iter(_command(kind, body)))
            self.asked[name] += 1
            if name == "ping":
                await self.thawed.wait()
            writer.write(_answer(kind, number, name))


def _command(kind: int, body: bytes) -> dict[str, Any]:
    if kind == _MESSAGE:
        size = struct.unpack_from("<i", body, 5)[0]
        return bson.decode(body[5 : 5 + size])
    return bson.decode(body[body.index(b"\0", 4) + 9 :])


def _answer(kind: int, number: int, name: str) -> bytes:
    document: dict[str, Any] = {"ok": 1.0}
    if name in _HELLO:
        document |= {"ismaster": True, "helloOk": True, "maxWireVersion": 25, "minWireVersion": 0}
    raw = bson.encode(document)
    if kind == _QUERY:
        head, kind = struct.pack("<iqii", 8, 0, 0, 1), _REPLY
    else:
        head = struct.pack("<ib", 0, 0)
    return struct.pack("<iiii", 16 + len(head) + len(raw), 0, number, kind) + head + raw
