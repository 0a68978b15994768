"""A server that speaks as much of MongoDB's protocol as a client's handshake and a ping need."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from types import TracebackType
from typing import Any, Self

import bson

_REPLY, _QUERY, _MESSAGE = 1, 2004, 2013
_HELLO = frozenset({"hello", "ismaster", "isMaster"})


class MongoDBStub:
    """Answers hello and everything else with ok, and pings not while it is frozen; `async with`
    it."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.thawed = asyncio.Event()
        self.thawed.set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.uri = f"mongodb://127.0.0.1:{port}/chatme"
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Listens no more and ends every connection."""
        self._server.close()
        self.thawed.set()
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.close()
        await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                length, number, _, kind = struct.unpack("<iiii", await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                name = next(iter(_command(kind, body)))
                self.asked[name] += 1
                if name == "ping":
                    await self.thawed.wait()
                writer.write(_answer(kind, number, name))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


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
