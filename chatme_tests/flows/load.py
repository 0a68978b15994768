"""A crowd that writes, and an operator beside it."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from websockets.exceptions import ConnectionClosed

from chatme_tests.client import Json, Socket, User
from chatme_tests.server import ROOT, database_setting


async def chatme(data: Path, *words: str, **settings: str) -> tuple[int, str]:
    """Runs one command over a data folder; its status and all that it says."""
    environment = {"PATH": os.environ["PATH"], "APP_ENV": "test", "DATA_DIR": str(data)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chatme",
        *words,
        cwd=ROOT,
        env={**environment, **database_setting(data), **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


class Writers:
    """They write, each message after the ack of the one before, until they are stopped."""

    def __init__(self, room: str, enough: int) -> None:
        self.acked: list[Json] = []
        self.enough = asyncio.Event()
        self.over = False
        self._room = room
        self._enough = enough

    async def write(self, socket: Socket, name: str) -> None:
        """One writer's messages, to the end or as long as the server lives."""
        at = 0
        with suppress(ConnectionError, ConnectionClosed):
            while not self.over:
                at += 1
                draft = {"conversationId": self._room, "content": f"{name}:{at}"}
                draft["clientId"] = draft["content"]
                self.acked.append((await socket.call("send_message", draft))["message"])
                if len(self.acked) >= self._enough:
                    self.enough.set()


async def all_messages(user: User, room: str) -> list[Json]:
    """A room's whole history, oldest first."""
    found: list[Json] = []
    more: dict[str, str] = {}
    while True:
        page = await user.get(f"/messages/{room}", limit=100, **more)
        found += page["items"]
        if page["next"] is None:
            return found[::-1]
        more = {"before": page["next"]}
