"""What a page of a search costs on much data against little, on the embedded database.

Both databases are open at once and measured in turns, as in `storage`. Half of the messages are
those of one conversation, the rest is spread over fifty.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bson import ObjectId

from chatme.clock import new_id, to_epoch
from chatme.messages.models import Message
from chatme.messages.wire import WordsWanted
from chatme.messages.words import keys
from chatme_tests.bench.storage import Operation, batches, compare, resident, show
from chatme_tests.conversations.world import World, opened_world
from chatme_tests.messages.stage import made

CONVERSATIONS = 51
APART = 30
RARE_EVERY = 4_000
TEXT = "all quick brown foxes jump over lazy dogs this {} near {}"
PLACES = tuple(f"place{at}" for at in range(1000))
QUERIES: Mapping[str, str] = MappingProxyType(
    {
        "a rare word": "unicorn",
        "a word in every message": "quick",
        "one letter": "q",
        "five words of each": "lazy dogs jump over foxes",
        "two that rarely meet": "morning evening",
        "no such word": "nothing",
    }
)


class Corpus:
    """Conversations of two users with so many messages in all."""

    def __init__(self, world: World, messages: int) -> None:
        self.world = world
        self.size = messages
        self._users: list[ObjectId] = []
        self._rooms: list[ObjectId] = []
        self._last: dict[ObjectId, int] = {}
        self._random = random.Random(messages)

    async def build(self) -> None:
        """Writes the messages, in the order in which they would have come."""
        self._users = await self.world.people("Ann", "Bob")
        self._rooms = [await self.world.group(*self._users) for _ in range(CONVERSATIONS)]
        self._last = dict.fromkeys(self._rooms, 0)
        collection = self.world.engine.get_collection(Message)
        for some in batches(range(self.size)):
            await collection.insert_many([self._message(at) for at in some])

    def _message(self, at: int) -> dict[str, Any]:
        room = self._rooms[0 if at % 2 else 1 + at // 2 % (CONVERSATIONS - 1)]
        self._last[room] += 1
        content = TEXT.format("morning" if at // 2 % 2 else "evening", self._random.choice(PLACES))
        if at % RARE_EVERY in (2, 3):
            content += " unicorn morning evening"
        second = int(to_epoch(self.world.clock.now())) - APART * (self.size - at)
        id_ = ObjectId(second.to_bytes(4, "big") + new_id().binary[4:])
        sender = self._users[at % 3 % 2]
        message = made(room, sender, self._last[room], id=id_, content=content)
        return {**message.model_dump_doc(), "words": keys(content)}

    async def one(self, q: str) -> None:
        """A page of one conversation."""
        await self.world.search.in_one(self._users[0], self._rooms[0], WordsWanted(q=q))

    async def every(self, q: str) -> None:
        """A page of all conversations."""
        await self.world.search.in_all(self._users[0], WordsWanted(q=q))

    async def send(self) -> None:
        """One more message of ten words."""
        content = TEXT.format("morning", self._random.choice(PLACES))
        await self.world.say(self._users[0], self._rooms[1], content)


async def run(*, small: bool) -> None:
    """Build both databases, measure, and print a table."""
    sizes = (1_000, 20_000) if small else (10_000, 1_000_000)
    async with AsyncExitStack() as stack:
        corpora = []
        for size in sizes:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chatme-bench-"))
            corpus = Corpus(await stack.enter_async_context(opened_world(Path(folder))), size)
            started = time.perf_counter()
            await corpus.build()
            seconds = time.perf_counter() - started
            stored = f"{_mebibytes(Path(folder)):.0f} MiB on disk"
            show(f"built {size:,} messages", f"{seconds:.1f} s", stored)
            corpora.append(corpus)
        await measure(corpora[0], corpora[1], 20 if small else 100)


def _mebibytes(folder: Path) -> float:
    return sum(each.stat().st_size for each in folder.rglob("*.db")) / 2**20


async def measure(little: Corpus, much: Corpus, rounds: int) -> None:
    """Measure every query on both, and print a row for each."""
    show("", f"{little.size:,}", f"{much.size:,}", "ratio", "processor")
    for name, q in QUERIES.items():
        await _row(name, partial(little.one, q), partial(much.one, q), rounds)
        await _row(f"{name}, in all", partial(little.every, q), partial(much.every, q), rounds)
    await _row("send", little.send, much.send, 5 * rounds)
    show("resident memory", "", f"{resident():.0f} MiB")


async def _row(name: str, few: Operation, many: Operation, rounds: int) -> None:
    await compare(few, many, rounds // 10)
    (wall, processor), (wall_much, processor_much) = await compare(few, many, rounds)
    show(
        name,
        f"{wall * 1e6:,.0f} µs",
        f"{wall_much * 1e6:,.0f} µs",
        f"{wall_much / wall:.2f}",
        f"{processor * 1e6:,.0f} / {processor_much * 1e6:,.0f}",
    )
