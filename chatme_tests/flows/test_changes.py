"""What happens to a message after it was sent: edits, deletion and reactions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from chatme_tests.client import Json, Socket, signed_up
from chatme_tests.flows.life_talk import (
    ABSENT,
    direct,
    group,
    history,
    refusal,
    say,
    settle,
    sound_server,
    view,
)
from chatme_tests.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("changes")) as running:
        yield running


async def _same_for_all(event: str, *sockets: Socket) -> list[Json]:
    """What came of an event, which must be the same on all sockets."""
    await settle(*sockets)
    found = [socket.of(event) for socket in sockets]
    assert all(each == found[0] for each in found)
    return found[0]


async def test_an_edit_is_told_to_all(server: Server) -> None:
    """An edit has the next revision, is heard on every member's socket and shown everywhere."""
    async with signed_up(server.url, "Ada Edit", "Bob Edit") as (ada, bob):
        talk = await direct(ada, bob)
        first, second = await say(ada, talk, "one"), await say(ada, talk, "two")
        sockets = [await ada.connect(), await ada.connect(), await bob.connect()]
        ack = await sockets[0].call("edit_message", {"messageId": first["id"], "content": "1 ☕"})
        (told,) = await _same_for_all("message_edited", *sockets)

        changed = ack["message"]
        assert told == {
            "conversationId": talk,
            "messageId": first["id"],
            "rev": 3,
            "content": "1 ☕",
            "editedAt": changed["editedAt"],
        }
        assert (changed["content"], changed["isEdited"], changed["rev"]) == ("1 ☕", True, 3)
        assert (changed["seq"], changed["createdAt"]) == (1, first["createdAt"])
        assert (second["isEdited"], second["editedAt"]) == (False, None)
        shown = await history(bob, talk)
        assert [(each["content"], each["rev"]) for each in shown] == [("two", 2), ("1 ☕", 3)]
        found = await view(bob, talk)
        assert (found["seq"], found["rev"], found["lastMessage"]["content"]) == (2, 3, "two")


async def test_a_tombstone_shows_nothing(server: Server) -> None:
    """A deleted message stays as an empty place, in history, replies, lists and notifications."""
    async with signed_up(server.url, "Ada Tomb", "Bob Tomb") as (ada, bob):
        talk = await direct(ada, bob)
        sent = await say(ada, talk, "a secret")
        reply = await say(bob, talk, "what?", replyTo=sent["id"])
        last = await say(ada, talk, "another secret")
        sockets = [await ada.connect(), await ada.connect(), await bob.connect()]
        mine, _, theirs = sockets
        await theirs.call("add_reaction", {"messageId": sent["id"], "emoji": "🎉"})
        for at, message in enumerate((sent, last)):
            named = {"messageId": message["id"]}
            assert await mine.call("delete_message", named) == named
            assert await mine.call("delete_message", named) == named
            told = await _same_for_all("message_deleted", *sockets)
            expected = {"conversationId": talk, "rev": 5 + at, "deletedBy": ada.id}
            assert told[at:] == [named | expected]

        newest, answer, oldest = await history(bob, talk)
        for message in (newest, oldest):
            assert (message["isDeleted"], message["content"]) == (True, "")
            assert (message["attachment"], message["reactions"]) == (None, [])
        assert (answer["id"], answer["replyTo"]["content"]) == (reply["id"], "")
        assert (await view(bob, talk))["lastMessage"] == newest
        fresh = await bob.connect()
        await fresh.call("resume", {"conversations": {}})
        pages = [
            fresh.frames,
            await history(ada, talk),
            await bob.get("/conversations"),
            await bob.get("/notifications"),
        ]
        assert "secret" not in str(pages)
        later = await say(bob, talk, "re", replyTo=sent["id"])
        assert later["replyTo"]["content"] == ""


async def test_a_reaction_replaces_the_last_one(server: Server) -> None:
    """Each user has one reaction to a message: the new replaces the old, the same changes
    nothing."""
    async with signed_up(server.url, "Ada React", "Bob React") as (ada, bob):
        talk = await direct(ada, bob)
        sent = await say(ada, talk, "one")
        mine, theirs = await ada.connect(), await bob.connect()
        named = {"messageId": sent["id"]}
        for socket, emoji in ((theirs, "👍"), (theirs, "👍"), (theirs, "🎉"), (mine, "🎉")):
            answer = await socket.call("add_reaction", named | {"emoji": emoji})
            assert answer == named | {"emoji": emoji}
        for _ in range(2):
            assert await theirs.call("remove_reaction", named) == named
        added = await _same_for_all("message_reaction_added", mine, theirs)
        removed = await _same_for_all("message_reaction_removed", mine, theirs)

        base = {"conversationId": talk} | named
        assert added == [
            base | {"rev": 2, "userId": bob.id, "emoji": "👍"},
            base | {"rev": 3, "userId": bob.id, "emoji": "🎉"},
            base | {"rev": 4, "userId": ada.id, "emoji": "🎉"},
        ]
        assert removed == [base | {"rev": 5, "userId": bob.id, "emoji": "🎉"}]
        (shown,) = await history(bob, talk)
        assert shown["reactions"] == [{"userId": ada.id, "emoji": "🎉"}]
        assert (shown["rev"], shown["isEdited"]) == (5, False)


