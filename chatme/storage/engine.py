"""The database: MongoDB through Motor, or the embedded engine, behind ODMantic's `AIOEngine`."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, unquote_plus

import pymongo
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Model
from odmantic.index import ODMBaseIndex
from pymongo import IndexModel
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

from chatme.ports import UNMETERED, Meter
from chatme.settings import Settings
from chatme.storage.embedded.client import EmbeddedClient
from chatme.storage.embedded.naming import name_of
from chatme.storage.embedded.worker import Operation
from chatme.storage.listening import CommandTimes

DEFAULT_DATABASE = "chatme"
EMBEDDED_FILE = "chatme.db"
_SWEEP_SECONDS = 60.0
_PING_SECONDS = 2.0

# What an ack promises, and that whoever wrote sees it: no option of the URI weakens either. The
# primary's latest ("local") is what was acked by it, since an ack waits for the majority.
_CONCERN: Mapping[str, Any] = {
    "w": "majority",
    "journal": True,
    "readPreference": "primary",
    "readConcernLevel": "local",
}

# Where the URI does not say otherwise. No wait is without end: for a server, for a connection of
# the pool, for the handshake, for an answer. A read or a write that a lost connection or a change
# of primary cut is tried once more by the driver; the server knows a write it has made (replica
# sets). There is no time-out over all of an operation (timeoutMS), which would be the server's
# limit for building an index as well: a build that outlasts the wait for an answer goes on, and is
# found done when it is asked for again.
_DEFAULTS: Mapping[str, Any] = {
    "serverSelectionTimeoutMS": 2000,
    "connectTimeoutMS": 2000,
    "waitQueueTimeoutMS": 2000,
    "socketTimeoutMS": 5000,
    "maxPoolSize": 50,
    "retryWrites": True,
    "retryReads": True,
}

DatabaseError = PyMongoError
"""Whatever the database, or the way to it, may raise."""
OperationRefused = OperationFailure
"""What the database itself answers, being there: it will not do this."""


@asynccontextmanager
async def open_engine(
    settings: Settings, meter: Meter = UNMETERED, *, sweeping: bool = True
) -> AsyncIterator[AIOEngine]:
    """The database that the settings name, until the block ends; it tells the meter its times.

    ``sweeping`` says that the embedded engine deletes what has expired, as MongoDB does by itself.

    Raises `DatabaseError`: where another process has the embedded file
    (`storage.embedded.errors.DatabaseInUseError`), where that file is no database of ours, or where
    the URI cannot be read.
    """
    if settings.mongodb_uri is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = settings.data_dir / EMBEDDED_FILE
        async with await _open_embedded(path, meter, sweeping) as embedded:
            # The embedded client has Motor's shape, not its type.
            yield AIOEngine(cast("AsyncIOMotorClient[Any]", embedded), DEFAULT_DATABASE)
        return
    uri = settings.mongodb_uri.get_secret_value()
    client = _motor(uri, meter)
    try:
        yield AIOEngine(client, database_name(uri))
    finally:
        client.close()


async def _open_embedded(path: Path, meter: Meter, sweeping: bool) -> EmbeddedClient:
    def watch(operation: Operation, seconds: float) -> None:
        meter.asked(*name_of(operation), seconds)

    seconds = _SWEEP_SECONDS if sweeping else None
    try:
        return await EmbeddedClient.open(path, sweep_seconds=seconds, watch=watch)
    except sqlite3.DatabaseError as error:
        raise PyMongoError(f"{path} cannot be opened: {error}") from error


def _motor(uri: str, meter: Meter) -> AsyncIOMotorClient[Any]:
    try:
        return AsyncIOMotorClient(uri, event_listeners=[CommandTimes(meter)], **_options(uri))
    except ValueError as error:  # pymongo's word for a faulty port or host
        raise ConfigurationError(f"MONGODB_URI cannot be read: {error}") from error


def _options(uri: str) -> dict[str, Any]:
    # pymongo lets arguments go before the URI: what that says is left out of them.
    said = {name.lower() for name, _ in parse_qsl(uri.partition("?")[2], keep_blank_values=True)}
    defaults = {name: value for name, value in _DEFAULTS.items() if name.lower() not in said}
    return {**defaults, **_CONCERN}


def database_name(uri: str) -> str:
    """The database that a MongoDB URI names after its hosts, else ``chatme``."""
    return _hosts_and_database(uri)[1] or DEFAULT_DATABASE


def describe(settings: Settings) -> str:
    """Which database it is, in words, without user or password."""
    if settings.mongodb_uri is None:
        return f"embedded, in {settings.data_dir.resolve() / EMBEDDED_FILE}"
    uri = settings.mongodb_uri.get_secret_value()
    return f"MongoDB at {_hosts_and_database(uri)[0]}, database {database_name(uri)}"


def _hosts_and_database(uri: str) -> tuple[str, str]:
    # As pymongo reads it, which takes for a part of a password what RFC 3986 would end one at.
    before_options = uri.partition("://")[2].partition("?")[0]
    authority, _, path = before_options.partition("/")
    return authority.rpartition("@")[2], unquote_plus(path).partition(".")[0]


async def prepare(engine: AIOEngine, models: Sequence[type[Model]]) -> None:
    """Makes the indexes of all models; those that are there stay as they are."""
    await engine.configure_database(models)


async def prepare_under(engine: AIOEngine, model: type[Model], name: str) -> None:
    """Makes a model's indexes on a collection of another name."""
    for each in indexes_of(model):
        await engine.database[name].create_indexes([each])


def indexes_of(model: type[Model]) -> list[IndexModel]:
    """A model's indexes, but for that of its ids."""
    return [
        each.get_pymongo_index() if isinstance(each, ODMBaseIndex) else each
        for each in model.__indexes__()
    ]


async def ping(engine: AIOEngine) -> None:
    """Returns when the database answers; raises the driver's error where it does not, in time."""
    # Else a server that froze with an open connection would keep a thread for as long.
    with pymongo.timeout(_PING_SECONDS):
        await engine.database.command("ping")


def queues(engine: AIOEngine) -> Mapping[str, Callable[[], int]]:
    """How many operations wait, by queue; nothing for a MongoDB, whose queues are its own."""
    client: object = engine.client
    if not isinstance(client, EmbeddedClient):
        return {}
    reader, writer = client.reader, client.writer
    return {"database_reads": lambda: reader.waiting, "database_writes": lambda: writer.waiting}
