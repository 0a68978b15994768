"""One database for each test, on every engine: embedded always, MongoDB where one is named.

Set `CHATME_TEST_MONGODB_URI` to run the same promises on a real server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from motor.motor_asyncio import AsyncIOMotorClient

from chatme.storage.embedded.client import EmbeddedClient
from chatme_tests.databases import MONGODB_URI, PREFIX

ENGINES = ["embedded", *(["mongodb"] if MONGODB_URI else [])]


@pytest.fixture(params=ENGINES)
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """An open client of the engine."""
    if request.param == "embedded":
        async with await EmbeddedClient.open(tmp_path / "chatme.db", sweep_seconds=None) as opened:
            yield opened
        return
    motor: Any = AsyncIOMotorClient(MONGODB_URI)
    yield motor
    motor.close()


@pytest.fixture
async def database(client: Any) -> AsyncIterator[Any]:
    """A database of the test's own, dropped afterwards."""
    name = f"{PREFIX}{ObjectId()}"
    yield client[name]
    await client.drop_database(name)


@pytest.fixture
def things(database: Any) -> Any:
    """An empty collection."""
    return database["things"]
