"""The world that the tests of conversations talk in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from chatme_tests.conversations.world import World, opened_world
from chatme_tests.loops import loop_factories


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops that a test runs on."""
    return loop_factories(item)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An empty world."""
    async with opened_world(tmp_path) as opened:
        yield opened
