"""Receipts over sockets: delivered, read, and who hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chatme_tests.client import Json, User, open_socket, signed_up
from chatme_tests.flows.life_crowd import crowd
from chatme_tests.flows.life_talk import (
    direct,
    group,
    history,
    say,
    settle,
    sound_server,
    view,
)
from chatme_tests.server import Server

LISTED = 500


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("receipts")) as running:
        yield running


async def _statuses(sender: User, room: str, recipient: User) -> list[str]:
    """How far one recipient is with the sender's newest messages, oldest first."""
    return [
        row["status"]
        for message in reversed(await history(sender, room, limit=100))
        for row in message["receipts"]
        if row["userId"] == recipient.id and message["sender"]["id"] == sender.id
    ]


async def test_a_live_message_is_delivered_at_once(server: Server) -> None:
    """The sender's sockets hear that a message got there, and nobody else does."""
    async with signed_up(server.url, "Ada Live", "Bob Live", "Cy Live") as (ada, bob, cy):
        room = await group(ada, bob, cy)
        mine, second = await ada.connect(), await ada.connect()
        theirs, also = await bob.connect(), await bob.connect()
        await settle(mine, second, theirs, also)  # what connecting delivers is behind us
        sent = (await mine.call("send_message", {"conversationId": room, "content": "1"}))[
            "message"
        ]
        expected = {
            "conversationId": room,
            "messageIds": [sent["id"]],
            "upToSeq": None,
            "recipientIds": [bob.id],
        }
        for socket in (mine, second):
            assert await socket.wait_for("messages_delivered") == expected
        await settle(mine, second, theirs, also)

        assert len(mine.of("messages_delivered")) == len(second.of("messages_delivered")) == 1
        assert theirs.of("messages_delivered") == also.of("messages_delivered") == []
        (shown,) = await history(ada, room)
        assert {each["userId"]: each["status"] for each in shown["receipts"]} == {
            bob.id: "delivered",
            cy.id: "sent",
        }
        assert shown["receiptCounts"] == {"recipients": 2, "delivered": 1, "read": 0}


async def test_connecting_delivers_what_waited(server: Server) -> None:
    """A user's first socket delivers all that waited, told once as "up to"; a second changes
    nothing."""
    async with signed_up(server.url, "Ada Wait", "Bob Wait") as (ada, bob):
        talk = await direct(ada, bob)
        ids = [(await say(ada, talk, f"{at}"))["id"] for at in range(3)]
        assert await _statuses(ada, talk, bob) == ["sent"] * 3
        mine = await ada.connect()
        await bob.connect()
        told = await mine.wait_for("messages_delivered")
        theirs = await bob.connect()
        await settle(mine, theirs)

        assert told == {
            "conversationId": talk,
            "messageIds": ids,
            "upToSeq": 3,
            "recipientIds": [bob.id],
        }
        assert mine.of("messages_delivered") == [told]
        assert await _statuses(ada, talk, bob) == ["delivered"] * 3


async def test_opening_reads_for_senders_and_own_badges(server: Server) -> None:
    """Senders and the reader's other sockets hear of a reading, the socket that opened does not,
    nor those who said nothing; opening again says nothing."""
    async with signed_up(server.url, "Ada Read", "Bob Read", "Cy Read") as (ada, bob, cy):
        room = await group(ada, bob, cy)
        ids = [(await say(ada, room, f"{at}"))["id"] for at in range(2)]
        await say(bob, room, "mine")
        mine, third = await ada.connect(), await cy.connect()
        acting, other = await bob.connect(), await bob.connect()
        answer = await acting.call("open_conversation", {"conversationId": room})
        told = await mine.wait_for("messages_read")
        await acting.call("open_conversation", {"conversationId": room})
        await settle(mine, third, acting, other)

        assert answer == {"conversationId": room, "readSeq": 3}
        assert told == {
            "conversationId": room,
            "messageIds": ids,
            "upToSeq": 3,
            "readBy": bob.id,
            "readAt": told["readAt"],
        }
        assert mine.of("messages_read") == other.of("messages_read") == [told]
        assert acting.of("messages_read") == third.of("messages_read") == []
        assert await _statuses(ada, room, bob) == ["read", "read"]
        assert (await view(bob, room))["unreadCount"] == 0


async def test_badges_clear_while_the_sender_is_away(server: Server) -> None:
    """The reader's other sockets hear of a reading also where no sender is there to hear of it."""
    async with signed_up(server.url, "Ada Badge", "Bob Badge") as (ada, bob):
        talk = await direct(ada, bob)
        first, second = await say(ada, talk, "1"), await say(ada, talk, "2")
        acting, other = await bob.connect(), await bob.connect()
        await acting.call("mark_read", {"messageId": second["id"]})
        await acting.call("open_conversation", {"conversationId": talk})
        await settle(acting, other)

        told = [(each["messageIds"], each["upToSeq"]) for each in other.of("messages_read")]
        assert told == [([second["id"]], None), ([first["id"]], 2)]
        assert acting.of("messages_read") == []


