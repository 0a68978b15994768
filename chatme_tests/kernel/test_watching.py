"""The assembly of what watches: the measures are those of the running parts."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from chatme.metrics import Metrics
from chatme.realtime.backplane.base import Envelope
from chatme.watching import build_health, open_metrics, watch
from chatme.wiring import open_services
from chatme_tests.fakes import AlwaysThere, opened_engine, settings_of
from chatme_tests.realtime.chatroom import BEARER, House
from chatme_tests.realtime.fakes import ANN


async def test_every_part_that_counts_is_read(tmp_path: Path) -> None:
    """The metrics of open services tell of sockets, users, queues and outboxes."""
    async with open_services(settings_of(tmp_path, mongodb_uri=None)) as services:
        text = (await services.scrape.metrics.expose()).decode()

    for line in (
        'chatme_sockets{state="signed_in"} 0.0',
        'chatme_sockets{state="stranger"} 0.0',
        "chatme_users_online 0.0",
        "chatme_database_ready 1.0",
        'chatme_queue_depth{queue="hashing"} 0.0',
        'chatme_queue_depth{queue="database_reads"} 0.0',
        'chatme_queue_depth{queue="database_writes"} 0.0',
        'chatme_outbox_bytes{of="all"} 0.0',
        'chatme_outbox_bytes{of="slowest"} 0.0',
    ):
        assert line in text.splitlines()


async def test_what_sockets_hold_is_read(tmp_path: Path) -> None:
    """Strangers and users are told apart, and what a slow socket has not taken is seen."""
    metrics, house = Metrics("1"), House()
    async with opened_engine(tmp_path / "data", []) as engine:
        watch(metrics, engine, AlwaysThere(), house.hub, house.presence, house.endpoint)
        async with (
            house.connect(),
            house.connect(headers=BEARER, ready=True) as slow,
            house.connect(headers=BEARER, ready=True) as quick,
        ):
            await slow.frame()
            await quick.frame()
            slow.wire.is_stuck = True
            house.hub.receive(Envelope(frozenset({ANN}), "{}"))
            lines = (await metrics.expose()).decode().splitlines()
    await house.aclose()

    assert {
        'chatme_sockets{state="signed_in"} 2.0',
        'chatme_sockets{state="stranger"} 1.0',
        "chatme_users_online 1.0",
        'chatme_outbox_bytes{of="all"} 4.0',
        'chatme_outbox_bytes{of="slowest"} 4.0',
    } <= set(lines)


async def test_the_loop_is_measured_while_open() -> None:
    """The sampler lives no longer than the block."""
    async with open_metrics("1") as metrics:
        assert b"chatme_event_loop_lag_seconds_count" in await metrics.expose()


async def test_redis_is_a_part_where_it_is_set(tmp_path: Path) -> None:
    """Health looks at what is configured and at nothing else."""
    parts = []
    async with opened_engine(tmp_path / "data", []) as engine, AsyncExitStack() as stack:
        for more in ({}, {"redis_url": "redis://127.0.0.1:1"}):
            health = build_health(
                settings_of(tmp_path / "data", **more), engine, AlwaysThere(), stack
            )
            parts.append(list((await health.report()).details))

    assert parts == [
        ["mongodb", "memory_heap", "disk"],
        ["mongodb", "memory_heap", "disk", "redis"],
    ]