async def test_who_may_change_what(server: Server) -> None:
    """Only the sender edits; a group's admin deletes anybody's; a tombstone takes nothing more."""
    async with signed_up(server.url, "Ada May", "Bob May", "Cy May") as (ada, bob, cy):
        room, talk = await group(ada, bob, cy), await direct(ada, bob)
        bobs, cys = await say(bob, room, "bob's"), await say(cy, room, "cy's")
        private = await say(bob, talk, "bob's")
        mine, theirs = await ada.connect(), await bob.connect()
        words = {"content": "other"}
        for socket, message in ((mine, bobs), (theirs, cys), (mine, private)):
            named = {"messageId": message["id"]}
            assert await refusal(socket, "edit_message", named | words) == "forbidden"
        for socket, message in ((theirs, cys), (mine, private)):
            named = {"messageId": message["id"]}
            assert await refusal(socket, "delete_message", named) == "forbidden"
        for content in ("", "   ", "x" * 4001, None):
            data = {"messageId": bobs["id"], "content": content}
            assert await refusal(theirs, "edit_message", data) == "validation_failed"
        await mine.call("delete_message", {"messageId": cys["id"]})
        told = await theirs.wait_for("message_deleted", messageId=cys["id"])
        assert told["deletedBy"] == ada.id
        await mine.call("delete_message", {"messageId": bobs["id"]})
        gone = {"messageId": bobs["id"]}
        assert await refusal(theirs, "edit_message", gone | words) == "forbidden"
        assert await refusal(theirs, "add_reaction", gone | {"emoji": "👍"}) == "forbidden"
        assert await theirs.call("remove_reaction", gone) == gone
        await settle(mine, theirs)
        assert mine.of("message_edited") == mine.of("message_reaction_added") == []


async def test_a_conversation_that_does_not_fit(server: Server) -> None:
    """A message named with another conversation, or by a stranger, is not found, and unchanged."""
    async with signed_up(server.url, "Ada Fit", "Bob Fit", "Eve Fit") as (ada, bob, eve):
        talk, room = await direct(ada, bob), await group(ada, bob)
        sent = await say(ada, talk, "one")
        mine, strange = await ada.connect(), await eve.connect()
        calls: tuple[tuple[str, Json], ...] = (
            ("edit_message", {"content": "other"}),
            ("add_reaction", {"emoji": "👍"}),
            ("remove_reaction", {}),
            ("mark_read", {}),
            ("delete_message", {}),
        )
        for event, more in calls:
            named = {"messageId": sent["id"]} | more
            for elsewhere in (room, ABSENT):
                data = named | {"conversationId": elsewhere}
                assert await refusal(mine, event, data) == "not_found", event
            for data in (named, named | {"conversationId": talk}, more | {"messageId": ABSENT}):
                assert await refusal(strange, event, data) == "not_found", event
        assert (await history(ada, talk)) == [sent]
        for event, more in calls:
            data = {"messageId": sent["id"], "conversationId": talk} | more
            assert (await refusal(mine, event, data)).startswith("ack"), event


async def test_changes_at_once_keep_their_order(server: Server) -> None:
    """Fifty changes and sends at once have a revision each, in one order on every socket."""
    async with signed_up(server.url, "Ada Once", "Bob Once") as (ada, bob):
        talk = await direct(ada, bob)
        sent = [await say(ada, talk, f"{at}") for at in range(5)]
        mine, theirs = await ada.connect(), await bob.connect()
        calls = []
        for at in range(10):
            named = {"messageId": sent[at % 5]["id"]}
            calls += [
                mine.call("edit_message", named | {"content": f"new {at}"}),
                theirs.call("add_reaction", named | {"emoji": "🎉" if at < 5 else "👍"}),
                mine.call("add_reaction", named | {"emoji": "👍" if at < 5 else "🎉"}),
                mine.call("send_message", {"conversationId": talk, "content": f"more {at}"}),
                theirs.call("send_message", {"conversationId": talk, "content": f"and {at}"}),
            ]
        await asyncio.gather(*calls)
        await settle(mine, theirs)

        orders = [
            [frame["data"]["rev"] for frame in socket.frames if "rev" in frame["data"]]
            for socket in (mine, theirs)
        ]
        assert orders[0] == orders[1] == list(range(6, 56))
        shown = await history(ada, talk, limit=100)
        assert max(each["rev"] for each in shown) == 55
        assert len({each["rev"] for each in shown}) == len(shown) == 25
