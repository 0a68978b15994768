"""The embedded database's Motor-shaped client.

`AIOEngine(client=EmbeddedClient, database=…)` of ODMantic works on it unmodified, and so does
code written for Motor as far as the engine's scope goes; see the package's documentation for what
that is. What lies outside is refused by name with `UnsupportedError`.
"""

from __future__ import annotations

import asyncio
import datetime
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from chatme.storage.embedded import admin, ttl
from chatme.storage.embedded.collection import EmbeddedCollection
from chatme.storage.embedded.errors import UnsupportedError
from chatme.storage.embedded.lock import FileLock
from chatme.storage.embedded.session import EmbeddedSession
from chatme.storage.embedded.store import Store, create
from chatme.storage.embedded.worker import QUEUE_LIMIT, Reader, Watch, Writer

Clock = Callable[[], datetime.datetime]


def utc_now() -> datetime.datetime:
    """The time, naive and in UTC, as BSON dates are read."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


class EmbeddedClient:
    """One open database file. Lives from `open` to `close`; `async with` closes it.

    Bound to the event loop on which it was opened. Left open it warns with `ResourceWarning`.
    """

    def __init__(
        self, path: Path, lock: FileLock, writer: Writer, reader: Reader, clock: Clock
    ) -> None:
        self.path = path
        self._lock = lock
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock = utc_now,
        sweep_seconds: float | None = 60.0,
        queue_limit: int = QUEUE_LIMIT,
        watch: Watch | None = None,
    ) -> EmbeddedClient:
        """Open a database file, made with mode 0600 if it is not there.

        Args:
            path: the file; `-wal`, `-shm` and `.lock` files appear beside it.
            clock: naive UTC; what TTL indexes go by.
            sweep_seconds: how often they are swept; None for never (call `sweep`).
            queue_limit: operations that may wait for each of the two threads.
            watch: told how long each operation took.

        Raises:
            DatabaseInUseError: another client has the file open.
            sqlite3.DatabaseError: the file is not a ChatMe database.
        """
        lock = FileLock(path)
        stores = await asyncio.to_thread(_prepare, path, lock)
        loop = asyncio.get_running_loop()
        writer = Writer("chatme-writer", stores[0], loop, limit=queue_limit, watch=watch)
        reader = Reader("chatme-reader", stores[1], loop, limit=queue_limit, watch=watch)
        writer.start()
        reader.start()
        client = cls(path, lock, writer, reader, clock)
        if sweep_seconds is not None:
            client._sweeper = loop.create_task(
                ttl.sweep_forever(reader, writer, clock, sweep_seconds)
            )
        return client

    async def __aenter__(self) -> EmbeddedClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __getitem__(self, name: str) -> EmbeddedDatabase:
        return EmbeddedDatabase(self, name)

    def get_database(self, name: str) -> EmbeddedDatabase:
        """The database of that name."""
        return self[name]

    @property
    def admin(self) -> EmbeddedDatabase:
        """The database to send commands like `ping` to."""
        return self["admin"]

    @property
    def writer(self) -> Writer:
        """The thread that writes."""
        return self._writer

    @property
    def reader(self) -> Reader:
        """The thread that reads."""
        return self._reader

    @property
    def commits(self) -> int:
        """How many transactions were committed since opening: many writes share one."""
        return self._writer.commits

    async def start_session(self, **options: Any) -> EmbeddedSession:
        """A session, accepted everywhere; it orders nothing that is not ordered anyway."""
        if options:
            raise UnsupportedError(f"the session option {next(iter(options))}")
        return EmbeddedSession(self)

    async def list_database_names(self, session: EmbeddedSession | None = None) -> list[str]:
        """The databases that hold a collection."""
        names: list[str] = await self._reader.submit(lambda store: store.catalog.databases())
        return names

    async def drop_database(
        self, name: str | EmbeddedDatabase, session: EmbeddedSession | None = None
    ) -> None:
        """Drop all collections of a database."""
        name = name if isinstance(name, str) else name.name
        await self._writer.submit(admin.DropDatabase(name).run)

    async def sweep(self) -> int:
        """Delete what TTL indexes say has expired by the client's clock; how many went."""
        return await ttl.sweep(self._reader, self._writer, self._clock())

    def close(self) -> None:
        """Finish queued work, end the threads and release the file. May block for a moment."""
        if self._closed:
            return
        self._closed = True
        if self._sweeper is not None and not self._sweeper.get_loop().is_closed():
            self._sweeper.cancel()
        self._writer.stop()
        self._reader.stop()
        self._writer.join()
        self._reader.join()
        self._lock.release()

    async def aclose(self) -> None:
        """As `close`, without blocking the event loop; every queued write's future resolves."""
        if self._closed:
            return
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        self._writer.stop()
        self._reader.stop()
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._reader.join)
        self.close()
        # What the threads sent to the loop before they ended is delivered before we return.
        await asyncio.sleep(0)

    def __del__(self) -> None:
        if not self._closed:
            warnings.warn(
                f"unclosed database {self.path}", ResourceWarning, stacklevel=2, source=self
            )
            self.close()


def _prepare(path: Path, lock: FileLock) -> tuple[Store, Store]:
    """Lock and make the file; the writer's connection and the reader's."""
    lock.acquire()
    with ExitStack() as undo:
        undo.callback(lock.release)
        create(path)
        writer = Store(path)
        undo.callback(writer.close)
        reader = Store(path, read_only=True)
        undo.pop_all()
    return writer, reader


class EmbeddedDatabase:
    """A database of the client: a name before its collections' names."""

    def __init__(self, client: EmbeddedClient, name: str) -> None:
        self.client = client
        self.name = name

    def __getitem__(self, name: str) -> EmbeddedCollection:
        return EmbeddedCollection(self, name, self.client.writer, self.client.reader)

    def get_collection(self, name: str) -> EmbeddedCollection:
        """The collection of that name."""
        return self[name]

    async def command(
        self, command: str | Mapping[str, Any], value: Any = 1, **options: Any
    ) -> dict[str, Any]:
        """Only `ping`, which goes through both queues and to the file.

        Raises:
            UnsupportedError: any other command.
            StorageFailureError: the file cannot be read, or is not the one that was opened.
        """
        name = command if isinstance(command, str) else next(iter(command), "")
        if name != "ping":
            raise UnsupportedError(f"the command {name}")
        await asyncio.gather(
            self.client.reader.submit(Store.probe),
            # Nothing to write, so no fsync; but a writer that is stuck does not get there.
            self.client.writer.submit(lambda _: None),
        )
        return {"ok": 1.0}

    async def list_collection_names(self, session: EmbeddedSession | None = None) -> list[str]:
        """The names of the collections, sorted."""
        names: list[str] = await self.client.reader.submit(
            lambda store: store.catalog.names(self.name)
        )
        return names

    async def drop_collection(
        self, name: str | EmbeddedCollection, session: EmbeddedSession | None = None
    ) -> None:
        """Drop a collection; one that is not there is no error."""
        name = name if isinstance(name, str) else name.name
        await self.client.writer.submit(admin.DropCollection((self.name, name)).run)
