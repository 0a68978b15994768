"""Who is here and who writes, as those hear of it who may know."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic

import pytest

from chatme_tests.client import signed_up
from chatme_tests.flows.life_talk import (
    ABSENT,
    direct,
    group,
    refusal,
    settle,
    sound_server,
    verdict,
)
from chatme_tests.server import Server

AWAY = {"isOnline": False, "lastSeenAt": None}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("presence")) as running:
        yield running


async def test_who_comes_is_told_to_those_who_may_know(server: Server) -> None:
    """The first socket is told to direct partners and to sockets that have a common group open,
    once; the others, also of the same group, hear nothing."""
    names = ("Ada Come", "Bob Come", "Cy Come", "Di Come", "Eve Come")
    async with signed_up(server.url, *names) as (ada, bob, cy, di, eve):
        await direct(ada, bob)
        common, other = await group(ada, cy, di), await group(cy, di, eve)
        partner = await bob.connect()
        looking, elsewhere = await cy.connect(), await cy.connect()
        closed, stranger = await di.connect(), await eve.connect()
        await looking.call("open_conversation", {"conversationId": common})
        await elsewhere.call("open_conversation", {"conversationId": other})
        await closed.call("open_conversation", {"conversationId": common})
        await closed.call("close_conversation", {"conversationId": common})
        await stranger.call("open_conversation", {"conversationId": other})
        mine = await ada.connect()
        await ada.connect()
        assert await partner.wait_for("user_online", userId=ada.id) == {"userId": ada.id}
        assert await looking.wait_for("user_online", userId=ada.id) == {"userId": ada.id}
        await settle(partner, looking, elsewhere, closed, stranger, mine)

        for socket, times in (
            (partner, 1),
            (looking, 1),
            (elsewhere, 0),
            (closed, 0),
            (stranger, 0),
            (mine, 0),
        ):
            told = [each for each in socket.of("user_online") if each["userId"] == ada.id]
            assert len(told) == times


async def test_who_went_is_told_after_the_grace(server: Server) -> None:
    """Only the last of several sockets counts, a return within 5 s shows nothing, and in the end
    the partner hears when the last socket closed."""
    async with signed_up(server.url, "Ada Went", "Bob Went", "Cy Went") as (ada, bob, cy):
        await direct(ada, bob)
        room = await group(ada, cy)
        partner, looking = await bob.connect(), await cy.connect()
        await looking.call("open_conversation", {"conversationId": room})
        first, second = await ada.connect(), await ada.connect()
        await first.aclose()
        await second.aclose()
        back = await ada.connect()
        assert (await bob.get(f"/users/{ada.id}/presence"))["isOnline"] is True
        await back.aclose()
        since = monotonic()
        within = await bob.get(f"/users/{ada.id}/presence")
        gone = await partner.wait_for("user_offline", userId=ada.id)
        waited = monotonic() - since
        assert gone == await looking.wait_for("user_offline", userId=ada.id)
        after = await bob.get(f"/users/{ada.id}/presence")

        assert within["isOnline"] is True
        assert 4.5 < waited < 7
        assert list(gone) == ["userId", "lastSeenAt"]
        assert after == {"isOnline": False, "lastSeenAt": gone["lastSeenAt"]}
        assert len(partner.of("user_online")) == len(partner.of("user_offline")) == 1
        await ada.connect()
        await partner.until(lambda _: len(partner.of("user_online")) == 2)


async def test_presence_is_for_those_who_share_a_conversation(server: Server) -> None:
    """Presence is seen over any common conversation and by oneself; others see nobody here."""
    async with signed_up(server.url, "Ada See", "Bob See", "Cy See", "Eve See") as users:
        ada, bob, cy, eve = users
        await direct(ada, bob)
        room = await group(ada, cy)
        before = await bob.get(f"/users/{ada.id}/presence")
        await ada.connect()

        assert before == AWAY
        for user in (ada, bob, cy):
            assert (await user.get(f"/users/{ada.id}/presence"))["isOnline"] is True
        assert await eve.get(f"/users/{ada.id}/presence") == AWAY
        await cy.post(f"/conversations/{room}/leave")
        assert await cy.get(f"/users/{ada.id}/presence") == AWAY
        assert verdict(await ada.http.get(f"/users/{ABSENT}/presence")) == (404, "not_found")
        assert verdict(await ada.http.get("/users/x/presence")) == (404, "not_found")


async def test_typing_is_told_to_the_others(server: Server) -> None:
    """Who writes on is announced once, and stopping once; the writer's own sockets hear nothing."""
    async with signed_up(server.url, "Ada Type", "Bob Type", "Eve Type") as (ada, bob, eve):
        room = await group(ada, bob)
        named, told = {"conversationId": room}, {"conversationId": room, "userId": ada.id}
        mine, second = await ada.connect(), await ada.connect()
        theirs, also, strange = await bob.connect(), await bob.connect(), await eve.connect()
        for _ in range(5):
            assert await mine.call("typing", named) == {}
        for _ in range(2):
            assert await second.call("stop_typing", named) == {}
        await settle(mine, second, theirs, also, strange)

        for socket, expected in ((theirs, [told]), (also, [told]), (mine, []), (strange, [])):
            assert socket.of("user_typing") == expected
            assert socket.of("user_stopped_typing") == expected
        await mine.call("typing", named)
        await settle(theirs)
        assert len(theirs.of("user_typing")) == 2
        for event in ("typing", "stop_typing"):
            assert await refusal(strange, event, named) == "not_found"
            assert await refusal(mine, event, {"conversationId": ABSENT}) == "not_found"


async def test_typing_ends_by_itself(server: Server) -> None:
    """Typing is over 6 s after the last sign of it, also where the socket has gone."""
    async with signed_up(server.url, "Ada Pause", "Bob Pause") as (ada, bob):
        talk = await direct(ada, bob)
        named, told = {"conversationId": talk}, {"conversationId": talk, "userId": ada.id}
        mine, theirs = await ada.connect(), await bob.connect()
        await mine.call("typing", named)
        await asyncio.sleep(0.5)
        await mine.call("typing", named)
        since = monotonic()
        await mine.aclose()
        assert await theirs.wait_for("user_stopped_typing") == told
        assert 5.5 < monotonic() - since < 7.5
        assert theirs.of("user_typing") == theirs.of("user_stopped_typing") == [told]


async def test_who_is_removed_is_not_seen(server: Server) -> None:
    """Who is out of a group hears no typing and no presence of it, and shows none."""
    async with signed_up(server.url, "Ada Rem", "Bob Rem", "Cy Rem") as (ada, bob, cy):
        room = await group(ada, bob, cy)
        named = {"conversationId": room}
        mine, theirs = await ada.connect(), await bob.connect()
        for socket in (mine, theirs):
            await socket.call("open_conversation", named)
        await ada.http.delete(f"/conversations/{room}/members/{bob.id}")
        third = await cy.connect()
        await mine.wait_for("user_online", userId=cy.id)
        await third.call("typing", named)
        await mine.wait_for("user_typing", userId=cy.id)
        await settle(theirs)

        # Of Ada, who came before, they may have heard late.
        assert {"userId": cy.id} not in theirs.of("user_online")
        assert theirs.of("user_typing") == []
        assert await bob.get(f"/users/{cy.id}/presence") == AWAY
