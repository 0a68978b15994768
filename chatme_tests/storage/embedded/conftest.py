"""An open embedded client and a collection for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chatme.storage.embedded.client import EmbeddedClient
from chatme.storage.embedded.collection import EmbeddedCollection
from chatme.storage.embedded.store import Store, create


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "chatme.db"


@pytest.fixture
async def client(path: Path) -> AsyncIterator[EmbeddedClient]:
    """An open client that never sweeps by itself."""
    async with await EmbeddedClient.open(path, sweep_seconds=None) as opened:
        yield opened


@pytest.fixture
def things(client: EmbeddedClient) -> EmbeddedCollection:
    """An empty collection."""
    return client["chatme"]["things"]


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A connection of its own, with a transaction open for writing."""
    create(path)
    opened = Store(path)
    opened.begin(write=True)
    yield opened
    opened.rollback()
    opened.close()
