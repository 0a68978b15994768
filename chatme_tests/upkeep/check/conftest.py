"""A house in a database of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatme.upkeep.copying import copy
from chatme.upkeep.progress import Progress
from chatme_tests.upkeep.check.stage import Stage
from chatme_tests.upkeep.house import furnish
from chatme_tests.upkeep.places import ENGINES, place_of


@pytest.fixture(params=ENGINES)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    """The house, in an embedded database and, where one is named, in a MongoDB."""
    house = await furnish(tmp_path / "house")
    if request.param == "embedded":
        yield Stage(house, house.settings)
        return
    async with place_of(request.param, tmp_path / "mongodb") as settings:
        await copy(house.settings, settings, Progress())
        yield Stage(house, settings)
