"""A backup of a server that is busy."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chatme_tests.client import signed_up
from chatme_tests.flows.load import Writers, all_messages, chatme
from chatme_tests.server import Server

WRITERS = 6
BEFORE = 40


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
            writers = Writers(room, BEFORE)
            sockets = [await user.connect() for user in users]
            tasks = [
                asyncio.create_task(writers.write(socket, str(at)))
                for at, socket in enumerate(sockets)
            ]
            await writers.enough.wait()
            promised = [each["id"] for each in writers.acked]
            status, _ = await chatme(data, "backup", str(file))
            behind = len(writers.acked)
            writers.over = True
            await asyncio.gather(*tasks)
            everything = await all_messages(users[0], room)
            server.stop()

            restored, _ = await chatme(new, "restore", str(file))
            for secret in ("jwt_secret", "jwt_refresh_secret"):
                (new / secret).write_text((data / secret).read_text())
            with Server(new) as second:
                users[0].http.base_url = f"{second.url}/api/v1"
                found = await all_messages(users[0], room)

    assert (status, restored) == (0, 0)
    assert behind > len(promised)
    assert set(promised) <= {each["id"] for each in found}
    assert [each["seq"] for each in found] == list(range(1, len(found) + 1))
    assert [each["id"] for each in found] == [each["id"] for each in everything[: len(found)]]
