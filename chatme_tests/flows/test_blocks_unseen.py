"""The blocked cannot tell: all they see is what somebody sees whose partner is simply away."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from chatme_tests.client import Json, User, signed_up
from chatme_tests.flows.life_talk import (
    direct,
    group,
    history,
    refusal,
    say,
    settle,
    sound_server,
    verdict,
    view,
)
from chatme_tests.server import Server

VOLATILE = ("createdAt", "editedAt", "lastMessageAt", "readAt", "serverTime", "connectionId")
AWAY = {"isOnline": False, "lastSeenAt": None}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("unseen")) as running:
        yield running


def _bare(value: object, names: dict[str, str]) -> object:
    """A value without times, and with ids replaced by the order in which they first came."""
    if isinstance(value, dict):
        return {
            key: "time" if key in VOLATILE and each else _bare(each, names)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_bare(each, names) for each in value]
    if isinstance(value, str) and len(value) == 24:
        return names.setdefault(value, f"id {len(names)}")
    return value


async def _life(ada: User, bob: User, room: str) -> str:
    """All that Ada does in a room and all that she sees of it, ids and times aside."""
    socket = await ada.connect()
    seen: list[object] = []
    named = {"conversationId": room}
    for at in range(2):
        draft = named | {"content": f"hello {at}", "clientId": f"{room} {at}"}
        sent = (await socket.call("send_message", draft))["message"]
        seen += [sent, await socket.call("send_message", draft)]
    message = {"messageId": sent["id"]}
    for event, data in (
        ("typing", named),
        ("stop_typing", named),
        ("edit_message", message | {"content": "other words"}),
        ("add_reaction", message | {"emoji": "👍"}),
        ("remove_reaction", message),
        ("mark_read", message),
        ("open_conversation", named),
        ("send_message", named | {"content": "re", "replyTo": sent["id"]}),
        ("delete_message", message),
        ("resume", {"conversations": {room: 0}}),
        ("close_conversation", named),
    ):
        answer = await socket.call(event, data)
        seen.append(answer["conversations"][room] if event == "resume" else answer)
    seen.append(await say(ada, room, "by post"))
    seen.append(await history(ada, room))
    seen.append(await view(ada, room))
    seen.append(await ada.get(f"/messages/{room}/{sent['id']}/receipts"))
    seen.append(await ada.get(f"/users/{bob.id}"))
    seen.append(await ada.http.post(f"/users/{bob.id}/block") and "blocked")
    await ada.http.delete(f"/users/{bob.id}/block")
    await settle(socket)
    told = [frame for frame in socket.frames if frame["data"].get("conversationId") == room]
    seen += [frame for frame in told if frame["event"] != "ack"]
    names: dict[str, str] = {ada.id: "ada", bob.id: "bob", room: "room"}
    text = json.dumps(_bare(seen, names), indent=1)
    return text.replace(bob.name, "Bob").replace(room, "room")


@pytest.mark.parametrize("grouped", [False, True], ids=["direct", "group"])
async def test_every_answer_is_the_same(server: Server, grouped: bool) -> None:
    """Each answer, event and view of a blocked user is, letter for letter, that of one whose
    partner is away."""
    kind = "group" if grouped else "pair"
    async with signed_up(server.url, f"Ada {kind}", f"Bob {kind}", f"Cy {kind}") as (ada, bob, cy):
        make = group if grouped else direct
        free, shut = await make(ada, cy), await make(ada, bob)
        await bob.post(f"/users/{ada.id}/block")
        unblocked = await _life(ada, cy, free)
        blocked = await _life(ada, bob, shut)

        assert unblocked == blocked


async def test_receipts_stay_sent(server: Server) -> None:
    """Whatever the blocker does, connected or not, reading or not, blocking or no longer, what was
    sent during the block stays sent, in every view of the sender."""
    async with signed_up(server.url, "Ada Sent", "Bob Sent", "Cy Sent") as (ada, bob, cy):
        talk, room = await direct(ada, bob), await group(ada, bob, cy)
        await bob.post(f"/users/{ada.id}/block")
        mine, third = await ada.connect(), await cy.connect()
        early = [await say(ada, where, "early") for where in (talk, room)]
        theirs = await bob.connect()
        late = [await say(ada, where, "late") for where in (talk, room)]
        for where in (talk, room):
            await theirs.call("open_conversation", {"conversationId": where})
        await third.call("open_conversation", {"conversationId": room})
        await mine.wait_for("messages_read", readBy=cy.id)

        async def check() -> None:
            for message in early + late:
                path = f"/messages/{message['conversationId']}/{message['id']}/receipts"
                rows = {each["userId"]: each["status"] for each in (await ada.get(path))["items"]}
                assert rows[bob.id] == "sent", message
            for where, counts in (
                (talk, {"recipients": 1, "delivered": 0, "read": 0}),
                (room, {"recipients": 2, "delivered": 1, "read": 1}),
            ):
                shown = await history(ada, where)
                assert [each["receiptCounts"] for each in shown[-2:]] == [counts, counts]

        await check()
        await bob.http.delete(f"/users/{ada.id}/block")
        again = await bob.connect()
        for where in (talk, room):
            new = await say(ada, where, "new")
            got = await mine.wait_for("messages_delivered", messageIds=[new["id"]])
            assert bob.id in got["recipientIds"]
            await again.call("open_conversation", {"conversationId": where})
            read = await mine.wait_for("messages_read", readBy=bob.id, conversationId=where)
            assert (read["messageIds"], read["upToSeq"]) == ([new["id"]], None)
        await check()
        heard = [
            bob.id in (each["recipientIds"] if "recipientIds" in each else [each["readBy"]])
            for event in ("messages_delivered", "messages_read")
            for each in mine.of(event)
        ]
        assert heard.count(True) == 4


async def test_presence_and_typing_are_hidden_both_ways(server: Server) -> None:
    """Neither of two who are at odds hears that the other came or writes, in any conversation."""
    async with signed_up(server.url, "Ada Hide", "Bob Hide", "Cy Hide") as (ada, bob, cy):
        talk, room = await direct(ada, bob), await group(cy, ada, bob)
        await direct(cy, bob)
        await bob.post(f"/users/{ada.id}/block")
        mine, third = await ada.connect(), await cy.connect()
        for where in (talk, room):
            await mine.call("open_conversation", {"conversationId": where})
        theirs = await bob.connect()
        await third.wait_for("user_online", userId=bob.id)
        for where in (talk, room):
            await theirs.call("open_conversation", {"conversationId": where})
            for socket in (mine, theirs):
                await socket.call("typing", {"conversationId": where})
        await third.wait_for("user_typing", userId=bob.id)
        await third.wait_for("user_typing", userId=ada.id)
        await settle(mine, theirs)

        assert await ada.get(f"/users/{bob.id}/presence") == AWAY
        assert (await bob.get(f"/users/{ada.id}/presence"))["isOnline"] is True
        for socket in (mine, theirs):
            for event in ("user_online", "user_typing", "user_stopped_typing"):
                strange = [each for each in socket.of(event) if each["userId"] != cy.id]
                assert strange == [], event

        await bob.http.delete(f"/users/{ada.id}/block")
        assert (await ada.get(f"/users/{bob.id}/presence"))["isOnline"] is True
        await theirs.call("stop_typing", {"conversationId": talk})
        await theirs.call("typing", {"conversationId": talk})
        assert await mine.wait_for("user_typing") == {"conversationId": talk, "userId": bob.id}


async def test_a_block_in_between_ends_what_was_seen(server: Server) -> None:
    """A block hides what is under way as well: who was seen writing is not seen stopping."""
    async with signed_up(server.url, "Ada Way", "Bob Way") as (ada, bob):
        talk = await direct(ada, bob)
        mine, theirs = await ada.connect(), await bob.connect()
        await mine.call("typing", {"conversationId": talk})
        await theirs.wait_for("user_typing", userId=ada.id)
        await bob.post(f"/users/{ada.id}/block")
        await mine.call("stop_typing", {"conversationId": talk})
        await settle(theirs)

        assert theirs.of("user_stopped_typing") == []


async def test_who_blocks_may_still_write(server: Server) -> None:
    """What the blocker says in a conversation that exists comes to the blocked like anybody's."""
    async with signed_up(server.url, "Ada Mute", "Bob Mute") as (ada, bob):
        talk = await direct(ada, bob)
        await bob.post(f"/users/{ada.id}/block")
        mine, theirs = await ada.connect(), await bob.connect()
        sent = (await theirs.call("send_message", {"conversationId": talk, "content": "hi"}))[
            "message"
        ]
        heard: Json = await mine.wait_for("new_message")
        note = await mine.wait_for("notification", type="new_message")
        assert await refusal(mine, "mark_read", {"messageId": sent["id"]}) != "not_found"

        assert heard == sent
        assert note["payload"]["messageId"] == sent["id"]
        assert verdict(await ada.http.get(f"/conversations/{talk}")) == (200, "")
