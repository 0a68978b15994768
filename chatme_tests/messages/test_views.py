"""Messages as one member sees them: what is shown, how far each recipient is, what is unread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from chatme.conversations.models import Marks
from chatme.messages.models import Attachment, Message, Reaction
from chatme.messages.views import message_view, receipt_statuses
from chatme.messages.wire import MAX_RECEIPT_ROWS, MessageNamed
from chatme.users.models import User
from chatme.users.wire import UserView
from chatme_tests.conversations.engines import AskedEngine
from chatme_tests.conversations.world import Node, World, ids
from chatme_tests.fakes import SOMETIME
from chatme_tests.messages.stage import made

TEA = ObjectId()
ANN, BOB, CYD = (ObjectId() for _ in range(3))
SENDER = UserView(id=ANN, display_name="Ann", avatar=None, bio="")
NOON = "2040-01-31T12:00:00.000Z"


def _status(message: Message, **marks: Any) -> str:
    return receipt_statuses(message, {ANN: Marks(), BOB: Marks(**marks)})[BOB]


@pytest.mark.parametrize(
    ("marks", "status"),
    [
        ({}, "sent"),
        ({"delivered_seq": 4}, "sent"),
        ({"delivered_seq": 5}, "delivered"),
        ({"delivered_seq": 9, "read_seq": 4}, "delivered"),
        ({"delivered_seq": 5, "read_seq": 5}, "read"),
        ({"read_ahead": frozenset({5})}, "read"),
        ({"read_ahead": frozenset({4, 6})}, "sent"),
        ({"cleared_seq": 9}, "sent"),
        ({"joined_seq": 4, "delivered_seq": 4, "read_seq": 4}, "sent"),
    ],
)
def test_a_status_follows_the_marks(marks: dict[str, Any], status: str) -> None:
    """A recipient has a message once the mark reached its number, and has read it once the other
    did or it was read alone."""
    assert _status(made(TEA, ANN, 5), **marks) == status


@pytest.mark.parametrize("marks", [{"read_seq": 9}, {"read_ahead": frozenset({5})}])
def test_what_was_withheld_stays_sent(marks: dict[str, Any]) -> None:
    """To its sender a message that was withheld is never more than sent."""
    assert _status(made(TEA, ANN, 5, withheld_from=[BOB]), **marks) == "sent"


def test_recipients_are_whom_it_was_sent_to() -> None:
    """Neither the sender nor who joined afterwards is a recipient."""
    marks = {ANN: Marks(), BOB: Marks(joined_seq=4), CYD: Marks(joined_seq=5)}

    assert receipt_statuses(made(TEA, ANN, 5), marks) == {BOB: "sent"}
    assert receipt_statuses(made(TEA, ObjectId(), 5), {}) == {}


ORDER = ("sent", "delivered", "read")
NUMBERS = st.integers(0, 8)
AHEAD = st.frozensets(NUMBERS, max_size=3)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, AHEAD, AHEAD)
def test_a_status_never_goes_back(
    delivered: int, further: int, read: int, more: int, ahead: frozenset[int], new: frozenset[int]
) -> None:
    """While marks rise and numbers read ahead stay until the mark covers them, no status falls."""
    later = frozenset(seq for seq in ahead | new if seq > read + more)
    before = {"delivered_seq": delivered, "read_seq": read, "read_ahead": ahead}
    after = {"delivered_seq": delivered + further, "read_seq": read + more, "read_ahead": later}
    for seq in range(1, 10):
        message = made(TEA, ANN, seq)
        assert ORDER.index(_status(message, **before)) <= ORDER.index(_status(message, **after))


_PICTURE: Mapping[str, object] = {
    "url": "/u/1",
    "publicId": "p",
    "name": "a.png",
    "size": 5,
    "mimeType": None,
    "width": 1,
    "height": 2,
    "duration": None,
    "thumbnailUrl": "/u/2",
}


def test_a_message_is_shown_whole() -> None:
    """A view holds everything of a message that a caller may know."""
    picture = Attachment(
        url="/u/1", public_id="p", name="a.png", size=5, width=1, height=2, thumbnail_url="/u/2"
    )
    message = made(
        TEA,
        ANN,
        2,
        rev=7,
        client_id="c-1",
        type="image",
        content="See",
        attachments=[picture],
        reactions=[Reaction(user=BOB, emoji="👍")],
        edited_at=SOMETIME,
    )
    reply = made(TEA, BOB, 1, content="x" * 101)
    view = message_view(message, SENDER, reply, {ANN: Marks(), BOB: Marks(0, 2, 2)})

    assert view.to_plain() == {
        "id": str(message.id),
        "conversationId": str(TEA),
        "seq": 2,
        "rev": 7,
        "clientId": "c-1",
        "sender": {"id": str(ANN), "displayName": "Ann", "avatar": None, "bio": ""},
        "type": "image",
        "content": "See",
        "attachment": _PICTURE,
        "replyTo": {
            "id": str(reply.id),
            "senderId": str(BOB),
            "type": "text",
            "content": "x" * 100,
        },
        "receipts": [{"userId": str(BOB), "status": "read"}],
        "receiptCounts": {"recipients": 1, "delivered": 1, "read": 1},
        "reactions": [{"userId": str(BOB), "emoji": "👍"}],
        "isEdited": True,
        "editedAt": NOON,
        "isDeleted": False,
        "createdAt": NOON,
    }


def test_a_deleted_answer_shows_nothing() -> None:
    """What an answer quotes is empty once it was deleted, whatever the document still holds."""
    reply = made(TEA, BOB, 1, content="Secret", is_deleted=True)
    view = message_view(made(TEA, ANN, 2), SENDER, reply, {})

    assert view.reply_to is not None
    assert view.reply_to.content == ""


@pytest.mark.parametrize("members", [MAX_RECEIPT_ROWS, MAX_RECEIPT_ROWS + 1])
def test_large_conversations_count_only(members: int) -> None:
    """Up to 16 members each recipient has a row, above that there are only the counts."""
    others = {ObjectId(): Marks(0, at % 3, at % 2) for at in range(members - 1)}
    view = message_view(made(TEA, ANN, 1), SENDER, None, {ANN: Marks(), **others})
    statuses = list(receipt_statuses(made(TEA, ANN, 1), others).values())

    assert len(view.receipts) == (members - 1 if members <= MAX_RECEIPT_ROWS else 0)
    assert view.receipt_counts.to_plain() == {
        "recipients": members - 1,
        "delivered": members - 1 - statuses.count("sent"),
        "read": statuses.count("read"),
    }


async def test_a_sender_who_is_gone_has_a_name(world: World) -> None:
    """What somebody said stays when their user is deleted, under a name for nobody."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await world.say(bob, talk)
    await world.engine.remove(User, User.id == bob)
    (shown,) = await world.node().history(ann, talk)

    assert (shown.sender.id, shown.sender.display_name) == (bob, "Deleted user")


