"""Every frame that the real server sends is as its AsyncAPI document says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chatme_tests.client import Json, Refused, User, signed_up
from chatme_tests.flows.witness import Court, Witness
from chatme_tests.server import Server

ABSENT = "65f0c0ffee65f0c0ffee65f0"


async def test_every_frame_is_as_the_document_says(data: Path) -> None:
    """Whatever three users do, every frame fits the document, and each of its messages is seen."""
    with Server(data, {"WS_RATE": ""}) as server:
        court = await Court.of(server)
        async with signed_up(server.url, "Ada Doc", "Bob Doc", "Cy Doc") as (ada, bob, cy):
            mine, theirs = await _sign_in(court, ada), await court.call_in(bob)
            talk = await ada.post("/conversations/direct", {"userId": bob.id})
            await _talk(mine, theirs, talk)
            await _change(mine, theirs, talk)
            await _presence(court, theirs, cy)
            await _group(mine, theirs, (ada, bob, cy))
            await _block(court, theirs, bob, cy)
            await _fail(court, server, mine, theirs, talk)
            await _resume(court, ada, mine, talk)
            assert await asyncio.to_thread(server.stop) == 0
            codes = {await each.wait_closed() for each in (mine, theirs)}
    await court.aclose()
    await _expire(court, data.with_name("short"))

    assert court.faults() == []
    assert court.sendable() - court.seen() == set()
    assert codes == {1012}
    assert codes <= court.close_codes()


async def _sign_in(court: Court, user: User) -> Witness:
    """A first frame signs in; a ping works before and after, and a newer token is taken."""
    socket = await court.open(user.socket_url)
    await socket.call("ping")
    await socket.call("auth", {"token": user.token})
    await socket.wait_for("connected")
    await socket.call("auth", {"token": user.token})
    await socket.send("ping")
    return socket


async def _talk(mine: Witness, theirs: Witness, talk: Json) -> None:
    """Typing, sending, replying, opening, reading."""
    named = {"conversationId": talk["id"]}
    await theirs.wait_for("conversation_created", id=talk["id"])
    await mine.call("typing", named)
    await theirs.wait_for("user_typing")
    await mine.call("stop_typing", named)
    await theirs.wait_for("user_stopped_typing")
    first = await mine.call("send_message", {**named, "content": "Hi ☕", "clientId": "c-1"})
    await theirs.wait_for("new_message", id=first["message"]["id"])
    await theirs.wait_for("notification", type="new_message")
    await mine.wait_for("messages_delivered")
    reply = {**named, "type": "text", "content": "Ho", "replyTo": first["message"]["id"]}
    await theirs.call("send_message", reply)
    await theirs.call("mark_read", {"messageId": first["message"]["id"]})
    await mine.wait_for("messages_read", upToSeq=None)
    await mine.call("send_message", {**named, "content": "Hey"})
    await theirs.call("join_conversation", named)
    await theirs.wait_for("joined", **named)
    await theirs.call("open_conversation", named)
    await mine.until(lambda frame: frame["event"] == "messages_read" and frame["data"]["upToSeq"])
    await theirs.call("close_conversation", named)


async def _change(mine: Witness, theirs: Witness, talk: Json) -> None:
    """Editing, reacting, deleting."""
    named = {"conversationId": talk["id"]}
    sent = await mine.call("send_message", {**named, "content": "Helo"})
    message = {"messageId": sent["message"]["id"]}
    await mine.call("edit_message", {**message, **named, "content": "Hello"})
    await theirs.wait_for("message_edited", content="Hello")
    await theirs.call("add_reaction", {**message, "emoji": "👍🏽"})
    await mine.wait_for("message_reaction_added", emoji="👍🏽")
    await theirs.call("remove_reaction", message)
    await mine.wait_for("message_reaction_removed")
    await mine.call("delete_message", message)
    await theirs.wait_for("message_deleted")


async def _presence(court: Court, theirs: Witness, cy: User) -> None:
    """A partner comes and goes."""
    bob = theirs.frames[0]["data"]["userId"]
    await cy.post("/conversations/direct", {"userId": bob})
    socket = await court.call_in(cy)
    await theirs.wait_for("user_online", userId=cy.id)
    await socket.aclose()
    await theirs.wait_for("user_offline", userId=cy.id)


async def _group(mine: Witness, theirs: Witness, users: tuple[User, User, User]) -> None:
    """A group is made, renamed, left, joined, given away and deleted from a list."""
    ada, bob, cy = users
    wanted = {"name": "Tea", "memberIds": [bob.id, cy.id]}
    group = await ada.post("/conversations/group", wanted)
    path = f"/conversations/{group['id']}"
    named = {"conversationId": group["id"]}
    await theirs.wait_for("notification", type="group_added")
    await mine.call("send_message", {**named, "content": "To all"})
    await _patch(ada, path, {"name": "Coffee"})
    await theirs.wait_for("conversation_updated", name="Coffee")
    await _patch(ada, f"{path}/members/{bob.id}", {"role": "admin"})
    assert (await ada.http.delete(f"{path}/members/{bob.id}")).status_code == 204
    await theirs.wait_for("conversation_removed", **named)
    await theirs.wait_for("notification", type="group_removed")
    await mine.wait_for("member_removed", userId=bob.id)
    await _patch(ada, f"{path}/members", {"memberIds": [bob.id]})
    await mine.wait_for("member_added", **named)
    await cy.post(f"{path}/leave")
    await theirs.wait_for("member_removed", userId=cy.id)
    assert (await ada.http.delete(path)).status_code == 204
    await mine.wait_for("conversation_removed", **named)


async def _block(court: Court, theirs: Witness, bob: User, cy: User) -> None:
    """What a blocked user sends is acked to them and hidden from the blocker."""
    talk = await cy.post("/conversations/direct", {"userId": bob.id})
    await bob.post(f"/users/{cy.id}/block")
    socket = await court.call_in(cy)
    sent = await socket.call("send_message", {"conversationId": talk["id"], "content": "Psst"})
    await socket.call("typing", {"conversationId": talk["id"]})
    assert (await bob.http.delete(f"/users/{cy.id}/block")).is_success
    after = await socket.call("send_message", {"conversationId": talk["id"], "content": "Again"})
    await theirs.wait_for("new_message", id=after["message"]["id"])
    assert sent["message"]["id"] not in [each["id"] for each in theirs.of("new_message")]


async def _fail(court: Court, server: Server, mine: Witness, theirs: Witness, talk: Json) -> None:
    """Frames that cannot be worked, each in its own way."""
    message = {"messageId": talk["id"], "content": "x"}
    foreign = {**message, "messageId": mine.of("new_message")[0]["id"]}
    for code, event, data in (
        ("not_found", "send_message", {"conversationId": ABSENT, "content": "x"}),
        ("not_found", "edit_message", message),
        ("forbidden", "edit_message", foreign),
        ("unknown_event", "sing", {}),
        ("validation_failed", "send_message", {"content": "x"}),
        ("validation_failed", "send_message", {"conversationId": talk["id"], "clientId": ""}),
        ("validation_failed", "send_message", {"conversationId": talk["id"], "replyTo": None}),
        ("validation_failed", "mark_read", {"messageId": 7}),
        ("validation_failed", "resume", {"conversations": {ABSENT: -1}}),
        ("validation_failed", "auth", {"token": ""}),
    ):
        with pytest.raises(Refused) as refused:
            await theirs.call(event, data)
        assert refused.value.code == code, (event, data)
    for text in ("{", "[]", '{"event": 7}', '{"event": "ping", "id": null}'):
        await theirs.connection.send(text)
    stranger = await court.open(server.socket_url)
    with pytest.raises(Refused):
        await stranger.call("typing", {"conversationId": talk["id"]})
    with pytest.raises(Refused):
        await stranger.call("auth", {"token": "nonsense"})
    assert await stranger.wait_closed() == 4401
    await theirs.call("ping")
    assert len([each for each in theirs.of("error") if each["code"] == "bad_frame"]) == 4


async def _resume(court: Court, ada: User, mine: Witness, talk: Json) -> None:
    """What came and what changed since is sent again."""
    named = {"conversationId": talk["id"]}
    old = (await mine.call("send_message", {**named, "content": "old"}))["message"]
    await mine.call("send_message", {**named, "content": "new"})
    await mine.call("edit_message", {"messageId": old["id"], "content": "older"})
    socket = await court.call_in(ada)
    await socket.call("resume")
    answer = await socket.call("resume", {"conversations": {talk["id"]: old["rev"]}})
    assert answer["complete"]
    await socket.wait_for("message_updated", content="older")


async def _expire(court: Court, data: Path) -> None:
    """A token that runs out soon is warned of, and too many frames are refused."""
    with Server(data, {"JWT_EXPIRES_IN": "50s", "WS_RATE": "1/second"}) as server:
        async with signed_up(server.url, "Ada Late") as (ada,):
            socket = await court.call_in(ada)
            await socket.wait_for("token_expiring")
            for _ in range(5):
                await socket.send("ping")
            error = await socket.wait_for("error", code="rate_limited")
            assert error["retryAfter"] > 0
            await socket.aclose()


async def _patch(user: User, path: str, body: Json) -> None:
    response = await user.http.patch(path, json=body)
    assert response.is_success, response.text
