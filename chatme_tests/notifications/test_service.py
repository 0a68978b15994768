"""The rules for notifications: who is told at once, who later, and when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

from chatme.errors import NotFound
from chatme.notifications.models import Notification
from chatme.notifications.service import NotificationService
from chatme.notifications.wire import NotificationQuery
from chatme_tests.conversations.engines import CutEngine
from chatme_tests.fakes import FrozenClock, opened_engine
from chatme_tests.notifications.fakes import (
    SENDER,
    TEA,
    Ears,
    Heard,
    Sockets,
    Stage,
    WatchedEngine,
)
from chatme_tests.plans import plan_of

ANN, BOB, CAT, WORK = (ObjectId() for _ in range(4))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """The service over an empty database, with nobody connected."""
    async with opened_engine(tmp_path / "data", [Notification]) as opened:
        engine, clock, ears, sockets = WatchedEngine(opened), FrozenClock(), Ears(), Sockets()
        service = NotificationService(engine, clock, ears, sockets)
        yield Stage(service, engine, clock, ears, sockets)


async def test_the_connected_hear_at_once_the_others_later(stage: Stage) -> None:
    """Who has a socket gets a frame and no document, who has none a document and no frame."""
    stage.sockets.open = {ANN, BOB}
    message = await stage.message(ANN, BOB, CAT, content="x" * 101)
    payload: dict[str, Any] = {
        "conversationId": str(TEA),
        "messageId": str(message),
        "senderId": str(SENDER),
        "senderName": "Sender",
        "preview": "x" * 100,
    }

    (heard,) = stage.ears.heard
    assert (heard.users, heard.quiet_in) == ({ANN, BOB}, TEA)
    assert heard.data.to_plain() == {"id": None, "type": "new_message", "payload": payload}
    (stored,) = await stage.unread(CAT)
    assert (stored.type, stored.payload, stored.is_read) == ("new_message", payload, False)
    assert [await stage.unread(user) for user in (ANN, BOB, SENDER)] == [[], [], []]


async def test_a_change_of_a_group_is_told_like_a_message(stage: Stage) -> None:
    """Members who come or go hear of it at once or find it later, with the group and by whom."""
    stage.sockets.open = {ANN}
    await stage.group({ANN, BOB})
    payload = {"conversationId": str(TEA), "name": "Tea", "byId": str(SENDER), "byName": "Sender"}

    (heard,) = stage.ears.heard
    assert heard == Heard(heard.data, {ANN}, TEA)
    assert (heard.data.id, heard.data.type, heard.data.payload) == (None, "group_added", payload)
    assert [each.payload for each in await stage.unread(BOB)] == [payload]
    assert await stage.unread(ANN) == []


@pytest.mark.parametrize("many", [1, 500])
async def test_a_message_costs_one_write_or_none(stage: Stage, many: int) -> None:
    """Whatever the number of users, one write stores it for all, and none where all are here."""
    users = [ObjectId() for _ in range(many)]
    await stage.message(*users)
    await stage.group(users)
    assert stage.engine.take() == ["insert_many", "insert_many"]
    assert await stage.engine.count(Notification) == 2 * many
    stage.engine.take()

    stage.sockets.open = set(users)
    await stage.message(*users)
    await stage.group(users)
    await stage.message()
    assert stage.engine.take() == []
    assert len(stage.ears.heard) == 2


@pytest.mark.parametrize("late", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("what", ["a message", "a group"])
async def test_what_an_absence_cut_can_be_told_again(stage: Stage, what: str, late: bool) -> None:
    """Where the database is away the connected are told nothing yet: told again, everybody has it
    once."""
    stage.sockets.open = {ANN}
    cut = CutEngine(stage.engine, 0, late=late)
    stage.service = NotificationService(cut, stage.clock, stage.ears, stage.sockets)
    message, added = ObjectId(), {ANN: ObjectId(), BOB: ObjectId()}

    async def tell() -> None:
        if what == "a message":
            await stage.message(ANN, BOB, message=message)
        else:
            await stage.added(added)

    with pytest.raises(AutoReconnect):
        await tell()
    assert stage.ears.heard == []
    await tell()

    (heard,) = stage.ears.heard
    assert heard.users == {ANN}
    assert len(await stage.unread(BOB)) == 1


async def test_a_repeated_message_is_stored_once(stage: Stage) -> None:
    """What is told again, even at once, is stored for those who are missing it alone."""
    message = await stage.message(ANN)
    again = [stage.message(ANN, BOB, message=message) for _ in range(5)]
    await asyncio.gather(*again)

    assert [len(await stage.unread(user)) for user in (ANN, BOB)] == [1, 1]


async def test_a_preview_follows_its_message(stage: Stage) -> None:
    """After an edit the previews of that message show the new content to who may see it, and no
    other changes."""
    message = await stage.message(ANN, BOB, CAT, content="Old")
    await stage.message(ANN, content="Other")
    for _ in range(2):
        await stage.service.message_edited(message, "text", "New" * 100, [ANN, BOB])

    assert await stage.previews(ANN) == ["Other", ("New" * 100)[:100]]
    assert await stage.previews(BOB) == [("New" * 100)[:100]]
    assert await stage.previews(CAT) == ["Old"]


async def test_nothing_is_left_of_a_deleted_message(stage: Stage) -> None:
    """A deleted message's notifications are gone, read or not, for everybody, and no others."""
    message = await stage.message(ANN, BOB)
    (shown,) = await stage.unread(BOB)
    await stage.service.read(BOB, shown.id)
    await stage.message(ANN, content="Other")
    await stage.group([ANN])
    for _ in range(2):
        await stage.service.message_deleted(message)

    assert [each.type for each in await stage.unread(ANN)] == ["group_added", "new_message"]
    with pytest.raises(NotFound):
        await stage.service.read(BOB, shown.id)


