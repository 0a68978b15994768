"""A fault in words, and its mending."""

from __future__ import annotations

from pathlib import Path

from bson import ObjectId

from chatme.storage.engine import open_engine
from chatme.upkeep.check.findings import Finding, existing, is_erased, people, removing, setting
from chatme.users.models import User
from chatme_tests.upkeep.house import furnish


async def test_the_words_make_a_finding(tmp_path: Path) -> None:
    """Two findings of the same words are one, however each would be mended."""
    mend = removing(User, ObjectId())

    assert {Finding("a"), Finding("a", mend), Finding("b")} == {Finding("a"), Finding("b")}


async def test_what_has_changed_is_not_mended(tmp_path: Path) -> None:
    """A document that is not as it was found any more stays as it is."""
    house = await furnish(tmp_path)
    async with open_engine(house.settings) as engine:
        await setting(User, house.ada, {"bio": "old"}, {"bio": "new"})(engine)
        untouched = await engine.find_one(User, User.id == house.ada)
        await setting(User, house.ada, {"bio": ""}, {"bio": "new"})(engine)
        touched = await engine.find_one(User, User.id == house.ada)
        await removing(User, house.bob)(engine)
        await removing(User, house.bob)(engine)
        left = await existing(engine, User, [house.ada, house.bob, None])
        known = await people(engine, [house.ada, house.ada, house.bob])
        nobody = await existing(engine, User, [None])

    assert untouched is not None
    assert touched is not None
    assert (untouched.bio, touched.bio) == ("", "new")
    assert left == set(known) == {house.ada}
    assert nobody == set()
    assert not is_erased(known[house.ada])
    assert is_erased({"_id": house.ada, "email": f"{house.ada}@deleted.invalid"})
