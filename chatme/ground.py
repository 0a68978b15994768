"""What every part of the assembly is built on."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from odmantic import AIOEngine

from chatme.clock import Clock
from chatme.depot import Depot
from chatme.metrics import Metrics
from chatme.ports import Limiter
from chatme.ratelimit import RateLimiter, SharedWindows
from chatme.realtime.hub import Hub
from chatme.realtime.publisher import Publisher
from chatme.settings import Settings
from chatme.storage.lifeline import Lifeline


@dataclass(frozen=True, slots=True)
class Base:
    """What everything else is built on."""

    settings: Settings
    clock: Clock
    stack: AsyncExitStack
    engine: AIOEngine
    hub: Hub
    publisher: Publisher
    shared: SharedWindows | None
    metrics: Metrics
    depot: Depot
    lifeline: Lifeline


def limiter_of(base: Base) -> Limiter:
    """A limiter with a memory of its own: a flood of requests cannot push tries to sign in out."""
    return RateLimiter(base.shared)