async def test_reading_a_conversation_reads_its_notifications(stage: Stage) -> None:
    """One update reads all that a user was told of a conversation, for that user alone."""
    for _ in range(3):
        await stage.message(ANN, BOB)
    await stage.group([ANN])
    await stage.message(ANN, conversation=WORK, content="Work")
    stage.engine.take()
    await stage.service.conversation_read(ANN, TEA)

    assert stage.engine.take() == ["update_many"]
    assert await stage.previews(ANN) == ["Work"]
    assert await stage.service.count(BOB) == 3
    read = await stage.engine.find(Notification, {"user": ANN, "is_read": True})
    assert len(read) == 4
    assert {each.read_at for each in read} == {stage.clock.now()}


async def test_a_cleared_conversation_leaves_nothing_to_show(stage: Stage) -> None:
    """What a user was told of a conversation's messages goes with it, for that user alone."""
    await stage.message(ANN, BOB)
    (shown,) = await stage.unread(ANN)
    await stage.message(ANN, conversation=WORK, content="Work")
    await stage.service.conversation_cleared(ANN, TEA)

    assert await stage.previews(ANN) == ["Work"]
    assert await stage.previews(BOB) == ["Hi"]
    with pytest.raises(NotFound):
        await stage.service.read(ANN, shown.id)


async def test_one_is_read(stage: Stage) -> None:
    """A notification that is read stays so however often it is said, and leaves the list."""
    await stage.message(ANN)
    (shown,) = await stage.unread(ANN)
    answers = [await stage.service.read(ANN, shown.id) for _ in range(2)]

    assert answers == [shown.model_copy(update={"is_read": True})] * 2
    assert await stage.unread(ANN) == []
    assert await stage.service.count(ANN) == 0


async def test_a_foreign_notification_is_not_there(stage: Stage) -> None:
    """Somebody else's notification is like one that does not exist, and stays unread."""
    await stage.message(ANN)
    (shown,) = await stage.unread(ANN)
    for caller, wanted in ((BOB, shown.id), (ANN, ObjectId())):
        with pytest.raises(NotFound):
            await stage.service.read(caller, wanted)

    assert await stage.unread(ANN) == [shown]


