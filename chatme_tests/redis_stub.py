"""A server that knows as much of Redis's protocol as a ping needs."""

from __future__ import annotations

import asyncio
import socket

from chatme_tests.stub import Stub


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class RedisStub(Stub):
    """Answers PING with a pong and all else with OK (RESP2)."""

    def __init__(self) -> None:
        super().__init__()
        self.pings = 0
        self.connections = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        while head := await reader.readline():
            words = []
            for _ in range(int(head[1:])):
                await reader.readline()
                words.append(await reader.readline())
            is_ping = words[0].strip().upper() == b"PING"
            self.pings += is_ping
            writer.write(b"+PONG\r\n" if is_ping else b"+OK\r\n")
