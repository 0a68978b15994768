"""A backup of a server that is busy."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from chatme_tests.client import Json, Socket, User, signed_up
from chatme_tests.server import ROOT, Server

WRITERS = 6
BEFORE = 40


async def _chatme(data: Path, *words: str) -> int:
    """Runs one command over a data folder; its status."""
    environment = {"PATH": os.environ["PATH"], "APP_ENV": "test", "DATA_DIR": str(data)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chatme", *words, cwd=ROOT, env=environment
    )
    return await process.wait()


class Writers:
    """They write, each message after the ack of the one before, until they are stopped."""

    def __init__(self, room: str) -> None:
        self.acked: list[Json] = []
        self.enough = asyncio.Event()
        self.over = False
        self._room = room

    async def write(self, socket: Socket, name: int) -> None:
        """One writer's messages."""
        at = 0
        while not self.over:
            at += 1
            draft = {"conversationId": self._room, "content": f"{name}:{at}"}
            draft["clientId"] = draft["content"]
            self.acked.append((await socket.call("send_message", draft))["message"])
            if len(self.acked) >= BEFORE:
                self.enough.set()


async def _all_messages(user: User, room: str) -> list[Json]:
    """A room's whole history, oldest first."""
    found: list[Json] = []
    more: dict[str, str] = {}
    while True:
        page = await user.get(f"/messages/{room}", limit=100, **more)
        found += page["items"]
        if page["next"] is None:
            return found[::-1]
        more = {"before": page["next"]}


async def test_what_was_acked_before_a_backup_is_in_it(data: Path, tmp_path: Path) -> None:
    """Six users write on while a backup is taken and after; restored elsewhere, each message acked
    before it began is there, the log has no hole, and the old sessions go on with the secrets."""
    file, new = tmp_path / "backup.tar.gz", tmp_path / "new"
    with Server(data, {"WS_RATE": ""}) as server:
        names = [f"Writer {at}" for at in range(WRITERS)]
        async with signed_up(server.url, *names) as users:
            others = [each.id for each in users[1:]]
            room = (
                await users[0].post("/conversations/group", {"name": "R", "memberIds": others})
            )["id"]
            writers = Writers(room)
            sockets = [await user.connect() for user in users]
            tasks = [
                asyncio.create_task(writers.write(socket, at)) for at, socket in enumerate(sockets)
            ]
            await writers.enough.wait()
            promised = [each["id"] for each in writers.acked]
            status = await _chatme(data, "backup", str(file))
            behind = len(writers.acked)
            writers.over = True
            await asyncio.gather(*tasks)
            everything = await _all_messages(users[0], room)
            server.stop()

            restored = await _chatme(new, "restore", str(file))
            for secret in ("jwt_secret", "jwt_refresh_secret"):
                (new / secret).write_text((data / secret).read_text())
            with Server(new) as second:
                users[0].http.base_url = f"{second.url}/api/v1"
                found = await _all_messages(users[0], room)

    assert (status, restored) == (0, 0)
    assert behind > len(promised)
    assert set(promised) <= {each["id"] for each in found}
    assert [each["seq"] for each in found] == list(range(1, len(found) + 1))
    assert [each["id"] for each in found] == [each["id"] for each in everything[: len(found)]]
