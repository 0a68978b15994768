"""Two people register, connect and talk."""

from __future__ import annotations

import asyncio

import pytest

from chatme_tests.client import Refused, open_socket, signed_up
from chatme_tests.server import Server

ABSENT = "65f0c0ffee65f0c0ffee65f0"


async def test_a_message_reaches_both_and_is_acked(server: Server) -> None:
    """What one says is acked to them and heard by both, as the same message."""
    async with signed_up(server.url, "Ada Talk", "Bob Talk") as (ada, bob):
        talk = await ada.post("/conversations/direct", {"userId": bob.id})
        mine, theirs = await ada.connect(), await bob.connect()

        ack = await mine.call("send_message", {"conversationId": talk["id"], "content": "Hi ☕"})
        heard = await theirs.wait_for("new_message")

        assert heard == ack["message"]
        assert heard == await mine.wait_for("new_message")
        assert (heard["seq"], heard["rev"], heard["content"]) == (1, 1, "Hi ☕")
        assert {"id": ada.id, "displayName": "Ada Talk", "avatar": None, "bio": ""} == heard[
            "sender"
        ]
        assert [{"userId": bob.id, "status": "sent"}] == heard["receipts"]
        assert heard["receiptCounts"] == {"recipients": 1, "delivered": 0, "read": 0}


async def test_a_conversation_tells_both_that_it_was_made(server: Server) -> None:
    """Who is named in a new conversation hears of it at once, by direct and group alike."""
    async with signed_up(server.url, "Ada New", "Bob New", "Cy New") as (ada, bob, cy):
        theirs = await bob.connect()
        direct = await ada.post("/conversations/direct", {"userId": bob.id})
        group = await ada.post(
            "/conversations/group", {"name": " Tea ", "memberIds": [bob.id, cy.id, bob.id]}
        )

        assert direct == await theirs.wait_for("conversation_created", id=direct["id"])
        assert group == await theirs.wait_for("conversation_created", id=group["id"])
        assert (group["type"], group["name"], group["memberCount"]) == ("group", "Tea", 3)
        assert [each["role"] for each in group["members"]] == ["admin", "member", "member"]


async def test_history_goes_both_ways(server: Server) -> None:
    """A history is read page by page, towards the past and towards the present."""
    async with signed_up(server.url, "Ada History", "Bob History") as (ada, bob):
        talk = await ada.post("/conversations/direct", {"userId": bob.id})
        path = f"/messages/{talk['id']}"
        sent = [await ada.post(path, {"content": f"number {at}"}) for at in range(1, 8)]

        newest = await bob.get(path, limit=3)
        older = await bob.get(path, limit=3, before=newest["next"])
        oldest = await bob.get(path, limit=3, before=older["next"])
        forward = await bob.get(path, limit=3, after=sent[1]["id"])
        onward = await bob.get(path, limit=3, after=forward["next"])
        between = await bob.get(path, after=sent[1]["id"], before=sent[5]["id"])

        assert [each["seq"] for each in newest["items"]] == [7, 6, 5]
        assert [each["seq"] for each in older["items"]] == [4, 3, 2]
        assert ([each["seq"] for each in oldest["items"]], oldest["next"]) == ([1], None)
        assert [each["seq"] for each in forward["items"]] == [5, 4, 3]
        assert ([each["seq"] for each in onward["items"]], onward["next"]) == ([7, 6], None)
        assert [each["seq"] for each in between["items"]] == [5, 4, 3]


async def test_a_reply_shows_what_it_answers(server: Server) -> None:
    """A reply carries the answered message in short; one to elsewhere is not accepted."""
    async with signed_up(server.url, "Ada Reply", "Bob Reply", "Cy Reply") as (ada, bob, cy):
        talk = await ada.post("/conversations/direct", {"userId": bob.id})
        other = await ada.post("/conversations/direct", {"userId": cy.id})
        path = f"/messages/{talk['id']}"
        long = await ada.post(path, {"content": "x" * 200})
        reply = await bob.post(path, {"content": "yes", "replyTo": long["id"]})
        foreign = await ada.http.post(
            f"/messages/{other['id']}", json={"content": "no", "replyTo": long["id"]}
        )

        expected = {
            "id": long["id"],
            "senderId": ada.id,
            "type": "text",
            "content": "x" * 100,
        }
        assert expected == reply["replyTo"]
        assert expected == (await ada.get(path))["items"][0]["replyTo"]
        assert foreign.status_code == 404


