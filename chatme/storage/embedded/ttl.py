"""TTL indexes: deletes documents whose date is older than the index says."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable

from pymongo.errors import PyMongoError

from chatme.storage.embedded.catalog import Namespace
from chatme.storage.embedded.commands import Delete
from chatme.storage.embedded.filters import Nodes, parse
from chatme.storage.embedded.store import Store
from chatme.storage.embedded.worker import Reader, Writer

_LOG = logging.getLogger(__name__)


async def sweep(reader: Reader, writer: Writer, now: datetime.datetime) -> int:
    """Delete everything that has expired by `now` (naive UTC); how many documents went."""
    expired: list[tuple[Namespace, Nodes]] = await reader.submit(lambda store: _expired(store, now))
    gone = 0
    for namespace, nodes in expired:
        gone += (await writer.submit(Delete(namespace, nodes, many=True).run))[0]
    return gone


async def sweep_forever(
    reader: Reader, writer: Writer, clock: Callable[[], datetime.datetime], seconds: float
) -> None:
    """Sweep every so many seconds, until cancelled; a sweep that fails is logged and retried."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await sweep(reader, writer, clock())
        except PyMongoError:
            _LOG.warning("sweeping TTL indexes failed", exc_info=True)


def _expired(store: Store, now: datetime.datetime) -> list[tuple[Namespace, Nodes]]:
    found = []
    for collection in store.catalog.collections():
        for index in collection.indexes:
            seconds = index.spec.expire_after
            if seconds is None:
                continue
            until = now - datetime.timedelta(seconds=seconds)
            nodes = parse({index.spec.fields[0].path: {"$lte": until}})
            found.append((collection.namespace, (*index.spec.conditions, *nodes)))
    return found
