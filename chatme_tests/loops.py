"""Event loops for tests: both kinds that serve, and one whose time is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import uvloop


class MovableLoop(asyncio.SelectorEventLoop):
    """Its time is the machine's, and whatever it was moved ahead by."""

    def __init__(self) -> None:
        self.ahead = 0.0
        super().__init__()

    def time(self) -> float:
        """Seconds, as timers count them."""
        return super().time() + self.ahead


def loop_factories(item: Any) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Both event loops for the modules that say ``BOTH_LOOPS = True``, a movable one for those that
    say ``MOVABLE_LOOP = True``."""
    if getattr(item.module, "BOTH_LOOPS", False):
        return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    movable = getattr(item.module, "MOVABLE_LOOP", False)
    return {"asyncio": MovableLoop if movable else asyncio.new_event_loop}


async def passes(seconds: float) -> None:
    """So much time goes by on a movable loop at once, and what that sets off comes to its end."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, MovableLoop)
    before = asyncio.all_tasks()
    loop.ahead += seconds
    for _ in range(3):  # the timers are seen, called, and what they began has begun
        await asyncio.sleep(0)
    await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)
