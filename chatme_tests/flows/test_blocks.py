"""Blocks: what stops at once for whoever blocks, and what comes back when they no longer do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatme_tests.client import User, signed_up
from chatme_tests.flows.life_talk import (
    ABSENT,
    direct,
    group,
    history,
    listed,
    refusal,
    roles,
    say,
    settle,
    sound_server,
    verdict,
    view,
)
from chatme_tests.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("blocks")) as running:
        yield running


async def _block(one: User, other: User) -> None:
    assert await one.post(f"/users/{other.id}/block") == {"blocked": True}


async def _unblock(one: User, other: User) -> None:
    answer = await one.http.delete(f"/users/{other.id}/block")
    assert (answer.status_code, answer.json()) == (200, {"blocked": False})


async def test_a_block_is_said_and_taken_back(server: Server) -> None:
    """Blocking and unblocking may be said twice; one blocks neither oneself nor nobody."""
    async with signed_up(server.url, "Ada Block", "Bob Block", "Cy Block") as (ada, bob, cy):
        for other in (bob, bob, cy):
            await _block(ada, other)
        blocked = (await ada.get("/users/blocked"))["items"]
        assert [each["id"] for each in blocked] == [cy.id, bob.id]
        assert {"id", "displayName", "avatar", "bio"} == set(blocked[0])
        assert (await bob.get("/users/blocked"))["items"] == []
        for _ in range(2):
            await _unblock(ada, bob)
        assert [each["id"] for each in (await ada.get("/users/blocked"))["items"]] == [cy.id]
        oneself = await ada.http.post(f"/users/{ada.id}/block")
        nobody = await ada.http.post(f"/users/{ABSENT}/block")
        assert (oneself.status_code, nobody.status_code) == (400, 404)


async def test_a_search_hides_who_blocked_the_caller(server: Server) -> None:
    """The blocked do not find who blocked them, who find the blocked; others find both."""
    async with signed_up(server.url, "Ada Xfind", "Bob Xfind", "Cy Xfind") as (ada, bob, cy):
        await _block(bob, ada)

        async def found(user: User) -> set[str]:
            items = (await user.get("/users/search", q="xfind"))["items"]
            return {each["id"] for each in items}

        assert await found(ada) == {cy.id}
        assert await found(bob) == {ada.id, cy.id}
        assert await found(cy) == {ada.id, bob.id}
        await _unblock(bob, ada)
        assert await found(ada) == {bob.id, cy.id}


async def test_the_blocked_meet_nowhere_new(server: Server) -> None:
    """No new direct conversation and no new group for the two, from either side; what exists
    stays."""
    async with signed_up(server.url, "Ada New", "Bob New", "Cy New", "Di New") as users:
        ada, bob, cy, di = users
        old = await direct(ada, bob)
        common = await group(ada, cy, di)
        shared = await group(cy, ada, bob)
        await _block(bob, ada)
        await _block(di, cy)
        for one, other in ((ada, bob), (bob, ada)):
            answer = await one.http.post("/conversations/direct", json={"userId": other.id})
            assert (answer.status_code, answer.json()["id"]) == (200, old)
            body = {"name": "No", "memberIds": [cy.id, other.id]}
            made = await one.http.post("/conversations/group", json=body)
            assert verdict(made) == (403, "blocked")
        for one, other in ((cy, di), (di, cy)):
            answer = await one.http.post("/conversations/direct", json={"userId": other.id})
            assert verdict(answer) == (403, "blocked")
        more = await ada.http.patch(
            f"/conversations/{common}/members", json={"memberIds": [bob.id]}
        )
        assert verdict(more) == (403, "blocked")
        assert set(roles(await view(ada, common))) == {ada.id, cy.id, di.id}
        assert set(roles(await view(bob, shared))) == {ada.id, bob.id, cy.id}
        await _unblock(di, cy)
        answer = await cy.http.post("/conversations/direct", json={"userId": di.id})
        assert verdict(answer) == (201, "")


async def test_messages_stop_at_once(server: Server) -> None:
    """From the block on, open sockets get nothing of the blocked: no message, no change of one, no
    typing, no notification, in a direct conversation and in a group."""
    async with signed_up(server.url, "Ada Stop", "Bob Stop", "Cy Stop") as (ada, bob, cy):
        rooms = [await direct(ada, bob), await group(ada, bob, cy)]
        olds = [await say(ada, room, "old") for room in rooms]
        mine, theirs, third = await ada.connect(), await bob.connect(), await cy.connect()
        await _block(bob, ada)
        await settle(theirs)
        before = len(theirs.frames)
        for room, old in zip(rooms, olds, strict=True):
            new = await mine.call("send_message", {"conversationId": room, "content": "new"})
            await mine.call("typing", {"conversationId": room})
            await mine.call("stop_typing", {"conversationId": room})
            for message in (old, new["message"]):
                named = {"messageId": message["id"]}
                await mine.call("edit_message", named | {"content": "other"})
                await mine.call("add_reaction", named | {"emoji": "👍"})
                await mine.call("remove_reaction", named)
                await mine.call("open_conversation", {"conversationId": room})
            await mine.call("delete_message", {"messageId": old["id"]})
        await third.call("add_reaction", {"messageId": new["message"]["id"], "emoji": "🎉"})
        await settle(mine, theirs, third)

        heard = {frame["event"] for frame in theirs.frames[before:]}
        assert heard <= {"ack", "pong"}
        assert {"new_message", "user_typing", "message_edited", "message_deleted"} <= {
            frame["event"] for frame in third.frames
        }
        notes = (await bob.get("/notifications"))["items"]
        assert [each["type"] for each in notes] == ["group_added"]


async def test_history_leaves_the_blocked_out(server: Server) -> None:
    """While a block lasts, the blocked's messages are in no history, list, count, or resume, and
    cannot be named; what was sent in a group during it comes back, in a direct conversation not."""
    async with signed_up(server.url, "Ada Hist", "Bob Hist", "Cy Hist") as (ada, bob, cy):
        talk, room = await direct(ada, bob), await group(ada, bob, cy)
        for where in (talk, room):
            await say(ada, where, "before")
        await say(cy, room, "from cy")
        await _block(bob, ada)
        during = [await say(ada, where, "during") for where in (talk, room)]

        async def seen(where: str) -> list[str]:
            return [each["content"] for each in await history(bob, where)]

        assert (await seen(talk), await seen(room)) == ([], ["from cy"])
        found = [await view(bob, where) for where in (talk, room)]
        assert [each["unreadCount"] for each in found] == [0, 1]
        assert found[0]["lastMessage"] is None
        assert found[1]["lastMessage"]["content"] == "from cy"
        assert set(await listed(bob)) == {talk, room}
        socket = await bob.connect()
        await socket.call("resume", {"conversations": {talk: 0, room: 0}})
        assert [each["content"] for each in socket.of("new_message")] == ["from cy"]
        for message in during:
            named = {"messageId": message["id"]}
            answer = {"content": "re", "replyTo": message["id"]}
            answer["conversationId"] = message["conversationId"]
            assert await refusal(socket, "mark_read", named) == "not_found"
            assert await refusal(socket, "add_reaction", named | {"emoji": "👍"}) == "not_found"
            assert await refusal(socket, "send_message", answer) == "not_found"
            path = f"/messages/{message['conversationId']}/{message['id']}/receipts"
            assert verdict(await bob.http.get(path)) == (404, "not_found")

        await _unblock(bob, ada)
        assert await seen(talk) == ["before"]
        assert await seen(room) == ["during", "from cy", "before"]
        assert [(await view(bob, where))["unreadCount"] for where in (talk, room)] == [1, 3]
        await say(ada, talk, "after")
        assert (await socket.wait_for("new_message", content="after"))["seq"] == 3
        assert await seen(talk) == ["after", "before"]


async def test_a_reply_does_not_quote_the_blocked(server: Server) -> None:
    """The words of the blocked come neither in the answer of a third to them, nor, in a direct
    conversation, in a later answer to what was sent during the block."""
    async with signed_up(server.url, "Ada Cite", "Bob Cite", "Cy Cite") as (ada, bob, cy):
        talk, room = await direct(ada, bob), await group(ada, bob, cy)
        await _block(bob, ada)
        in_room, in_talk = await say(ada, room, "rude words"), await say(ada, talk, "rude words")
        theirs, third = await bob.connect(), await cy.connect()
        answer = await say(cy, room, "well", replyTo=in_room["id"])
        live = await theirs.wait_for("new_message", id=answer["id"])
        assert (await third.wait_for("new_message"))["replyTo"]["content"] == "rude words"
        (shown,) = await history(bob, room)
        await _unblock(bob, ada)
        later = await say(ada, talk, "as I said", replyTo=in_talk["id"])
        direct_live = await theirs.wait_for("new_message", id=later["id"])
        direct_shown = await history(bob, talk)

        assert "rude words" not in str([live, shown, direct_live, direct_shown])
        assert (await history(ada, talk))[0]["replyTo"]["content"] == "rude words"
