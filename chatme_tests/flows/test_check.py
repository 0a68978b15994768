"""What a crash leaves, and what a check sees of a server that is busy."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from chatme_tests.client import User, signed_up
from chatme_tests.databases import MONGODB_URI
from chatme_tests.flows.load import Writers, all_messages, chatme
from chatme_tests.server import Server
from chatme_tests.upkeep.places import place_of

WRITERS = 5
ROUNDS = 3
ENOUGH = 40


async def _make_groups(user: User, others: list[str]) -> None:
    """Makes and leaves groups as long as the server lives."""
    with suppress(httpx.HTTPError):
        while True:
            made = await user.post("/conversations/group", {"name": "G", "memberIds": others})
            await user.http.delete(f"/conversations/{made['id']}")


async def test_a_repair_mends_what_a_crash_leaves(data: Path) -> None:
    """Killed three times under load, each time a repair leaves a database without a fault, on which
    the server goes on with every message that was acked."""
    acked: list[str] = []
    with Server(data, {"WS_RATE": "", "JWT_EXPIRES_IN": "1h"}) as server:
        async with signed_up(server.url, *(f"Writer {at}" for at in range(WRITERS))) as users:
            others = [each.id for each in users[1:]]
            wanted = {"name": "Room", "memberIds": others}
            room = (await users[0].post("/conversations/group", wanted))["id"]
            for turn in range(ROUNDS):
                writers = Writers(room, ENOUGH)
                sockets = [await user.connect() for user in users]
                tasks = [
                    asyncio.create_task(writers.write(socket, f"{turn}:{at}"))
                    for at, socket in enumerate(sockets)
                ]
                tasks.append(asyncio.create_task(_make_groups(users[0], others)))
                await writers.enough.wait()
                server.kill()
                await asyncio.gather(*tasks)
                acked += [each["id"] for each in writers.acked]
                repaired, words = await chatme(data, "check", "--repair")
                checked, after = await chatme(data, "check")

                assert (repaired, checked) == (0, 0), words
                assert after == "All is well.\n"
                server.start()
            found = await all_messages(users[0], room)

    assert set(acked) <= {each["id"] for each in found}
    assert [each["seq"] for each in found] == list(range(1, len(found) + 1))


@pytest.mark.skipif(not MONGODB_URI, reason="CHATME_TEST_MONGODB_URI names no MongoDB")
async def test_a_busy_server_raises_no_false_alarm(data: Path) -> None:
    """Beside a server under load, a check and a repair find nothing, and disturb nothing."""
    async with place_of("mongodb", data) as settings:
        assert settings.mongodb_uri is not None
        uri = settings.mongodb_uri.get_secret_value()
        with Server(data, {"WS_RATE": "", "MONGODB_URI": uri}) as server:
            async with signed_up(server.url, *(f"Writer {at}" for at in range(WRITERS))) as users:
                wanted = {"name": "Room", "memberIds": [each.id for each in users[1:]]}
                room = (await users[0].post("/conversations/group", wanted))["id"]
                writers = Writers(room, ENOUGH)
                sockets = [await user.connect() for user in users]
                tasks = [
                    asyncio.create_task(writers.write(socket, str(at)))
                    for at, socket in enumerate(sockets)
                ]
                await writers.enough.wait()
                answers = [
                    await chatme(data, "check", *more, MONGODB_URI=uri)
                    for more in ((), ("--repair",))
                ]
                writers.over = True
                await asyncio.gather(*tasks)
                found = await all_messages(users[0], room)

    assert answers == [(0, "All is well.\n")] * 2
    assert [each["id"] for each in found] == [
        each["id"] for each in sorted(writers.acked, key=lambda each: int(each["seq"]))
    ]
