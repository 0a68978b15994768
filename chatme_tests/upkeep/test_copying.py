"""A database moves into another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatme.settings import Settings
from chatme.storage.engine import DatabaseError, open_engine
from chatme.upkeep.copying import copy
from chatme.upkeep.progress import Progress
from chatme.upkeep.restore import TargetNotEmpty
from chatme.wiring import open_services
from chatme_tests.fakes import settings_of
from chatme_tests.upkeep.house import House, furnish, say
from chatme_tests.upkeep.places import ENGINES, content_of, indexes_of, place_of


class Cut(Exception):
    """The power went off."""


class CutShort(Progress):
    """Lets so many steps be done, and no more."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    def begin(self, label: str, total: int) -> None:
        """One step."""
        self._step()

    def advance(self, parts: int = 1) -> None:
        """One more."""
        self._step()

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Cut


@pytest.fixture
async def house(tmp_path: Path) -> House:
    """A database with something in it."""
    return await furnish(tmp_path / "house")


async def _copied(source: Settings, target: Settings) -> bool:
    """Whether the target is the source, with all indexes."""
    same = await content_of(source) == await content_of(target)
    return same and await indexes_of(source) == await indexes_of(target)


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_copy_is_the_same(house: House, kind: str, tmp_path: Path) -> None:
    """All documents and indexes are there, and again in a copy of the copy, where numbers go on."""
    count = sum(map(len, (await content_of(house.settings)).values()))
    async with place_of(kind, tmp_path / "new") as middle:
        copied = await copy(house.settings, middle, Progress())
        back = settings_of(tmp_path / "back", mongodb_uri=None)
        copied_back = await copy(middle, back, Progress())
        same = await _copied(house.settings, middle), await _copied(house.settings, back)
    async with open_services(back) as services:
        await say(services, house.bob, house.group, "After")
        view = await services.conversations.listing.one(house.ada, house.group)

    assert copied == copied_back == count
    assert same == (True, True)
    assert view.seq == 13


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_copy_goes_on_where_it_was_cut(house: House, kind: str, tmp_path: Path) -> None:
    """Cut at every step in turn, no server takes it for whole, and run again it becomes it."""
    async with place_of(kind, tmp_path / "new") as target:
        steps = 0
        while True:
            try:
                await copy(house.settings, target, CutShort(steps))
            except Cut:
                steps += 1
            else:
                break
            with pytest.raises(DatabaseError, match="a copy from embedded"):
                async with open_services(target):
                    raise AssertionError("served half a database")

        assert steps > 20
        assert await _copied(house.settings, target)


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_source_may_change_between_two_tries(
    house: House, kind: str, tmp_path: Path
) -> None:
    """What came, changed, went, or took another's value since the cut is as in the source."""
    async with place_of(kind, tmp_path / "new") as target:
        with pytest.raises(Cut):
            await copy(house.settings, target, CutShort(25))
        async with open_services(house.settings) as services:
            await say(services, house.ada, house.group, "Since")
        async with open_engine(house.settings) as engine:
            users = engine.database["users"]
            await users.delete_one({"_id": house.bob})
            for user, email in ((house.ada, "x"), (house.cyd, "ada@example.com")):
                await users.update_one({"_id": user}, {"$set": {"email": email}})
            await engine.database["messages"].delete_one({"_id": house.messages[3]})
        await copy(house.settings, target, Progress())

        assert await _copied(house.settings, target)


@pytest.mark.parametrize("kind", ENGINES)
async def test_what_is_there_is_kept(house: House, kind: str, tmp_path: Path) -> None:
    """A target with anything of its own in it, or begun from elsewhere, is refused untouched."""
    other = (await furnish(tmp_path / "other")).settings
    async with place_of(kind, tmp_path / "new") as target:
        with pytest.raises(Cut):
            await copy(house.settings, target, CutShort(25))
        with pytest.raises(TargetNotEmpty):
            await copy(other, target, Progress())
        await copy(house.settings, target, Progress())
        with pytest.raises(TargetNotEmpty):
            await copy(house.settings, target, Progress())

        assert await _copied(house.settings, target)


async def test_nothing_is_no_source(house: House, tmp_path: Path) -> None:
    """A folder without a database, the target itself, and half a copy are no sources."""
    fresh = settings_of(tmp_path / "fresh", mongodb_uri=None)
    half = settings_of(tmp_path / "half", mongodb_uri=None)
    with pytest.raises(FileNotFoundError):
        await copy(fresh, house.settings, Progress())
    with pytest.raises(TargetNotEmpty, match="one and the same"):
        await copy(house.settings, house.settings, Progress())
    with pytest.raises(Cut):
        await copy(house.settings, half, CutShort(25))
    with pytest.raises(DatabaseError, match="not whole"):
        await copy(half, fresh, Progress())

    assert not (tmp_path / "fresh" / "chatme.db").exists() or not any(
        (await content_of(fresh)).values()
    )


async def test_a_database_in_use_is_refused(house: House, tmp_path: Path) -> None:
    """While a server has the source or the target nothing is copied."""
    target = settings_of(tmp_path / "new", mongodb_uri=None)
    async with open_engine(house.settings):
        with pytest.raises(DatabaseError, match="in use"):
            await copy(house.settings, target, Progress())
    async with open_engine(target):
        with pytest.raises(DatabaseError, match="in use"):
            await copy(house.settings, target, Progress())

    assert not any((await content_of(target)).values())
