"""Groups live: who comes, goes and decides, as every socket hears of it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatme_tests.client import Json, signed_up
from chatme_tests.flows.life_crowd import crowd
from chatme_tests.flows.life_talk import (
    add,
    group,
    history,
    listed,
    names,
    refusal,
    roles,
    say,
    settle,
    sound_server,
    verdict,
    view,
)
from chatme_tests.server import Server

RACES = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("groups")) as running:
        yield running


async def test_who_is_added_hears_everything_from_then_on(server: Server) -> None:
    """A new member gets the conversation, the others who came, and all get what is said next."""
    async with signed_up(server.url, "Ada Add", "Bob Add", "Cy Add", "Eve Add") as users:
        ada, bob, cy, _ = users
        group_id = await group(ada, bob)
        await say(ada, group_id, "before")
        sockets = [await each.connect() for each in users]
        await settle(*sockets)  # what connecting delivers is behind us
        mine, theirs, new, strange = sockets
        after = await add(ada, group_id, cy)
        again = await add(ada, group_id, cy, bob)
        created = await new.wait_for("conversation_created", id=group_id)
        shown = await view(cy, group_id)
        await say(bob, group_id, "after")
        await settle(*sockets)

        assert roles(after) == {ada.id: "admin", bob.id: "member", cy.id: "member"}
        assert again["members"] == after["members"]
        assert created == shown
        assert (created["memberCount"], created["unreadCount"], created["seq"]) == (3, 0, 1)
        expected = {
            "conversationId": group_id,
            "user": {"id": cy.id, "displayName": "Cy Add", "avatar": None, "bio": ""},
            "role": "member",
        }
        for socket in (mine, theirs, new):
            assert socket.of("member_added") == [expected]
            assert [each["content"] for each in socket.of("new_message")] == ["after"]
        assert [mine.of("conversation_created"), theirs.of("conversation_created")] == [[], []]
        assert len(new.of("conversation_created")) == 1
        assert names(strange) == []
        payload = {"conversationId": group_id, "name": "Tea", "byId": ada.id, "byName": "Ada Add"}
        told = await new.wait_for("notification", type="group_added")
        assert told == {"id": None, "type": "group_added", "payload": payload}


async def test_who_is_removed_hears_nothing_more(server: Server) -> None:
    """A removed member's open sockets get `conversation_removed`, then nothing, and all they ask
    for is not found."""
    async with signed_up(server.url, "Ada Out", "Bob Out", "Cy Out") as (ada, bob, cy):
        group_id = await group(ada, bob, cy)
        old = await say(ada, group_id, "before")
        sockets = [await each.connect() for each in (ada, bob, bob, cy)]
        mine, theirs, second, other = sockets
        await theirs.call("open_conversation", {"conversationId": group_id})
        gone = await ada.http.delete(f"/conversations/{group_id}/members/{bob.id}")
        await mine.call("send_message", {"conversationId": group_id, "content": "after"})
        await mine.call("edit_message", {"messageId": old["id"], "content": "changed"})
        await mine.call("add_reaction", {"messageId": old["id"], "emoji": "👍"})
        await mine.call("typing", {"conversationId": group_id})
        await settle(*sockets)

        assert verdict(gone) == (204, "")
        for socket in (mine, other):
            named = {"conversationId": group_id, "userId": bob.id}
            assert socket.of("member_removed") == [named]
            assert socket.of("conversation_removed") == []
        for socket in (theirs, second):
            assert socket.of("conversation_removed") == [{"conversationId": group_id}]
            last = [frame["event"] for frame in socket.frames].index("conversation_removed")
            after = {frame["event"] for frame in socket.frames[last + 1 :]}
            assert after <= {"notification", "ack", "pong"}
            assert socket.of("member_removed") == socket.of("new_message") == []
        assert [each["type"] for each in second.of("notification")] == ["group_removed"]

        named, message = {"conversationId": group_id}, {"messageId": old["id"]}
        for event, data in (
            ("send_message", named | {"content": "x"}),
            ("join_conversation", named),
            ("open_conversation", named),
            ("close_conversation", named),
            ("typing", named),
            ("stop_typing", named),
            ("mark_read", message),
            ("edit_message", message | {"content": "x"}),
            ("delete_message", message),
            ("add_reaction", message | {"emoji": "👍"}),
            ("remove_reaction", message),
        ):
            assert await refusal(theirs, event, data) == "not_found", event
        for path in ("/conversations/{}", "/conversations/{}/members", "/messages/{}"):
            assert verdict(await bob.http.get(path.format(group_id))) == (404, "not_found")
        receipts = await bob.http.get(f"/messages/{group_id}/{old['id']}/receipts")
        assert verdict(receipts) == (404, "not_found")
        assert await listed(bob) == []


async def test_nothing_overtakes_a_removal(server: Server) -> None:
    """Of what is said while a member is removed, they hear what came before it, as others saw."""
    async with signed_up(server.url, "Ada Mid", "Bob Mid", "Cy Mid") as (ada, bob, cy):
        for _ in range(RACES // 4):
            group_id = await group(ada, bob, cy)
            mine, theirs = await ada.connect(), await bob.connect()
            draft = {"conversationId": group_id, "content": "x"}
            sends = [mine.call("send_message", draft) for _ in range(10)]
            remove = ada.http.delete(f"/conversations/{group_id}/members/{bob.id}")
            await asyncio.gather(*sends[:5], remove, *sends[5:])
            await settle(mine, theirs)

            events = [frame["event"] for frame in mine.frames]
            before = events[: events.index("member_removed")].count("new_message")
            heard = [frame["event"] for frame in theirs.frames]
            assert heard[: heard.index("conversation_removed")].count("new_message") == before
            assert heard[heard.index("conversation_removed") :].count("new_message") == 0
            await mine.aclose()
            await theirs.aclose()


async def test_who_leaves_is_told_to_the_rest(server: Server) -> None:
    """Leaving ends a membership at once, and is no notification to oneself."""
    async with signed_up(server.url, "Ada Leave", "Bob Leave") as (ada, bob):
        group_id = await group(ada, bob)
        mine, theirs = await ada.connect(), await bob.connect()
        left = await bob.http.post(f"/conversations/{group_id}/leave")
        again = await bob.http.post(f"/conversations/{group_id}/leave")
        await settle(mine, theirs)

        assert (left.status_code, list(left.json())) == (200, ["message"])
        assert verdict(again) == (404, "not_found")
        assert mine.of("member_removed") == [{"conversationId": group_id, "userId": bob.id}]
        assert mine.of("conversation_updated") == []
        assert theirs.of("conversation_removed") == [{"conversationId": group_id}]
        assert theirs.of("notification") == theirs.of("member_removed") == []


async def test_the_same_people_added_twice_at_once(server: Server) -> None:
    """Ten additions of the same people at once are one: each is in it once, and told once."""
    async with signed_up(server.url, *(f"Twice {at}" for at in range(4))) as users:
        ada, bob, cy, di = users
        group_id = await group(ada, bob)
        socket = await cy.connect()
        await asyncio.gather(*(add(ada, group_id, cy, di) for _ in range(10)))
        await settle(socket)

        found = await view(ada, group_id)
        assert list(roles(found)) == [each.id for each in users]
        assert found["memberCount"] == 4
        assert len(socket.of("member_added")) == 2
        assert len(socket.of("conversation_created")) == 1
        assert len(socket.of("notification")) == 1


async def test_who_comes_back_has_read_the_past(server: Server) -> None:
    """What was said before one joined, or while one was out, is neither unread nor a receipt."""
    async with signed_up(server.url, "Ada Back", "Bob Back", "Cy Back") as (ada, bob, cy):
        group_id = await group(ada, bob, cy)
        await say(ada, group_id, "one")
        await ada.http.delete(f"/conversations/{group_id}/members/{bob.id}")
        out = await say(ada, group_id, "two")
        await add(ada, group_id, bob)
        back = await say(ada, group_id, "three")

        assert (await view(bob, group_id))["unreadCount"] == 1
        shown = {each["content"]: each for each in await history(ada, group_id)}
        assert [each["userId"] for each in shown["three"]["receipts"]] == [cy.id, bob.id]
        assert [each["userId"] for each in shown["two"]["receipts"]] == [cy.id]
        assert (out["seq"], back["seq"]) == (2, 3)


async def test_a_group_ends_at_1024(data: Path) -> None:
    """A group holds 1,024 members, shows the first 50, pages through all, and takes no more."""
    everybody = [each.user_id for each in await crowd(data, 1026)]
    with sound_server(data.parent) as server:
        async with signed_up(server.url, "Ada Many") as (ada,):
            body = {"name": "All", "memberIds": everybody[:1024]}
            over = await ada.http.post("/conversations/group", json=body)
            body["memberIds"] = everybody[:1022]
            made = await ada.post("/conversations/group", body)
            path = f"/conversations/{made['id']}/members"
            two = await ada.http.patch(path, json={"memberIds": everybody[1022:1024]})
            before = (await view(ada, made["id"]))["memberCount"]
            last = await ada.http.patch(path, json={"memberIds": everybody[1022:1023]})
            same = await ada.http.patch(path, json={"memberIds": everybody[:1023]})
            full = await ada.http.patch(path, json={"memberIds": everybody[1025:1026]})
            found: list[str] = []
            query: Json = {}
            while not found or query:
                page = await ada.get(path, limit=100, **query)
                found += [each["user"]["id"] for each in page["items"]]
                query = {"cursor": page["next"]} if page["next"] else {}
            await say(ada, made["id"], "hello, all")

    assert verdict(over) == (422, "validation_failed")
    assert (made["memberCount"], len(made["members"])) == (1023, 50)
    assert before == 1023
    assert [verdict(each) for each in (last, same)] == [(200, ""), (200, "")]
    assert (last.json()["memberCount"], same.json()["memberCount"]) == (1024, 1024)
    for refused in (two, full):
        assert verdict(refused) == (422, "validation_failed")
        assert [each["field"] for each in refused.json()["errors"]] == ["memberIds"]
    assert found == [ada.id, *everybody[:1023]]