async def test_the_same_client_id_is_the_same_message(server: Server) -> None:
    """A message sent again under its client's id is acked as the first, and heard once."""
    async with signed_up(server.url, "Ada Once", "Bob Once") as (ada, bob):
        talk = await ada.post("/conversations/direct", {"userId": bob.id})
        draft = {"conversationId": talk["id"], "content": "once", "clientId": "c-1"}
        first, second, theirs = await ada.connect(), await ada.connect(), await bob.connect()

        acks = await asyncio.gather(
            *(socket.call("send_message", draft) for socket in (first, second) * 5)
        )
        last = await ada.post(f"/messages/{talk['id']}", {"content": "after"})
        await theirs.wait_for("new_message", id=last["id"])

        assert len({ack["message"]["id"] for ack in acks}) == 1
        assert [each["content"] for each in theirs.of("new_message")] == ["once", "after"]
        assert last["seq"] == 2


async def test_lists_show_the_newest_first(server: Server) -> None:
    """Conversations are listed by their last message, with what is unread, page by page."""
    async with signed_up(server.url, "Ada List", "Bob List", "Cy List", "Di List") as users:
        ada, *others = users
        talks = [await ada.post("/conversations/direct", {"userId": each.id}) for each in others]
        for user, talk in zip(others, talks, strict=True):
            await user.post(f"/messages/{talk['id']}", {"content": f"from {user.name}"})
        await others[0].post(f"/messages/{talks[0]['id']}", {"content": "again"})
        await ada.post(f"/messages/{talks[0]['id']}", {"content": "my own"})

        first = await ada.get("/conversations", limit=2)
        rest = await ada.get("/conversations", limit=2, cursor=first["next"])

        listed = first["items"] + rest["items"]
        assert [talks[0]["id"], talks[2]["id"], talks[1]["id"]] == [each["id"] for each in listed]
        assert [each["unreadCount"] for each in listed] == [2, 1, 1]
        assert listed[0]["lastMessage"]["content"] == "my own"
        assert listed[0]["lastMessage"]["createdAt"] == listed[0]["lastMessageAt"]
        assert None is rest["next"]
        assert listed[0] == await ada.get(f"/conversations/{talks[0]['id']}")


async def test_opening_reads_everything(server: Server) -> None:
    """Opening a conversation leaves nothing unread in it, and joining confirms membership."""
    async with signed_up(server.url, "Ada Open", "Bob Open") as (ada, bob):
        talk = await ada.post("/conversations/direct", {"userId": bob.id})
        for at in range(3):
            await ada.post(f"/messages/{talk['id']}", {"content": f"m{at}"})
        socket = await bob.connect()
        named = {"conversationId": talk["id"]}

        assert (await bob.get(f"/conversations/{talk['id']}"))["unreadCount"] == 3
        assert named == await socket.call("join_conversation", named)
        assert named == await socket.wait_for("joined")
        assert named | {"readSeq": 3} == await socket.call("open_conversation", named)
        assert (await bob.get(f"/conversations/{talk['id']}"))["unreadCount"] == 0
        statuses = {
            row["status"]
            for row in (await ada.get(f"/messages/{talk['id']}"))["items"][0]["receipts"]
        }
        assert {"read"} == statuses
        assert named == await socket.call("close_conversation", named)


