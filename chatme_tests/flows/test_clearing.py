"""Deleting a conversation for oneself: what was said is over, and what comes is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatme_tests.client import signed_up
from chatme_tests.flows.life_talk import (
    direct,
    group,
    history,
    listed,
    names,
    refusal,
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
    with sound_server(tmp_path_factory.mktemp("clearing")) as running:
        yield running


async def test_it_leaves_one_s_own_list_alone(server: Server) -> None:
    """It goes from the caller's list and sockets, and nobody else sees a difference."""
    async with signed_up(server.url, "Ada Gone", "Bob Gone", "Eve Gone") as (ada, bob, eve):
        talk = await direct(ada, bob)
        await say(bob, talk, "one")
        theirs, mine, second = await bob.connect(), await ada.connect(), await ada.connect()
        await theirs.wait_for("messages_delivered", upToSeq=1)
        await settle(theirs)  # what waited for Bob himself is delivered too
        before = await view(bob, talk), await history(bob, talk)
        cleared = await ada.http.delete(f"/conversations/{talk}")
        again = await ada.http.delete(f"/conversations/{talk}")
        foreign = await eve.http.delete(f"/conversations/{talk}")
        await settle(mine, second, theirs)

        assert [verdict(each) for each in (cleared, again)] == [(204, ""), (204, "")]
        assert verdict(foreign) == (404, "not_found")
        assert (await listed(ada), await listed(bob)) == ([], [talk])
        for socket in (mine, second):
            assert socket.of("conversation_removed")[0] == {"conversationId": talk}
        assert set(names(theirs)) <= {"messages_delivered", "user_online"}
        assert before == (await view(bob, talk), await history(bob, talk))
        left = await view(ada, talk)
        assert (left["unreadCount"], left["lastMessage"], left["lastMessageAt"]) == (0, None, None)
        assert (left["seq"], left["rev"]) == (1, 1)


async def test_it_comes_back_with_the_next_message(server: Server) -> None:
    """The next message brings it back, alone: by history, list, unread count and resume."""
    async with signed_up(server.url, "Ada Again", "Bob Again") as (ada, bob):
        talk = await direct(ada, bob)
        for at in range(3):
            await say(bob, talk, f"old {at}")
        await ada.http.delete(f"/conversations/{talk}")
        socket = await ada.connect()
        assert (await socket.call("resume", {"conversations": {}}))["complete"] is True
        assert socket.of("new_message") == []
        new = await say(bob, talk, "new")
        await socket.wait_for("new_message", id=new["id"])

        assert await listed(ada) == [talk]
        assert [each["content"] for each in await history(ada, talk)] == ["new"]
        found = await view(ada, talk)
        assert (found["unreadCount"], found["lastMessage"]["content"]) == (1, "new")
        assert (found["seq"], found["lastMessageAt"]) == (4, new["createdAt"])
        for known in ({}, {talk: 0}, {talk: 1}):
            fresh = await ada.connect()
            await fresh.call("resume", {"conversations": known})
            assert [each["content"] for each in fresh.of("new_message")] == ["new"]
        assert [each["content"] for each in await history(bob, talk)][-1] == "old 0"


async def test_what_was_said_is_not_found(server: Server) -> None:
    """An old message cannot be named in any way, also not one's own, and is in no notification."""
    async with signed_up(server.url, "Ada Named", "Bob Named") as (ada, bob):
        talk = await direct(ada, bob)
        old, own = await say(bob, talk, "old"), await say(ada, talk, "own")
        assert (await ada.get("/notifications/count"))["count"] == 1
        await ada.http.delete(f"/conversations/{talk}")
        new = await say(bob, talk, "new")
        socket = await ada.connect()
        for message in (old, own):
            named = {"messageId": message["id"]}
            for event, data in (
                ("mark_read", named),
                ("edit_message", named | {"content": "x"}),
                ("delete_message", named),
                ("add_reaction", named | {"emoji": "👍"}),
                ("remove_reaction", named),
                (
                    "send_message",
                    {"conversationId": talk, "content": "re", "replyTo": message["id"]},
                ),
            ):
                assert await refusal(socket, event, data) == "not_found", event
            for path, query in (
                (f"/messages/{talk}", {"before": message["id"]}),
                (f"/messages/{talk}", {"after": message["id"]}),
                (f"/messages/{talk}/{message['id']}/receipts", {}),
            ):
                answer = await ada.http.get(path, params=query)
                assert verdict(answer) == (404, "not_found"), path

        notes = (await ada.get("/notifications"))["items"]
        assert [each["payload"]["messageId"] for each in notes] == [new["id"]]


