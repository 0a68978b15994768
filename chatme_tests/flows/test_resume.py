"""Clients that are cut at random moments end with what one has that never was."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from chatme_tests.client import Json, User, signed_up
from chatme_tests.flows.life_talk import sound_server
from chatme_tests.flows.model import Ear
from chatme_tests.flows.model_ears import RANKS, Live
from chatme_tests.flows.resume_client import Client, plain
from chatme_tests.flows.resume_storm import Actor, torn, whole_history
from chatme_tests.server import Server

STEPS = 60
KILLS = 2


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("resume")) as running:
        yield running


class Stage(NamedTuple):
    """Four users in a group, two of whom also talk directly; the first is never cut by us."""

    users: list[User]
    actors: list[Actor]

    @property
    def clients(self) -> list[Client]:
        """The users' clients."""
        return [actor.client for actor in self.actors]


@asynccontextmanager
async def stage(server: Server, seed: int) -> AsyncIterator[Stage]:
    """Fresh users, connected."""
    names = [f"{name}{seed}{server.pid}" for name in ("Ada", "Bob", "Cy", "Di")]
    async with signed_up(server.url, *names) as users:
        ids = [user.id for user in users]
        pair = await users[0].post("/conversations/direct", {"userId": ids[1]})
        group = await users[0].post("/conversations/group", {"name": "Tea", "memberIds": ids[1:]})
        rooms = [[pair["id"], group["id"]]] * 2 + [[group["id"]]] * 2
        actors = [
            Actor(Client(user), own, random.Random(f"{seed}{at}"))
            for at, (user, own) in enumerate(zip(users, rooms, strict=True))
        ]
        for actor in actors:
            await actor.client.connect()
        yield Stage(users, actors)


async def compare(actors: Sequence[Actor]) -> None:
    """Every client has what the server has, and what was sent is there once, in order."""
    for actor in actors:
        await actor.client.catch_up_or_connect()
    stored: dict[str, Json] = {}
    for actor in actors:
        history = await whole_history(actor.client.user, actor.rooms)
        assert [plain(each) for each in history] == actor.client.replica.plain()
        stored |= {each["id"]: each for each in history}
        for room in actor.rooms:
            own = [
                each["clientId"]
                for each in history
                if each["conversationId"] == room and each["sender"]["id"] == actor.client.user.id
            ]
            assert own == [name for name, at in actor.sent.items() if at == room]
            seqs = [each["seq"] for each in history if each["conversationId"] == room]
            assert seqs == list(range(1, len(seqs) + 1))
    for actor in actors:  # after a refetch, receipts are the same for everybody
        for each in await whole_history(actor.client.user, actor.rooms):
            assert each["receipts"] == stored[each["id"]]["receipts"]


@pytest.mark.parametrize("seed", range(6))
async def test_who_was_cut_ends_as_who_never_was(free: Server, seed: int) -> None:
    """Clients whose cables are torn at random moments, while everybody sends, edits, deletes,
    reacts and reads, end with the messages of one that was never cut; and that one was told of
    each receipt as it is."""
    async with stage(free, seed) as (users, actors):
        witness, *others = [actor.client for actor in actors]
        live = Live(Ear(users[0].id), users[0], witness.socket)
        async with torn(others, random.Random(seed)), asyncio.TaskGroup() as acting:
            for actor in actors:
                acting.create_task(actor.live(STEPS))
        await compare(actors)
        history = await whole_history(users[0], actors[0].rooms)

        live.take()
        for message in history:
            for row in message["receipts"] if message["sender"]["id"] == users[0].id else ():
                told = live.ranks.get((message["id"], row["userId"]), 0)
                assert told == RANKS[row["status"]], (message["seq"], row, told)
    assert all(client.cuts for client in others)


@pytest.mark.parametrize("seed", range(2))
async def test_a_killed_server_loses_nobody_anything(tmp_path: Path, seed: int) -> None:
    """The server is killed and started again while clients are cut: everybody ends with the same
    messages, and each acked one is there once."""
    with sound_server(tmp_path) as server:
        async with stage(server, seed) as (_, actors):
            dice = random.Random(seed)
            cut = [actor.client for actor in actors[1:]]
            async with torn(cut, dice), asyncio.TaskGroup() as acting:
                for actor in actors:
                    acting.create_task(actor.live(STEPS))
                for _ in range(KILLS):
                    await asyncio.sleep(dice.uniform(0.05, 0.4))
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
            await compare(actors)
