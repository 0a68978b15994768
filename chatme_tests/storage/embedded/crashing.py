"""A process that writes until it is killed, and tells each acknowledged write."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from chatme.storage.embedded.client import EmbeddedClient


async def write(client: EmbeddedClient, writer: int) -> None:
    """Insert and change documents for ever, one at a time."""
    rows = client["chatme"]["rows"]
    for number in range(1_000_000):
        name, tags = f"{writer}:{number}", [f"w{writer}", number]
        row = {"_id": name, "writer": writer, "n": number, "tags": tags}
        await rows.insert_one(row)
        await rows.update_one({"_id": row["_id"]}, {"$set": {"n": -number - 1}})
        os.write(1, f"{writer}:{number}\n".encode())


async def main() -> None:
    """Ten writers on one file."""
    async with await EmbeddedClient.open(Path(sys.argv[1])) as client:
        rows = client["chatme"]["rows"]
        await rows.create_index([("writer", 1), ("n", 1)], unique=True)
        await rows.create_index("tags")
        await asyncio.gather(*(write(client, writer) for writer in range(10)))


if __name__ == "__main__":
    asyncio.run(main())
