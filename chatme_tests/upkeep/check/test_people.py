"""Users and what hangs on them, broken and mended."""

from __future__ import annotations

from bson import ObjectId

from chatme.clock import SystemClock
from chatme.wiring import open_services
from chatme_tests.upkeep.check.stage import Stage

NOW = SystemClock().now()


def _notification(user: ObjectId, **more: object) -> dict[str, object]:
    return {
        "user": user,
        "type": "new_message",
        "payload": {"senderName": "Ada", "preview": "Hush"},
        "conversation": None,
        "message": None,
        "by": None,
        "is_read": False,
        "created_at": NOW,
        "read_at": None,
        **more,
    }


async def test_what_the_search_goes_by_is_made_again(stage: Stage) -> None:
    """A search text or grams that are not of name and address are made of them."""
    ada = await stage.change("users", {"display_name": "Ada"}, {"search_text": "eve"})
    bob = await stage.change("users", {"display_name": "Bob"}, {"grams": ["bo"]})

    found = await stage.mended()
    assert sorted(each.split(":")[0] for each in found) == sorted([f"user {ada}", f"user {bob}"])
    assert (await stage.get("users", {"_id": ada}))["search_text"] == "ada\nada@example.com"


async def test_sessions_of_nobody_go(stage: Stage) -> None:
    """A session whose user is no more, or shut out, is removed, and no other."""
    gone = await stage.change("sessions", {"user": stage.house.ada}, {"user": ObjectId()})
    await stage.change("users", {"_id": stage.house.bob}, {"is_active": False})

    found = await stage.mended()
    assert len(found) == 2
    assert any(each.startswith(f"session {gone}: its user") for each in found)
    assert await stage.get("sessions", {"user": stage.house.bob}) is None
    assert await stage.get("sessions", {"user": stage.house.cyd}) is not None


async def test_blocks_of_nobody_go(stage: Stage) -> None:
    """A block whose other side is no more is removed, and one between two users stays."""
    gone = await stage.insert(
        "blocks", {"blocker": stage.house.ada, "blocked": ObjectId(), "created_at": NOW}
    )

    (found,) = await stage.mended()
    assert found.startswith(f"block {gone}: ")
    assert await stage.get("blocks", {"blocker": stage.house.cyd}) is not None


async def test_notifications_of_what_is_no_more_go(stage: Stage) -> None:
    """Of a message deleted, cleared or never there, of no conversation, for nobody: removed."""
    house = stage.house
    real = {"conversation": house.group, "by": house.ada}
    await stage.change(
        "watermarks", {"conversation": house.group, "user": house.cyd}, {"cleared_seq": 4}
    )
    wrong = [
        _notification(ObjectId(), **real),
        _notification(house.ada, conversation=ObjectId()),
        _notification(house.ada, **real, message=ObjectId()),
        _notification(house.ada, **real, message=house.messages[0]),
    ]
    right = _notification(house.ada, **real, message=house.messages[8])
    ids = {str(await stage.insert("notifications", each)) for each in wrong}
    await stage.insert("notifications", right)

    found = await stage.mended()
    cleared = [each for each in found if "was cleared by" in each]
    # Cyd was told of the messages when they came: 2 to 4 are gone for them, and 1 for all.
    assert len(cleared) == 3
    assert ids == {each.split()[1].rstrip(":") for each in found if each not in cleared}
    assert await stage.get("notifications", {"_id": right["_id"]}) is not None


async def test_a_name_that_is_erased_is_so_everywhere(stage: Stage) -> None:
    """A notification that still names an erased user does so no longer."""
    house = stage.house
    async with open_services(stage.settings) as services:
        await services.users.erase(house.bob)
    told = await stage.insert(
        "notifications",
        _notification(house.ada, by=house.bob, conversation=house.talk),
    )

    await stage.look(repair=True)
    found = await stage.get("notifications", {"_id": told})
    assert found["payload"] == {"senderName": "Deleted user", "preview": "Hush"}


async def test_an_erasure_that_was_cut_is_finished(stage: Stage) -> None:
    """An erasure is told, and the repair brings it to its end: groups, blocks and all."""
    house = stage.house
    await stage.insert("erasures", {"_id": house.bob, "begun_at": NOW})
    seen = await stage.look()
    await stage.look(repair=True)
    group = await stage.get("conversations", {"_id": house.group})

    assert [each.words.split(" begun")[0] for each in seen] == [f"user {house.bob}: the erasure"]
    assert await stage.look() == []
    assert house.bob not in [each["user"] for each in group["members"]]
    assert (await stage.get("users", {"_id": house.bob}))["display_name"] == "Deleted user"