async def test_members_are_paged(server: Server) -> None:
    """A group's members are listed page by page, longest-standing first."""
    async with signed_up(server.url, *(f"Member {at}" for at in range(5))) as users:
        group = await users[0].post(
            "/conversations/group", {"name": "Five", "memberIds": [each.id for each in users[1:]]}
        )
        path = f"/conversations/{group['id']}/members"
        first = await users[1].get(path, limit=3)
        rest = await users[1].get(path, limit=3, cursor=first["next"])

        found = [each["user"]["id"] for each in first["items"] + rest["items"]]
        assert [each.id for each in users] == found
        assert None is rest["next"]


async def test_strangers_see_nothing(server: Server) -> None:
    """What is not the caller's looks like what does not exist, on both doors."""
    async with signed_up(server.url, "Ada Secret", "Bob Secret", "Eve Secret") as (ada, bob, eve):
        talk = await ada.post("/conversations/direct", {"userId": bob.id})
        await ada.post(f"/messages/{talk['id']}", {"content": "secret"})
        socket = await eve.connect()
        answers = []
        for wanted in (talk["id"], ABSENT):
            for path in ("/conversations/{}", "/conversations/{}/members", "/messages/{}"):
                response = await eve.http.get(path.format(wanted))
                answers.append((response.status_code, response.json()["code"]))
            posted = await eve.http.post(f"/messages/{wanted}", json={"content": "hi"})
            answers.append((posted.status_code, posted.json()["code"]))
            for event in ("send_message", "open_conversation", "join_conversation"):
                with pytest.raises(Refused) as refused:
                    await socket.call(event, {"conversationId": wanted, "content": "hi"})
                answers.append((404, refused.value.code))
        await ada.post(f"/messages/{talk['id']}", {"content": "more"})

        assert {(404, "not_found")} == set(answers)
        assert (await eve.get("/conversations"))["items"] == []
        assert socket.of("new_message") == []


async def test_three_ways_to_sign_in(server: Server) -> None:
    """A socket is signed in by its header, by its query, or by its first frame."""
    async with signed_up(server.url, "Ada Ways") as (ada,):
        by_header = await ada.connect()
        by_query = await open_socket(f"{server.socket_url}?token={ada.token}")
        by_frame = await open_socket(server.socket_url)
        answer = await by_frame.call("auth", {"token": ada.token})

        assert {"userId": ada.id} == answer
        for socket in (by_header, by_query, by_frame):
            hello = await socket.wait_for("connected")
            assert (ada.id, 25) == (hello["userId"], hello["heartbeatInterval"])
        assert await by_query.call("ping") == {}
        assert await by_query.wait_for("pong") == {}
        assert ada.token not in server.read_log()
        await by_query.aclose()
        await by_frame.aclose()


async def test_bad_tokens_close_after_the_upgrade(server: Server) -> None:
    """A token that is not genuine closes the socket with 4401, however it came."""
    by_header = await open_socket(server.socket_url, {"Authorization": "Bearer nonsense"})
    by_query = await open_socket(f"{server.socket_url}?token=nonsense")
    by_frame = await open_socket(server.socket_url)
    with pytest.raises(Refused) as refused:
        await by_frame.call("auth", {"token": "nonsense"})

    assert refused.value.code == "not_authenticated"
    for socket in (by_header, by_query, by_frame):
        assert await socket.wait_closed() == 4401


async def test_conversations_are_found_by_name(server: Server) -> None:
    """A group is found by its name, a direct conversation by the other's, among one's own."""
    async with signed_up(server.url, "Ada Seeks", "Teapot Bob", "Cy Else") as (ada, bob, cy):
        direct = await ada.post("/conversations/direct", {"userId": bob.id})
        group = await ada.post("/conversations/group", {"name": "TEAtime", "memberIds": [cy.id]})
        await bob.post("/conversations/group", {"name": "tea secrets", "memberIds": [cy.id]})
        await ada.post(f"/messages/{direct['id']}", {"content": "newest"})
        found = await ada.get("/conversations/search", q=" tea ")

        assert [each["id"] for each in found["items"]] == [direct["id"], group["id"]]
        assert (await bob.get("/conversations/search", q="teapot"))["items"] == []
        assert (await ada.get("/conversations/search", q="t"))["items"] == []
