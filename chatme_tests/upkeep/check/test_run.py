"""The check of a whole database."""

from __future__ import annotations

from typing import Any

import pytest
from odmantic import AIOEngine

from chatme.conversations.models import Activity
from chatme.storage import atomic
from chatme.storage.engine import DatabaseError, open_engine
from chatme.storage.moves import begin_move
from chatme.upkeep.check.findings import Finding
from chatme.upkeep.check.run import EXAMINERS, Check
from chatme.upkeep.progress import Progress
from chatme.upkeep.stock import models_by_collection
from chatme_tests.upkeep.check.stage import Stage


async def test_a_database_that_is_well_is_said_so(stage: Stage) -> None:
    """What the services have written has no fault, and a repair of it changes nothing."""
    assert await stage.look() == []
    assert await stage.look(repair=True) == []


def test_everything_is_examined() -> None:
    """Each collection that says something of another one has an examiner."""
    assert set(models_by_collection()) - set(EXAMINERS) == {"used_states"}
    assert set(EXAMINERS) <= set(models_by_collection())


async def test_what_cannot_be_read_is_told_without_its_words(stage: Stage) -> None:
    """A document of another shape is told with its id and fields, never with what is in it."""
    broken = await stage.insert(
        "messages", {"conversation": stage.house.group, "seq": 13, "content": "my secret"}
    )
    user = await stage.change("users", {"display_name": "Cyd"}, {"grams": "my secret"})

    found = [each.words for each in await stage.look(repair=True)]
    assert any(each.startswith(f"messages {broken}: it cannot be read, for ") for each in found)
    assert f"users {user}: it cannot be read, for grams" in found
    assert "my secret" not in "".join(found)


async def test_a_strange_id_is_told(stage: Stage) -> None:
    """A document whose id is of another kind is told, and does not hide those behind it."""
    async with open_engine(stage.settings) as engine:
        await engine.database["activities"].insert_one({"_id": 7})
    await stage.change("activities", {"_id": stage.house.group}, {"seq": 1})
    found = [each.words.split(",")[0] for each in await stage.look()]

    assert found[0] == "activities: a document has an id that is none of ours"
    assert len(found) == 2


async def test_an_index_is_made_again(stage: Stage) -> None:
    """A missing index is told and made."""
    async with open_engine(stage.settings) as engine:
        await engine.database["messages"].drop_index("seq")
        await engine.database["users"].drop_index("email")

    assert sorted(await stage.mended()) == [
        "messages: the index seq is missing",
        "users: the index email is missing",
    ]


async def test_an_index_that_cannot_be_made_stops_nothing(stage: Stage) -> None:
    """Where two documents are in the way of a unique index it stays missing, the rest is mended."""
    async with open_engine(stage.settings) as engine:
        await engine.database["users"].drop_index("email")
    await stage.change("users", {"_id": stage.house.bob}, {"email": "ada@example.com"})
    await stage.change("activities", {"_id": stage.house.group}, {"seq": 1})
    found = await stage.look(repair=True)

    by_words = {each.words.split(":")[0]: each.mended for each in found}
    assert by_words["users"] is False
    assert by_words[f"conversation {stage.house.group}"] is True


async def test_half_a_database_is_not_checked(stage: Stage) -> None:
    """What is being moved in is refused before anything of it is looked at, or mended."""
    async with open_engine(stage.settings) as engine:
        await begin_move(engine, "copy from elsewhere")
    with pytest.raises(DatabaseError, match="not whole"):
        await stage.look(repair=True)


async def test_what_a_server_is_about_to_write_is_no_fault(stage: Stage) -> None:
    """What is wrong at the first look and not at the second, or otherwise, is not told."""
    group, talk = stage.house.group, stage.house.talk
    for each in (group, talk):
        await stage.change("activities", {"_id": each}, {"seq": 5})
    found: list[Finding] = []
    async with open_engine(stage.settings) as engine:
        looked = _Looked(engine, {"_id": group}, {"seq": 6})
        examined: Any = looked
        outcome = await Check(
            examined, Progress(), lambda each, _: found.append(each), pause=0.001, repair=True
        ).run()
        (left,) = await atomic.project(engine, Activity, {"_id": group}, ["seq"])

    # The group's moved between the two looks; the talk's stood still, and was mended.
    assert outcome.found == outcome.mended == 1
    assert [each.words.split(":")[0] for each in found] == [f"conversation {talk}"]
    assert left["seq"] == 6


class _Looked:
    """An engine beside which somebody writes, once, after an activity was read."""

    def __init__(self, engine: AIOEngine, where: Any, fields: Any) -> None:
        self._engine = engine
        self._change: Any = (where, {"$set": fields})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def find_one(self, model: Any, *queries: Any) -> Any:
        """As the engine; and then the other one's write."""
        found = await self._engine.find_one(model, *queries)
        if found is not None and self._change and found.id == self._change[0]["_id"]:
            change, self._change = self._change, None
            await self._engine.get_collection(Activity).update_one(*change)
        return found
