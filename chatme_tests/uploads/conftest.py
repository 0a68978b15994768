"""A stage for every test of uploads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatme_tests.uploads.stage import Stage, opened_stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """An empty stage."""
    async with opened_stage(tmp_path) as opened:
        yield opened
