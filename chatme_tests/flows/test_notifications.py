"""Notifications: at once for who is here, kept for who is not, quiet for what is on the screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatme_tests.client import Json, User, signed_up
from chatme_tests.flows.life_talk import (
    ABSENT,
    add,
    direct,
    group,
    say,
    settle,
    sound_server,
    verdict,
)
from chatme_tests.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("notifications")) as running:
        yield running


async def _stored(user: User) -> list[Json]:
    page = await user.get("/notifications", limit=100)
    count = (await user.get("/notifications/count"))["count"]
    items: list[Json] = page["items"]
    assert count == len(items)
    return items


async def test_the_connected_hear_at_once_and_the_others_later(server: Server) -> None:
    """One message is a frame for who is here, a row for who is not, and nothing for its sender."""
    async with signed_up(server.url, "Ada Here", "Bob Here", "Cy Here") as (ada, bob, cy):
        room = await group(ada, bob, cy)
        for user in (bob, cy):
            await user.http.patch("/notifications/read-all")
        mine, theirs, also = await ada.connect(), await bob.connect(), await bob.connect()
        sent = await say(ada, room, "x" * 150)
        payload = {
            "conversationId": room,
            "messageId": sent["id"],
            "senderId": ada.id,
            "senderName": "Ada Here",
            "preview": "x" * 100,
        }
        live = {"id": None, "type": "new_message", "payload": payload}
        await settle(mine, theirs, also)

        assert theirs.of("notification") == also.of("notification") == [live]
        assert mine.of("notification") == []
        assert (await _stored(ada), await _stored(bob)) == ([], [])
        (stored,) = await _stored(cy)
        assert stored == {
            "id": stored["id"],
            "type": "new_message",
            "payload": payload,
            "isRead": False,
            "createdAt": stored["createdAt"],
        }


async def test_an_open_conversation_is_quiet_on_its_socket(server: Server) -> None:
    """What is on one socket's screen is no notification there, but is one on the others, until it
    is closed or another is opened."""
    async with signed_up(server.url, "Ada Quiet", "Bob Quiet") as (ada, bob):
        talk, room = await direct(ada, bob), await group(ada, bob)
        theirs, also = await bob.connect(), await bob.connect()

        async def heard() -> tuple[int, int]:
            before = [len(socket.of("notification")) for socket in (theirs, also)]
            await say(ada, talk, "hi")
            await settle(theirs, also)
            first, second = [
                len(socket.of("notification")) - count
                for socket, count in zip((theirs, also), before, strict=True)
            ]
            return first, second

        assert await heard() == (1, 1)
        await theirs.call("open_conversation", {"conversationId": talk})
        assert await heard() == (0, 1)
        await theirs.call("open_conversation", {"conversationId": room})
        assert await heard() == (1, 1)
        await theirs.call("open_conversation", {"conversationId": talk})
        await theirs.call("close_conversation", {"conversationId": room})
        assert await heard() == (0, 1)
        await theirs.call("close_conversation", {"conversationId": talk})
        assert await heard() == (1, 1)
        assert len(theirs.of("new_message")) == 5
        assert await _stored(bob) == []


async def test_groups_tell_who_came_and_went(server: Server) -> None:
    """Being added and being removed are notifications with who did it; leaving is none."""
    async with signed_up(server.url, "Ada Tell", "Bob Tell", "Cy Tell") as (ada, bob, cy):
        room = await group(ada, bob, name="Tea")
        await ada.http.delete(f"/conversations/{room}/members/{bob.id}")
        await add(ada, room, cy)
        await cy.post(f"/conversations/{room}/leave")
        payload = {"conversationId": room, "name": "Tea", "byId": ada.id, "byName": "Ada Tell"}

        told = [(each["type"], each["payload"]) for each in await _stored(bob)]
        assert told == [("group_removed", payload), ("group_added", payload)]
        assert [each["type"] for each in await _stored(cy)] == ["group_added"]
        assert await _stored(ada) == []


async def test_opening_reads_what_was_told_of_it(server: Server) -> None:
    """Opening a conversation reads its notifications, and no others."""
    async with signed_up(server.url, "Ada Opens", "Bob Opens") as (ada, bob):
        talk, room = await direct(ada, bob), await group(ada, bob)
        for where in (talk, room, talk):
            await say(ada, where, "hi")
        assert len(await _stored(bob)) == 4
        socket = await bob.connect()
        await socket.call("open_conversation", {"conversationId": talk})
        left = await _stored(bob)

        assert {each["payload"]["conversationId"] for each in left} == {room}
        await socket.call("open_conversation", {"conversationId": room})
        assert await _stored(bob) == []


async def test_the_routes_read_and_page(server: Server) -> None:
    """The unread are paged newest first, and read one by one or all at once, one's own only."""
    async with signed_up(server.url, "Ada Page", "Bob Page", "Eve Page") as (ada, bob, eve):
        talk = await direct(ada, bob)
        sent = [(await say(ada, talk, f"{at}"))["id"] for at in range(5)]
        first = await bob.get("/notifications", limit=2)
        rest = await bob.get("/notifications", limit=100, cursor=first["next"])
        items = first["items"] + rest["items"]

        assert [each["payload"]["messageId"] for each in items] == sent[::-1]
        assert rest["next"] is None
        path = f"/notifications/{items[0]['id']}/read"
        foreign = await eve.http.patch(path)
        absent = await bob.http.patch(f"/notifications/{ABSENT}/read")
        assert verdict(foreign) == verdict(absent) == (404, "not_found")
        read = await bob.http.patch(path)
        again = await bob.http.patch(path)
        assert read.json() == again.json() == items[0] | {"isRead": True}
        assert [each["id"] for each in await _stored(bob)] == [each["id"] for each in items[1:]]
        assert (await bob.http.patch("/notifications/read-all")).json() == {"updated": 4}
        assert (await bob.http.patch("/notifications/read-all")).json() == {"updated": 0}
        assert await _stored(bob) == []


