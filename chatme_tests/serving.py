"""A real uvicorn server in the test's own event loop, and raw clients to torment it with."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from chatme.http.server import ChatHttpProtocol
from chatme.realtime.server import ChatWebSocketProtocol

PATIENCE: Final = 10.0
"""Seconds after which a test gives up; no test comes near it when all is well."""

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
HEAD: Final = (
    b"GET /chat?token=secret HTTP/1.1\r\nHost: chat\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + base64.b64encode(b"0123456789abcdef") + b"\r\n\r\n"
)


class Frame(NamedTuple):
    """A frame as a client sees it."""

    opcode: int
    payload: bytes
    fin: bool = True

    @property
    def code(self) -> int:
        """The code of a Close frame."""
        return int.from_bytes(self.payload[:2], "big")


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros: the payload stays readable."""
    length = len(payload)
    first = opcode | (0x80 if fin else 0)
    if length < 126:
        head = struct.pack("!BB", first, 0x80 | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, length)
    return head + b"\0\0\0\0" + payload


def masked_close(code: int) -> bytes:
    """A client's Close."""
    return masked(CLOSE, code.to_bytes(2, "big"))


class Peer:
    """A raw TCP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Writes, and waits until most of it is gone."""
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE):
            await self.writer.drain()

    async def head(self) -> bytes:
        """A response's head."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        """So many bytes."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """All that comes before the server ends the stream; a reset shows as an error."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def gone(self) -> None:
        """Returns when the server has ended or reset the connection."""
        try:
            while await asyncio.wait_for(self.reader.read(65536), PATIENCE):
                pass
        except ConnectionError:
            pass

    async def frame(self) -> Frame:
        """The next frame from the server, whose frames are not masked."""
        first, second = await self.exactly(2)
        length = second & 0x7F
        if length == 126:
            length = int.from_bytes(await self.exactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self.exactly(8), "big")
        return Frame(first & 0x0F, await self.exactly(length), bool(first & 0x80))


class Running:
    """A running server."""

    def __init__(self, server: uvicorn.Server) -> None:
        self.server = server
        self.port: int = server.servers[0].sockets[0].getsockname()[1]
        self._peers: list[Peer] = []

    async def peer(self, **options: Any) -> Peer:
        """A new connection."""
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.port, **options))
        self._peers.append(peer)
        return peer

    async def socket(self, early: bytes = b"", **options: Any) -> Peer:
        """A new WebSocket; ``early`` goes in one packet with the head."""
        peer = await self.peer(**options)
        await peer.send(HEAD + early)
        head = await peer.head()
        assert head.startswith(b"HTTP/1.1 101 "), head
        return peer

    async def ask(self, request: bytes) -> bytes:
        """All that the server answers on a connection of its own until it hangs up."""
        peer = await self.peer()
        await peer.send(request)
        return await peer.rest()

    @property
    def connections(self) -> list[Any]:
        """The protocol objects of what is open."""
        return list(self.server.server_state.connections)

    @property
    def only(self) -> Any:
        """The one protocol object there is."""
        (connection,) = self.connections
        return connection

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for what no event announces."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 -- nobody is there to set an Event
                await asyncio.sleep(0.005)

    async def empty(self) -> None:
        """Waits until no connection and no application is left."""
        state = self.server.server_state
        await self.until(lambda: not state.connections and not state.tasks)

    def hang_up(self) -> None:
        """Ends all clients."""
        for peer in self._peers:
            peer.writer.transport.abort()


App = Callable[[Scope, ASGIReceiveCallable, ASGISendCallable], Any]


@asynccontextmanager
async def serving(
    app: App,
    *,
    http: type[asyncio.Protocol] = ChatHttpProtocol,
    ws: type[asyncio.Protocol] = ChatWebSocketProtocol,
    **options: Any,
) -> AsyncIterator[Running]:
    """Serves the application on a free port with the protocol classes that ship."""
    settings: dict[str, Any] = {
        "lifespan": "off",
        "log_config": None,
        "proxy_headers": False,
        "server_header": False,
        "ws_max_size": 65536,
        "ws_per_message_deflate": False,
        "ws_ping_interval": 25,
        "ws_ping_timeout": 20,
        "timeout_graceful_shutdown": 1,
    }
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http=http, ws=ws, **(settings | options))
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    running = Running(server)
    try:
        yield running
    except BaseException:
        # What a failed test leaves open would keep the loop from closing.
        for task in server.server_state.tasks:
            task.cancel()
        for connection in running.connections:
            connection.transport.abort()
        raise
    finally:
        running.hang_up()
        await running.empty()
        for listener in server.servers:
            listener.close()


def resident_bytes() -> int:
    """The memory that this process occupies."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