async def test_a_reply_shows_nothing_of_before(server: Server) -> None:
    """Who cleared a conversation sees a later answer without the old message's words."""
    async with signed_up(server.url, "Ada Quote", "Bob Quote", "Cy Quote") as (ada, bob, cy):
        talk = await group(ada, bob, cy)
        old = await say(bob, talk, "the old words")
        await ada.http.delete(f"/conversations/{talk}")
        mine, theirs = await ada.connect(), await cy.connect()
        answer = await say(bob, talk, "as I said", replyTo=old["id"])
        live = await mine.wait_for("new_message", id=answer["id"])
        whole = await theirs.wait_for("new_message", id=answer["id"])
        await mine.call("resume", {"conversations": {talk: 1}})
        resumed = mine.of("new_message")[-1]

        assert whole["replyTo"]["content"] == "the old words"
        (shown,) = await history(ada, talk)
        last = (await view(ada, talk))["lastMessage"]
        hidden = [each["replyTo"] for each in (live, shown, last, resumed)]
        assert "the old words" not in str(hidden)


async def test_later_changes_of_before_are_not_told(server: Server) -> None:
    """An edit, a reaction and a deletion of an old message reach only those who still see it."""
    async with signed_up(server.url, "Ada Late", "Bob Late", "Cy Late") as (ada, bob, cy):
        talk = await group(bob, ada, cy)
        old = await say(bob, talk, "old")
        await ada.http.delete(f"/conversations/{talk}")
        theirs, mine, third = await bob.connect(), await ada.connect(), await cy.connect()
        named = {"messageId": old["id"]}
        await theirs.call("edit_message", named | {"content": "said anew"})
        await theirs.call("add_reaction", named | {"emoji": "👍"})
        await theirs.call("remove_reaction", named)
        await theirs.call("delete_message", named)
        await settle(mine, theirs, third)

        told = ["message_edited", "message_reaction_added", "message_reaction_removed"]
        told.append("message_deleted")
        for socket, expected in ((theirs, told), (third, told), (mine, [])):
            assert [each for each in names(socket) if each.startswith("message_")] == expected
        assert (await view(ada, talk))["lastMessage"] is None


async def test_receipts_stay_as_they_are(server: Server) -> None:
    """Clearing reads nothing: the sender sees what was unread as unread."""
    async with signed_up(server.url, "Ada Kept", "Bob Kept") as (ada, bob):
        talk = await direct(ada, bob)
        await say(bob, talk, "old")
        theirs = await bob.connect()
        await ada.http.delete(f"/conversations/{talk}")
        await settle(theirs)

        (message,) = await history(bob, talk)
        assert message["receipts"] == [{"userId": ada.id, "status": "sent"}]
        assert theirs.of("messages_read") == []


async def test_a_group_is_cleared_without_leaving(server: Server) -> None:
    """Who clears a group is still in it, and hears of all that happens next."""
    async with signed_up(server.url, "Ada Stay", "Bob Stay") as (ada, bob):
        group_id = await group(ada, bob)
        await say(ada, group_id, "old")
        mine, theirs = await ada.connect(), await bob.connect()
        await bob.http.delete(f"/conversations/{group_id}")
        assert await listed(bob) == []
        await ada.http.patch(f"/conversations/{group_id}", json={"name": "Other"})
        await settle(mine, theirs)

        (updated,) = theirs.of("conversation_updated")
        assert (updated["name"], updated["lastMessage"], updated["memberCount"]) == (
            "Other",
            None,
            2,
        )
        assert mine.of("conversation_removed") == mine.of("member_removed") == []
        await mine.call("send_message", {"conversationId": group_id, "content": "new"})
        assert (await theirs.wait_for("new_message"))["content"] == "new"
        assert await listed(bob) == [group_id]