async def test_all_are_read(stage: Stage) -> None:
    """All of one user's are read, and each is counted by one of the callers, however many."""
    for _ in range(20):
        await stage.message(ANN, BOB)
    counts = await asyncio.gather(*(stage.service.read_all(ANN) for _ in range(5)))

    assert sum(counts) == 20
    assert await stage.service.read_all(ANN) == 0
    assert [await stage.service.count(user) for user in (ANN, BOB)] == [0, 20]


@pytest.mark.parametrize("limit", [1, 3, 7, 14, 15])
async def test_pages_go_from_new_to_old(stage: Stage, limit: int) -> None:
    """Pages of any size show every unread one once, newest first, also those of one moment."""
    for at in range(7):
        await stage.message(ANN, BOB, content=str(at))
        await stage.group([ANN])
    stored = await stage.engine.find(Notification, Notification.user == ANN)
    stored.sort(key=lambda each: (each.created_at, each.id), reverse=True)
    pages = await stage.pages(ANN, limit)

    assert list(chain.from_iterable(pages)) == [each.id for each in stored]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1]


async def test_a_page_goes_on_where_the_last_ended(stage: Stage) -> None:
    """What is read or comes between two pages neither repeats nor hides what was there."""
    for at in range(6):
        await stage.message(ANN, content=str(at))
    first = await stage.service.page(ANN, NotificationQuery(limit=2))
    await stage.service.read(ANN, first.items[1].id)
    await stage.message(ANN, content="late")
    second = await stage.service.page(ANN, NotificationQuery(limit=2, cursor=first.next))

    assert [each.payload["preview"] for each in second.items] == ["3", "2"]


async def test_every_query_has_its_index(stage: Stage) -> None:
    """Nothing that the service asks of the database looks at more than what it is about."""
    message = await stage.message(ANN)
    await stage.message(ANN)
    first = await stage.service.page(ANN, NotificationQuery(limit=1))
    await stage.service.page(ANN, NotificationQuery(limit=1, cursor=first.next))
    await stage.service.count(ANN)
    await stage.service.read(ANN, first.items[0].id)
    await stage.service.read_all(ANN)
    await stage.service.conversation_read(ANN, TEA)
    await stage.service.conversation_cleared(ANN, TEA)
    await stage.service.message_edited(message, "text", "New", [ANN, BOB])
    await stage.service.message_deleted(message)
    await stage.service.user_erased(SENDER, "Gone")
    used = []
    for each in stage.engine.seen:
        if each.filter is not None:
            plan = await plan_of(stage.engine.database["notifications"], each.filter, each.sort)
            used.append((each.name, plan["index"], plan["sorted"]))

    assert used == [
        ("aggregate", "unread", True),
        ("aggregate", "unread", True),
        ("count_documents", "unread", True),
        ("find_one_and_update", "_id_", True),
        ("update_many", "unread", True),
        ("update_many", "conversation", True),
        ("delete_many", "conversation", True),
        ("update_many", "message", True),
        ("delete_many", "message", True),
        ("delete_many", "unread", True),
        ("update_many", "by", True),
        ("update_many", "by", True),
    ]


async def test_an_erased_user_is_nobody(stage: Stage) -> None:
    """What they were told is gone, and their name is from what others were told, and only that."""
    await stage.message(ANN, SENDER)
    await stage.group([ANN, SENDER])
    for _ in range(2):
        await stage.service.user_erased(SENDER, "Gone")
    told = [each.payload for each in await stage.unread(ANN)]

    assert await stage.unread(SENDER) == []
    assert (told[0]["byName"], told[0]["name"]) == ("Gone", "Tea")
    assert (told[1]["senderName"], told[1]["preview"]) == ("Gone", "Hi")
    assert "senderName" not in told[0]


async def test_the_read_ones_have_pages_too(stage: Stage) -> None:
    """What was read is still there to be shown to its user, apart from what was not."""
    await stage.message(ANN, content="Old")
    await stage.service.read_all(ANN)
    await stage.message(ANN, content="New")
    read = await stage.service.page(ANN, NotificationQuery(), is_read=True)

    assert [each.payload["preview"] for each in read.items] == ["Old"]
    assert await stage.previews(ANN) == ["New"]
