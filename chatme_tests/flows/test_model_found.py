"""What the simple model found, in as few words as it takes."""

from __future__ import annotations

import asyncio

from chatme_tests.client import User, signed_up
from chatme_tests.flows.life_talk import settle
from chatme_tests.server import Server


async def _tea(admin: User, *others: User) -> str:
    """A group."""
    wanted = {"name": "Tea", "memberIds": [each.id for each in others]}
    return str((await admin.post("/conversations/group", wanted))["id"])


async def test_a_blocked_sender_stays_hidden_after_leaving(server: Server) -> None:
    """What somebody said whom one blocks does not show when they leave the group."""
    async with signed_up(server.url, "Ada Left", "Bob Left", "Cy Left") as (ada, bob, cy):
        tea = await _tea(ada, bob, cy)
        await cy.post(f"/messages/{tea}", {"content": "fine"})
        await bob.post(f"/messages/{tea}", {"content": "before"})
        await ada.post(f"/users/{bob.id}/block")
        await bob.post(f"/messages/{tea}", {"content": "withheld"})
        await bob.post(f"/conversations/{tea}/leave")
        seen = (await ada.get(f"/messages/{tea}"))["items"]
        view = await ada.get(f"/conversations/{tea}")

        assert [each["content"] for each in seen] == ["fine"]
        assert (view["lastMessage"]["content"], view["unreadCount"]) == ("fine", 1)


async def test_an_ack_is_not_older_than_what_was_told(server: Server) -> None:
    """Who reads a message before its sender has the ack, is in the ack."""
    async with signed_up(server.url, "Ada Ack", "Bob Ack", "Cy Ack") as (ada, bob, cy):
        tea = await _tea(ada, bob, cy)
        mine, theirs = await ada.connect(), await bob.connect()
        for at in range(20):
            draft = {"conversationId": tea, "content": f"{at}"}
            sending = asyncio.create_task(mine.call("send_message", draft))
            await theirs.wait_for("new_message", seq=at + 1)
            await theirs.call("open_conversation", {"conversationId": tea})
            await sending
        told = set()
        for frame in mine.frames:
            if frame["event"] == "messages_read":
                told.update(frame["data"]["messageIds"])
            elif frame["event"] == "ack" and frame["data"]["message"]["id"] in told:
                assert frame["data"]["message"]["receiptCounts"]["read"] == 1

        assert len(told) == 20


async def test_who_blocks_reads_nothing_of_the_other(server: Server) -> None:
    """Opening a direct conversation with somebody whom one blocks is nothing that they can see,
    and leaves unread what was unread before the block."""
    async with signed_up(server.url, "Ada Shut", "Bob Shut") as (ada, bob):
        talk = (await ada.post("/conversations/direct", {"userId": bob.id}))["id"]
        before = await bob.post(f"/messages/{talk}", {"content": "before"})
        await ada.post(f"/users/{bob.id}/block")
        await bob.post(f"/messages/{talk}", {"content": "withheld"})
        mine = await ada.connect()
        answer = await mine.call("open_conversation", {"conversationId": talk})
        (marks,) = [
            (each["deliveredSeq"], each["readSeq"])
            for each in (await bob.get(f"/conversations/{talk}"))["members"]
            if each["user"]["id"] == ada.id
        ]
        receipts = await bob.get(f"/messages/{talk}/{before['id']}/receipts")
        await ada.http.delete(f"/users/{bob.id}/block")

        assert (answer["readSeq"], marks) == (0, (0, 0))
        assert receipts["items"] == [{"userId": ada.id, "status": "sent"}]
        assert (await ada.get(f"/conversations/{talk}"))["unreadCount"] == 1


async def test_what_shows_after_a_block_clears_every_badge(server: Server) -> None:
    """Reading what was withheld in a group is told to the reader's other sockets alone."""
    async with signed_up(server.url, "Ada Badge", "Bob Badge") as (ada, bob):
        tea = await _tea(ada, bob)
        await ada.post(f"/users/{bob.id}/block")
        await bob.post(f"/messages/{tea}", {"content": "withheld"})
        await ada.http.delete(f"/users/{bob.id}/block")
        one, other, theirs = await ada.connect(), await ada.connect(), await bob.connect()
        assert (await ada.get(f"/conversations/{tea}"))["unreadCount"] == 1
        await one.call("open_conversation", {"conversationId": tea})
        await settle(other, theirs)

        assert (await ada.get(f"/conversations/{tea}"))["unreadCount"] == 0
        assert [(each["readBy"], each["upToSeq"]) for each in other.of("messages_read")] == [
            (ada.id, 1)
        ]
        assert one.of("messages_read") == theirs.of("messages_read") == []