async def test_nothing_of_a_deleted_message_stays(server: Server) -> None:
    """A deleted message's notification goes, an edited one's follows the new words."""
    async with signed_up(server.url, "Ada Words", "Bob Words") as (ada, bob):
        talk = await direct(ada, bob)
        socket = await ada.connect()
        gone, edited = await say(ada, talk, "first secret"), await say(ada, talk, "second secret")
        await socket.call("delete_message", {"messageId": gone["id"]})
        await socket.call("edit_message", {"messageId": edited["id"], "content": "y" * 120})

        (left,) = await _stored(bob)
        assert left["payload"]["messageId"] == edited["id"]
        assert left["payload"]["preview"] == "y" * 100


async def test_new_words_are_for_who_may_see_them(server: Server) -> None:
    """Who was told of a message and has left since, or blocks its sender, never reads an edit."""
    async with signed_up(server.url, "Ada Edits", "Bob Gone", "Cy Blocks") as (ada, bob, cy):
        room = await group(ada, bob, cy)
        sent = await say(ada, room, "old words")
        await ada.http.delete(f"/conversations/{room}/members/{bob.id}")
        await cy.post(f"/users/{ada.id}/block")
        socket = await ada.connect()
        await socket.call("edit_message", {"messageId": sent["id"], "content": "new words"})

        for user in (bob, cy):
            previews = [each["payload"].get("preview") for each in await _stored(user)]
            assert [each for each in previews if each] == ["old words"]


async def test_a_retried_send_is_told_once(server: Server) -> None:
    """The same message sent twice under its client's id is one row and one frame."""
    async with signed_up(server.url, "Ada Retry", "Bob Retry", "Cy Retry") as (ada, bob, cy):
        room = await group(ada, bob, cy)
        theirs = await bob.connect()
        for user in (bob, cy):
            await user.http.patch("/notifications/read-all")
        for _ in range(3):
            await say(ada, room, "once", clientId="once")
        await settle(theirs)

        assert len(await _stored(cy)) == 1
        assert len(theirs.of("notification")) == 1


async def test_a_name_is_the_display_name(server: Server) -> None:
    """A sender is named as they now call themselves, and never by their address."""
    async with signed_up(server.url, "Ada Before", "Bob Name") as (ada, bob):
        talk = await direct(ada, bob)
        await say(ada, talk, "one")
        await ada.http.patch("/users/me", json={"displayName": "Ada After"})
        await say(ada, talk, "two")

        stored = await _stored(bob)
        assert [each["payload"]["senderName"] for each in stored] == ["Ada After", "Ada Before"]
        assert ada.email not in str(stored)
