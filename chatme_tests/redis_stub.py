"""A server that knows as much of Redis's protocol as a ping needs."""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Self


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class RedisStub:
    """Answers PING with a pong and all else with OK (RESP2); `async with` it."""

    def __init__(self) -> None:
        self.pings = 0
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"redis://127.0.0.1:{port}/0"
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        await self.hang_up()

    async def hang_up(self) -> None:
        """Ends every connection."""
        for writer in self._writers:
            writer.close()
        await asyncio.gather(
            *(writer.wait_closed() for writer in self._writers), return_exceptions=True
        )
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        while head := await reader.readline():
            words = []
            for _ in range(int(head[1:])):
                await reader.readline()
                words.append(await reader.readline())
            is_ping = words[0].strip().upper() == b"PING"
            self.pings += is_ping
            writer.write(b"+PONG\r\n" if is_ping else b"+OK\r\n")
