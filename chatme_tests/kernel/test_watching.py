"""The assembly of what watches: the measures are those of the running parts."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from chatme.watching import build_health, open_metrics
from chatme.wiring import open_services
from chatme_tests.fakes import opened_engine, settings_of


async def test_every_part_that_counts_is_read(tmp_path: Path) -> None:
    """The metrics of open services tell of sockets, users, queues and outboxes."""
    async with open_services(settings_of(tmp_path)) as services:
        text = (await services.scrape.metrics.expose()).decode()

    for line in (
        'chatme_sockets{state="signed_in"} 0.0',
        'chatme_sockets{state="stranger"} 0.0',
        "chatme_users_online 0.0",
        'chatme_queue_depth{queue="hashing"} 0.0',
        'chatme_queue_depth{queue="database_reads"} 0.0',
        'chatme_queue_depth{queue="database_writes"} 0.0',
        'chatme_outbox_bytes{of="all"} 0.0',
        'chatme_outbox_bytes{of="slowest"} 0.0',
    ):
        assert line in text.splitlines()


async def test_the_loop_is_measured_while_open() -> None:
    """The sampler lives no longer than the block."""
    async with open_metrics("1") as metrics:
        assert b"chatme_event_loop_lag_seconds_count" in await metrics.expose()


async def test_redis_is_a_part_where_it_is_set(tmp_path: Path) -> None:
    """Health looks at what is configured and at nothing else."""
    parts = []
    async with opened_engine(tmp_path / "data", []) as engine, AsyncExitStack() as stack:
        for more in ({}, {"redis_url": "redis://127.0.0.1:1"}):
            health = build_health(settings_of(tmp_path / "data", **more), engine, stack)
            parts.append(list((await health.report()).details))

    assert parts == [
        ["mongodb", "memory_heap", "disk"],
        ["mongodb", "memory_heap", "disk", "redis"],
    ]