async def test_the_badge_counts_what_can_be_read(world: World) -> None:
    """A badge counts what others said, is not hidden and was not read, however it came about."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    said = [await world.say(who, tea) for who in (bob, ann, cyd, bob, cyd)]

    async def badge() -> int:
        found = await world.unread(ann, tea)
        (listed,) = await world.listed(ann)
        assert listed.unread_count == found
        return found

    assert await badge() == 4
    await world.read(ann, said[3])
    assert await badge() == 3
    await world.blocks.block(ann, cyd)
    assert await badge() == 1
    await world.say(cyd, tea)
    assert await badge() == 1
    await world.blocks.unblock(ann, cyd)
    assert await badge() == 4
    await world.changes.delete(bob, MessageNamed(message_id=said[0].id))
    assert await badge() == 4
    await world.listing.clear(ann, tea)
    assert await world.unread(ann, tea) == 0
    await world.say(bob, tea)
    assert await badge() == 1
    await world.receipts.read_all(ann, tea, None)
    assert await badge() == 0


async def test_the_last_message_is_the_last_that_is_seen(world: World) -> None:
    """A list shows the newest message that its viewer may see, also where another is newer or
    the activity was never written."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)

    async def last(user: ObjectId) -> ObjectId | None:
        (view,) = await world.listed(user)
        return view.last_message.to_plain()["id"] if view.last_message else None

    assert await last(ann) is None
    first = await world.say(bob, tea)
    await world.blocks.block(ann, cyd)
    second = await world.say(cyd, tea)
    assert [await last(user) for user in (ann, bob)] == [str(first.id), str(second.id)]
    await world.log.append(made(tea, bob, content="cut before the activity"))
    unheard = (await world.history(ann, tea))[-1]
    assert [await last(user) for user in (ann, bob)] == [str(unheard.id)] * 2


async def test_a_page_is_built_by_two_queries(world: World) -> None:
    """However many messages there are, they cost one query for what they answer; senders are
    remembered."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    first = await world.say(ann, talk)
    for _ in range(10):
        await world.say(bob, talk, reply_to=first.id)
    asked = AskedEngine(world.engine)
    node = Node(asked, world.outside)
    stored = await world.engine.find(Message, sort=Message.seq)
    marks = await world.core.marks(await world.core.members(talk))
    for cost in (3, 1):
        asked.asked.clear()
        assert ids(await node.facts.build(stored, marks)) == ids(stored)
        assert len(asked.asked) == cost
    assert await node.facts.build([], {}) == []
