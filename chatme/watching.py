"""Assembles what watches the server: the parts of health, and what the metrics read of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from odmantic import AIOEngine

from chatme.health import checks
from chatme.health.service import HealthService
from chatme.metrics import Metrics
from chatme.ports import Lifeline
from chatme.realtime.endpoint import ChatEndpoint
from chatme.realtime.hub import Hub
from chatme.realtime.presence import PresenceTracker
from chatme.settings import Settings
from chatme.storage.engine import queues
from chatme.storage.redis import RedisPing


@asynccontextmanager
async def open_metrics(version: str) -> AsyncIterator[Metrics]:
    """Metrics that measure the event loop until the block ends."""
    metrics = Metrics(version)
    sampling = asyncio.create_task(metrics.sample_lag())
    try:
        yield metrics
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


def watch(
    metrics: Metrics,
    engine: AIOEngine,
    lifeline: Lifeline,
    hub: Hub,
    presence: PresenceTracker,
    chat: ChatEndpoint,
) -> None:
    """Shows the metrics where everything is counted."""
    metrics.database(lifeline.is_ready)
    for name, depth in queues(engine).items():
        metrics.queue(name, depth)
    metrics.sockets("signed_in", lambda: len(hub))
    metrics.sockets("stranger", chat.strangers)
    metrics.online(lambda: len(presence))
    metrics.outboxes(chat.held)


def build_health(
    settings: Settings, engine: AIOEngine, lifeline: Lifeline, stack: AsyncExitStack
) -> HealthService:
    """Health over every part that is configured."""
    parts = {
        "mongodb": checks.database(engine, lifeline),
        "memory_heap": checks.memory(settings.health_memory_limit_mb),
        "disk": checks.disk(settings.data_dir, settings.health_disk_free_mb),
    }
    if settings.redis_url is not None:
        ping = RedisPing(settings.redis_url.get_secret_value())
        stack.push_async_callback(ping.aclose)
        parts["redis"] = checks.redis(ping)
    service = HealthService(parts)
    stack.push_async_callback(service.aclose)
    return service
