"""Uploads and what shows them, broken and mended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from chatme.clock import SystemClock
from chatme_tests.upkeep.check.stage import Stage

NOW = SystemClock().now()
ATTACHMENT = {"url": "/u/tea", "public_id": "tea"}


async def _upload(stage: Stage, **more: Any) -> ObjectId:
    """An upload of Ada's that is ready, settled, and used by nothing."""
    row = {
        "owner": stage.house.ada,
        "public_id": "tea",
        "kind": "image",
        "state": "ready",
        "url": "/u/tea",
        "uses": [],
        "due_at": None,
        "created_at": NOW,
    }
    return await stage.insert("uploads", {**row, **more})


async def _shown_by_all(stage: Stage) -> list[str]:
    """A message, a user and a group show the upload; their uses."""
    house = stage.house
    message = house.messages[3]
    await stage.change("messages", {"_id": message}, {"attachments": [ATTACHMENT]})
    await stage.change("users", {"_id": house.ada}, {"avatar_id": "tea"})
    await stage.change("conversations", {"_id": house.group}, {"avatar_id": "tea"})
    return [f"message:{message}", f"user:{house.ada}", f"group:{house.group}"]


async def test_what_is_shown_and_says_so_is_well(stage: Stage) -> None:
    """An upload that all its uses show has no fault."""
    await _upload(stage, uses=await _shown_by_all(stage))

    assert await stage.look() == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"uses": [f"message:{ObjectId()}"]},
        {"state": "arriving", "url": ""},
        {"state": "leaving"},
    ],
)
async def test_what_is_due_is_the_sweeper_s(stage: Stage, fields: dict[str, Any]) -> None:
    """Whatever an upload is like, while the sweeper will look at it there is no fault, however
    long ago it was to do so."""
    await _upload(stage, due_at=NOW - timedelta(days=9), **fields)

    assert await stage.look() == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "not all its uses are real"),
        ({"uses": [f"message:{ObjectId()}"]}, "not all its uses are real"),
        ({"state": "arriving", "url": ""}, "it is arriving"),
        ({"state": "leaving"}, "it is leaving"),
    ],
)
async def test_what_nobody_would_look_at_again_is_looked_at(
    stage: Stage, fields: dict[str, Any], words: str
) -> None:
    """An upload that no sweep would come to, and that is not in use, is given a date."""
    upload = await _upload(stage, **fields)

    (found,) = await stage.mended()
    assert found.startswith(f"upload {upload}: {words}")
    assert (await stage.get("uploads", {"_id": upload}))["due_at"] is not None


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_use_that_is_not_real_is_seen_beside_others(stage: Stage, place: int) -> None:
    """Of three uses one that is not real is found; the sweeper will decide."""
    uses = await _shown_by_all(stage)
    uses[place] = f"{uses[place].partition(':')[0]}:{ObjectId()}"
    await _upload(stage, uses=uses)

    found = [each.words for each in await stage.look()]
    await stage.look(repair=True)
    assert len(found) == 2
    assert any("not all its uses are real" in each for each in found)
    assert any("does not know that it is shown" in each for each in found)
    assert await stage.look() == []


async def test_who_shows_an_upload_is_known_to_it(stage: Stage) -> None:
    """A use that an upload does not know of is written down, with a date to look at it."""
    uses = await _shown_by_all(stage)
    upload = await _upload(stage, due_at=NOW)

    found = await stage.mended()
    assert len(found) == 3
    assert all(each.endswith("the upload tea does not know that it is shown") for each in found)
    row = await stage.get("uploads", {"_id": upload})
    assert sorted(row["uses"]) == sorted(uses)
    assert row["due_at"] > NOW


@pytest.mark.parametrize("state", [None, "arriving", "leaving"])
async def test_what_is_shown_and_gone_is_told(stage: Stage, state: str | None) -> None:
    """Nothing is taken from a message, a user or a group whose file is lost: it is told."""
    await _shown_by_all(stage)
    if state is not None:
        await _upload(stage, state=state, due_at=NOW)

    found = await stage.kept()
    assert len(found) == 3
    assert all(each.endswith("the upload tea is not there") for each in found)


async def test_uses_of_nothing_go(stage: Stage) -> None:
    """A use that no sweep could read is taken out, and the others stay."""
    real = f"message:{ObjectId()}"
    upload = await _upload(stage, uses=[real, "message:7", f"call:{ObjectId()}", ""], due_at=NOW)

    assert await stage.mended() == [f"upload {upload}: 3 of its uses are of nothing"]
    assert (await stage.get("uploads", {"_id": upload}))["uses"] == [real]


async def test_an_upload_is_somebody_s_and_somewhere(stage: Stage) -> None:
    """An owner who is not there, and a ready upload without an address, are told."""
    nobody = ObjectId()
    upload = await _upload(stage, owner=nobody, url="", due_at=NOW)

    assert await stage.kept() == [
        f"upload {upload}: its owner {nobody} is not there",
        f"upload {upload}: it is ready, and has no address",
    ]
