"""Messages, broken: none of it is anybody's to mend."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId

from chatme_tests.upkeep.check.stage import Stage


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"conversation": ObjectId()}, "is not there"),
        ({"sender": ObjectId()}, "its sender"),
        ({"reply_to": ObjectId()}, "which is not in its conversation"),
        ({"revs": [90]}, "do not ascend"),
        ({"revs": [95, 94]}, "do not ascend"),
        ({"first_rev": 1}, "number 4 and first revision 1"),
        ({"is_deleted": True}, "it is deleted and not empty"),
        (
            {"reactions": [{"user": ObjectId("1" * 24), "emoji": each} for each in "ab"]},
            "two reactions",
        ),
    ],
)
async def test_what_a_message_cannot_be_is_told(
    stage: Stage, fields: dict[str, Any], words: str
) -> None:
    """Each fault of one message is told with its id, and left as it is."""
    message = await stage.change("messages", {"_id": stage.house.messages[3]}, fields)
    found = await stage.look(repair=True)

    assert any(
        each.words.startswith(f"message {message}: ") and words in each.words for each in found
    )
    stored = await stage.get("messages", {"_id": message})
    assert {key: stored[key] for key in fields} == fields


async def test_a_hole_is_told(stage: Stage) -> None:
    """A message that is missing leaves a hole between two numbers, and nothing is moved up."""
    await stage.remove("messages", {"_id": stage.house.messages[4]})

    found = [each for each in await stage.look(repair=True) if not each.mended]
    assert [each.words for each in found] == [
        f"conversation {stage.house.group}: after number 4 comes 6"
    ]
    assert await stage.look() == found


async def test_a_revision_twice_is_told(stage: Stage) -> None:
    """Without the index that forbids it, two messages of one revision are told, and stay."""
    house = stage.house
    at = await stage.get("messages", {"_id": house.messages[8]})
    await stage.change("messages", {"_id": house.messages[9]}, {"rev": at["rev"]})

    found = await stage.kept()
    assert f"conversation {house.group}: revision {at['rev']} is there twice" in found
    assert any("do not ascend" in each for each in found)


async def test_revisions_that_came_out_of_turn_are_told(stage: Stage) -> None:
    """A later message with an earlier first revision is told."""
    house = stage.house
    await stage.change(
        "messages", {"_id": house.messages[5]}, {"first_rev": 90, "rev": 90, "revs": [90]}
    )

    found = await stage.kept()
    assert f"conversation {house.group}: number 7 came with revision 7, after 90" in found
