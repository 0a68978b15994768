"""The world that the tests of messages talk in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatme_tests.conversations.world import World, opened_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An empty world."""
    async with opened_world(tmp_path) as opened:
        yield opened
