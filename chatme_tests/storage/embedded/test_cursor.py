"""The cursor, where the conformance suite does not look."""

from __future__ import annotations

import pytest

from chatme.storage.embedded.collection import EmbeddedCollection


async def test_options_are_accepted(things: EmbeddedCollection) -> None:
    """Motor's options that change no answer are taken."""
    await things.insert_one({"_id": 1})

    cursor = things.find({}).batch_size(5).hint("_id_").max_time_ms(5).comment("x")

    assert cursor.alive
    assert await cursor.next() == {"_id": 1}
    with pytest.raises(StopAsyncIteration):
        await cursor.next()
    assert not cursor.alive


async def test_mistakes(things: EmbeddedCollection) -> None:
    """Negative lengths and skips are mistakes."""
    with pytest.raises(ValueError, match="skip"):
        things.find({}).skip(-1)
    with pytest.raises(ValueError, match="length"):
        await things.find({}).to_list(-1)


async def test_closed_early(things: EmbeddedCollection) -> None:
    """A closed cursor gives nothing more."""
    await things.insert_many([{} for _ in range(5)])
    async with things.find({}) as cursor:
        await cursor.next()

    assert await cursor.to_list(None) == []
