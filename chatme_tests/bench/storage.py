"""What the hot operations cost on much data against little, on the embedded database.

Both databases are open at once and measured in turns, so that whatever else the machine does
falls on both alike; each figure is the median of many single operations.
"""

from __future__ import annotations

import asyncio
import datetime
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from bson import ObjectId

from chatme.storage.embedded.client import EmbeddedClient

WHEN = datetime.datetime(2026, 1, 1)
BATCH = 5_000
MEMBERS = 4
TEXT = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. "

Operation = Callable[[], Awaitable[object]]


class Corpus:
    """A database with so many messages, in conversations of a size common to all corpora.

    Lives as long as its client, which the caller closes.
    """

    def __init__(self, client: EmbeddedClient, messages: int) -> None:
        self.client = client
        self.size = messages
        self._messages = client["chatme"]["messages"]
        self._members = client["chatme"]["members"]
        self._depth = min(200, messages // 5)
        self._conversations = [ObjectId() for _ in range(messages // self._depth)]
        self._users = [ObjectId() for _ in range(max(50, len(self._conversations) // 2))]
        self._sent = [0] * len(self._conversations)
        self._random = random.Random(messages)

    async def build(self) -> None:
        """Write the messages and members, in the order in which they would have come."""
        await self._messages.create_index([("conversation", 1), ("seq", 1)], unique=True)
        await self._messages.create_index([("conversation", 1), ("rev", 1)], unique=True)
        await self._messages.create_index(
            [("sender", 1), ("clientId", 1)],
            unique=True,
            partialFilterExpression={"clientId": {"$exists": True}},
        )
        await self._members.create_index([("conversation", 1), ("user", 1)], unique=True)
        for some in batches(range(self.size)):
            await self._messages.insert_many([self._message(n % len(self._sent)) for n in some])
        for some in batches(range(len(self._conversations) * MEMBERS)):
            await self._members.insert_many(
                [
                    {"conversation": self._conversations[n // MEMBERS], "user": self._user(n)}
                    for n in some
                ]
            )

    def _user(self, place: int) -> ObjectId:
        return self._users[place % len(self._users)]

    def _message(self, place: int) -> dict[str, Any]:
        self._sent[place] += 1
        number = self._sent[place]
        return {
            "conversation": self._conversations[place],
            "seq": number,
            "rev": number,
            "sender": self._user(place * MEMBERS + number % MEMBERS),
            "clientId": f"{place}-{number}",
            "type": "text",
            "content": TEXT[: 20 + number % 60],
            "createdAt": WHEN,
        }

    async def history(self) -> None:
        """A page of 30 messages below a number, newest first."""
        place = self._random.randrange(len(self._conversations))
        below = self._random.randrange(40, self._depth)
        page = {"conversation": self._conversations[place], "seq": {"$lt": below}}
        found = await self._messages.find(page).sort("seq", -1).limit(30).to_list(None)
        assert len(found) == 30

    async def membership(self) -> None:
        """Whether a user is a member of a conversation."""
        place = self._random.randrange(len(self._conversations) * MEMBERS)
        conversation = self._conversations[place // MEMBERS]
        assert await self._members.find_one(
            {"conversation": conversation, "user": self._user(place)}
        )

    async def send(self) -> None:
        """One more message, on the disk."""
        await self._messages.insert_one(self._message(self._random.randrange(len(self._sent))))

    async def sends(self) -> None:
        """A hundred messages at once, sharing commits."""
        await asyncio.gather(*(self.send() for _ in range(100)))


def batches(numbers: range) -> Iterator[range]:
    """The numbers in parts."""
    for start in range(0, len(numbers), BATCH):
        yield numbers[start : start + BATCH]


async def cost(operation: Operation) -> tuple[float, float]:
    """Seconds of wall clock and of processor that one operation takes."""
    wall, processor = time.perf_counter(), time.process_time()
    await operation()
    return time.perf_counter() - wall, time.process_time() - processor


async def compare(little: Operation, much: Operation, rounds: int) -> list[tuple[float, float]]:
    """The median costs of two operations, measured in turns."""
    found: list[list[tuple[float, float]]] = [[], []]
    for _ in range(rounds):
        for measured, operation in zip(found, (little, much), strict=True):
            measured.append(await cost(operation))
    return [
        (statistics.median(w for w, _ in each), statistics.median(p for _, p in each))
        for each in found
    ]


def resident() -> float:
    """MiB that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def show(*cells: str) -> None:
    """Print one row of the table."""
    first, *rest = cells
    print(f"{first:<32}" + "".join(f"{cell:>18}" for cell in rest), flush=True)  # noqa: T201


async def run(*, small: bool) -> None:
    """Build both databases, measure, and print a table."""
    sizes = (1_000, 50_000 if small else 1_000_000)
    rounds = 200 if small else 1_000
    with tempfile.TemporaryDirectory(prefix="chatme-bench-") as folder:
        corpora: list[Corpus] = []
        for size in sizes:
            client = await EmbeddedClient.open(Path(folder) / f"{size}.db")
            corpora.append(Corpus(client, size))
            started = time.perf_counter()
            await corpora[-1].build()
            seconds = time.perf_counter() - started
            show(f"built {size:,} messages", f"{seconds:.1f} s", f"{resident():.0f} MiB resident")
        await measure(corpora[0], corpora[1], rounds)
        for corpus in corpora:
            await corpus.client.aclose()


async def measure(little: Corpus, much: Corpus, rounds: int) -> None:
    """Measure every operation on both, and print a row for each."""
    show("", f"{little.size:,}", f"{much.size:,}", "ratio", "processor")
    operations: list[tuple[str, Operation, Operation, int]] = [
        ("history page of 30", little.history, much.history, rounds),
        ("membership check", little.membership, much.membership, rounds),
        ("send", little.send, much.send, rounds),
        ("100 sends at once", little.sends, much.sends, rounds // 20),
    ]
    for name, few, many, times in operations:
        await compare(few, many, times // 10)
        (wall, processor), (wall_much, processor_much) = await compare(few, many, times)
        show(
            name,
            f"{wall * 1e6:,.0f} µs",
            f"{wall_much * 1e6:,.0f} µs",
            f"{wall_much / wall:.2f}",
            f"{processor * 1e6:,.0f} / {processor_much * 1e6:,.0f}",
        )
    show("resident memory", "", f"{resident():.0f} MiB")
