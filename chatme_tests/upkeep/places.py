"""The databases that whole databases are moved between: embedded always, MongoDB where named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import bson
from bson import ObjectId

from chatme.settings import Settings
from chatme.storage.dump import LiveDump
from chatme.storage.engine import open_engine
from chatme.upkeep.stock import collections
from chatme_tests.databases import MONGODB_URI
from chatme_tests.fakes import settings_of

ENGINES = ["embedded", *(["mongodb"] if MONGODB_URI else [])]

Content = dict[str, dict[str, bytes]]


@asynccontextmanager
async def place_of(kind: str, folder: Path) -> AsyncIterator[Settings]:
    """An empty database of a kind, dropped afterwards."""
    if kind == "embedded":
        yield settings_of(folder, mongodb_uri=None)
        return
    base, _, options = MONGODB_URI.partition("?")
    scheme, _, rest = base.partition("://")
    hosts = rest.partition("/")[0]
    name = f"chatme_test_{ObjectId()}"
    uri = f"{scheme}://{hosts}/{name}{'?' if options else ''}{options}"
    settings = settings_of(folder, mongodb_uri=uri)
    try:
        yield settings
    finally:
        async with open_engine(settings) as engine:
            await engine.client.drop_database(name)


async def content_of(settings: Settings) -> Content:
    """Every document of every collection, as bytes, by its id."""
    async with open_engine(settings, sweeping=False) as engine:
        dump = LiveDump(engine)
        return {
            name: {
                str(bson.decode(each)["_id"]): each
                async for page in dump.pages(name)
                for each in page
            }
            for name in collections()
        }


async def indexes_of(settings: Settings) -> dict[str, set[str]]:
    """The names of every collection's indexes."""
    async with open_engine(settings, sweeping=False) as engine:
        return {
            name: set(await engine.database[name].index_information()) for name in collections()
        }
