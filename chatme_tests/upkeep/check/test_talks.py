"""Conversations and what repeats their messages, broken and mended."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId

from chatme.clock import SystemClock
from chatme.wiring import open_services
from chatme_tests.upkeep.check.stage import Stage
from chatme_tests.upkeep.house import MESSAGES, say

NOW = SystemClock().now()


@pytest.mark.parametrize(
    "fields",
    [
        {"seq": 3},
        {"seq": 99},
        {"seq": 0, "last_message": None},
        {"last_message": ObjectId()},
        {"last_at": NOW.replace(year=2001)},
    ],
)
async def test_an_activity_follows_the_log(stage: Stage, fields: dict[str, Any]) -> None:
    """Whatever an activity says wrong, it is made of the last message again."""
    house = stage.house
    await stage.change("activities", {"_id": house.group}, fields)

    (found,) = await stage.mended()
    activity = await stage.get("activities", {"_id": house.group})
    assert found.startswith(f"conversation {house.group}: its activity says")
    assert (activity["seq"], activity["last_message"]) == (MESSAGES, house.messages[-1])


async def test_what_is_missing_is_made(stage: Stage) -> None:
    """A conversation without its activity, a member without a watermark, get them."""
    house = stage.house
    await stage.remove("activities", {"_id": house.group})
    await stage.remove("watermarks", {"conversation": house.group, "user": house.cyd})

    assert sorted(await stage.mended()) == [
        f"conversation {house.group}: it has no activity",
        f"conversation {house.group}: member {house.cyd} has no watermark",
    ]


async def test_what_was_never_made_goes(stage: Stage) -> None:
    """Activity and watermarks of a conversation that was cut in the making are removed."""
    nowhere = ObjectId()
    await stage.insert(
        "activities", {"_id": nowhere, "seq": 0, "last_message": None, "last_at": NOW}
    )
    for user in (stage.house.ada, stage.house.bob):
        await stage.insert("watermarks", {"conversation": nowhere, "user": user})

    assert len(await stage.mended()) == 3
    assert await stage.get("watermarks", {"conversation": nowhere}) is None


async def test_what_somebody_spoke_in_stays(stage: Stage) -> None:
    """Of a conversation whose document is lost nothing is removed: it has messages."""
    house = stage.house
    await stage.remove("conversations", {"_id": house.talk})
    found = await stage.look(repair=True)

    assert any("it is of no conversation" in each.words for each in found)
    assert await stage.get("activities", {"_id": house.talk}) is not None
    assert await stage.get("watermarks", {"conversation": house.talk}) is not None
    assert await stage.get("messages", {"conversation": house.talk}) is not None


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"read_seq": 40, "delivered_seq": 50}, {"read_seq": 12, "delivered_seq": 12}),
        ({"cleared_seq": 13}, {"cleared_seq": 12}),
        ({"cleared_seq": -7, "read_seq": -1}, {"cleared_seq": -1, "read_seq": 0}),
        ({"read_seq": 3, "read_ahead": [2, 3, 5, 7, 60]}, {"read_ahead": [5, 7]}),
    ],
)
async def test_watermarks_stay_within_the_log(
    stage: Stage, fields: dict[str, Any], after: dict[str, Any]
) -> None:
    """A number above the last message, or below the first, is brought to it, and no other."""
    house = stage.house
    row = await stage.change("watermarks", {"conversation": house.group, "user": house.ada}, fields)

    # What was cleared is not told of any more: that its notifications go is right as well.
    found = [each for each in await stage.mended() if not each.startswith("notification ")]
    assert found
    assert all(each.startswith(f"watermark {row}: ") for each in found)
    stored = await stage.get("watermarks", {"_id": row})
    assert {key: stored[key] for key in after} == after


async def test_a_member_joined_within_the_log(stage: Stage) -> None:
    """Who joined after a message that is not there joined after the last one, as a new version."""
    house = stage.house
    before = await stage.get("conversations", {"_id": house.group})
    await stage.change("conversations", {"_id": house.group}, {"members.2.joined_seq": 77})

    (found,) = await stage.mended()
    after = await stage.get("conversations", {"_id": house.group})
    assert "joined after number 77, and 12 is the last" in found
    assert after["members"][2]["joined_seq"] == 12
    assert after["version"] == before["version"] + 1


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("talk", {"direct_key": "a:b"}, "is not that of its pair"),
        ("group", {"direct_key": "a:b"}, "neither a group nor of two"),
        ("group", {"type": "crowd"}, "neither a group nor of two"),
        ("group", {"members.0.role": "member"}, "the group has no admin"),
        ("group", {"members.0.role": "owner"}, "no known role"),
        ("group", {"members.2.user": ObjectId("1" * 24)}, f"member {'1' * 24} is no user"),
    ],
)
async def test_what_a_conversation_cannot_be_is_told(
    stage: Stage, name: str, fields: dict[str, Any], words: str
) -> None:
    """What no crash leaves is told, and left to people."""
    where = await stage.change("conversations", {"_id": getattr(stage.house, name)}, fields)
    found = await stage.look()

    assert any(
        each.words.startswith(f"conversation {where}: ") and words in each.words for each in found
    )


async def test_a_member_twice_is_told(stage: Stage) -> None:
    """Somebody who is in the list of members two times is told."""
    house = stage.house
    group = await stage.get("conversations", {"_id": house.group})
    members = [*group["members"], group["members"][1]]
    await stage.change("conversations", {"_id": house.group}, {"members": members})

    assert f"conversation {house.group}: somebody is a member twice" in await stage.kept()


async def test_the_erased_leave_their_groups(stage: Stage) -> None:
    """Where an erasure has left somebody in a group it is begun again, and finished."""
    house = stage.house
    async with open_services(stage.settings) as services:
        await services.users.erase(house.bob)
    await stage.look(repair=True)
    group = await stage.get("conversations", {"_id": house.group})

    assert await stage.look() == []
    assert house.bob not in [each["user"] for each in group["members"]]
    async with open_services(stage.settings) as services:
        await say(services, house.ada, house.group, "Still here")