async def test_one_message_is_read_alone(server: Server) -> None:
    """`mark_read` reads one message and no other, once; the status never goes back."""
    async with signed_up(server.url, "Ada Mark", "Bob Mark") as (ada, bob):
        talk = await direct(ada, bob)
        sent = [await say(ada, talk, f"{at}") for at in range(4)]
        mine, acting, other = await ada.connect(), await bob.connect(), await bob.connect()
        named = {"messageId": sent[2]["id"]}
        for _ in range(2):
            assert await acting.call("mark_read", named) == named
        told = await mine.wait_for("messages_read")
        await settle(mine, acting, other)

        expected = {"conversationId": talk, "messageIds": [sent[2]["id"]], "upToSeq": None}
        assert told == expected | {"readBy": bob.id, "readAt": told["readAt"]}
        assert mine.of("messages_read") == other.of("messages_read") == [told]
        assert acting.of("messages_read") == []
        statuses = ["delivered", "delivered", "read", "delivered"]
        assert await _statuses(ada, talk, bob) == statuses
        assert (await view(bob, talk))["unreadCount"] == 3
        await acting.call("mark_read", {"messageId": sent[0]["id"]})
        await acting.call("mark_read", {"messageId": sent[1]["id"]})
        assert await _statuses(ada, talk, bob) == ["read"] * 3 + ["delivered"]
        assert (await view(bob, talk))["unreadCount"] == 1
        await acting.aclose()
        await other.aclose()
        await bob.connect()
        assert await _statuses(ada, talk, bob) == ["read"] * 3 + ["delivered"]


async def test_sending_reads_nothing(server: Server) -> None:
    """Who answers has not thereby read; one's own message is nothing to read."""
    async with signed_up(server.url, "Ada Send", "Bob Send") as (ada, bob):
        talk = await direct(ada, bob)
        await say(ada, talk, "one")
        mine, theirs = await ada.connect(), await bob.connect()
        own = (await theirs.call("send_message", {"conversationId": talk, "content": "two"}))[
            "message"
        ]
        await theirs.call("mark_read", {"messageId": own["id"]})
        await settle(mine, theirs)

        assert (await view(bob, talk))["unreadCount"] == 1
        assert mine.of("messages_read") == []
        assert await _statuses(ada, talk, bob) == ["delivered"]


async def test_a_frame_lists_500_messages_and_means_all(server: Server) -> None:
    """Of more than 500 messages the newest 500 are listed, and "up to" says that all are meant."""
    async with signed_up(server.url, "Ada Lots", "Bob Lots") as (ada, bob):
        talk = await direct(ada, bob)
        mine = await ada.connect()
        draft = {"conversationId": talk, "content": "x"}
        acks = await asyncio.gather(*(mine.call("send_message", draft) for _ in range(510)))
        ids = [each["message"]["id"] for each in acks]
        theirs = await bob.connect()
        delivered = await mine.wait_for("messages_delivered")
        await theirs.call("open_conversation", {"conversationId": talk})
        read = await mine.wait_for("messages_read")

        for told in (delivered, read):
            assert (told["messageIds"], told["upToSeq"]) == (ids[-LISTED:], 510)
        assert set(await _statuses(ada, talk, bob)) == {"read"}


async def test_a_large_group_has_counts_and_no_rows(data: Path) -> None:
    """Up to 16 members a message has a row for each recipient, above that none: counts are always
    right, all rows are at /receipts, and one frame tells the sender of all who got it at once."""
    faces = await crowd(data, 16)
    ids = [each.user_id for each in faces]
    with sound_server(data.parent) as server:
        async with signed_up(server.url, "Ada Large") as (ada,), AsyncExitStack() as stack:
            small, large = [
                (await ada.post("/conversations/group", {"name": "All", "memberIds": ids[:count]}))[
                    "id"
                ]
                for count in (15, 16)
            ]
            mine = await ada.connect()
            sockets = []
            for face in faces[:10]:
                headers = {"Authorization": f"Bearer {face.token}"}
                sockets.append(await open_socket(server.socket_url, headers))
                stack.push_async_callback(sockets[-1].aclose)
                await settle(sockets[-1])  # what waited is delivered by then
            for room, rows in ((small, 15), (large, 0)):
                draft = {"conversationId": room, "content": "hello, all"}
                sent: Json = (await mine.call("send_message", draft))["message"]
                told = await mine.wait_for("messages_delivered", messageIds=[sent["id"]])
                for socket in sockets[:3]:
                    await socket.call("open_conversation", {"conversationId": room})
                (shown,) = await history(ada, room)
                path = f"/messages/{room}/{sent['id']}/receipts"
                receipts = await ada.get(path)

                assert told["recipientIds"] == sorted(ids[:10])
                assert len(sent["receipts"]) == len(shown["receipts"]) == rows
                recipients = len(receipts["items"])
                assert recipients == (15 if room == small else 16)
                assert shown["receiptCounts"] == {
                    "recipients": recipients,
                    "delivered": 10,
                    "read": 3,
                }
                statuses = {each["userId"]: each["status"] for each in receipts["items"]}
                assert [statuses[each] for each in ids[:recipients]] == (
                    ["read"] * 3 + ["delivered"] * 7 + ["sent"] * (recipients - 10)
                )
                assert receipts["next"] is None
            assert len(mine.of("messages_delivered")) == 2
