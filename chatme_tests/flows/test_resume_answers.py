"""What `resume` answers: how much of what, in which order, and to whom."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from chatme.messages.wire import MAX_RESUMED_NAMES, ResumeWanted
from chatme_tests.client import Json, Refused, Socket, User, signed_up
from chatme_tests.flows.life_talk import ABSENT, sound_server
from chatme_tests.flows.resume_client import Client, plain
from chatme_tests.flows.resume_storm import whole_history
from chatme_tests.server import Server

MISSED = frozenset({"new_message", "message_updated"})
HOSTILE: tuple[object, ...] = (
    *({ABSENT: rev} for rev in (-1, 2**53 + 1, 10**30, 1.5, "1", True, None, {"$gt": 0})),
    *([ABSENT], "all", None),
)


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("answers")) as running:
        yield running


async def _resume(socket: Socket, **known: int) -> tuple[Json, list[tuple[str, Json]]]:
    """The answer, and what came before it."""
    start = len(socket.frames)
    answer = await socket.call("resume", {"conversations": known})
    frames = socket.frames[start:]
    (at,) = [place for place, frame in enumerate(frames) if frame["event"] == "ack"]
    assert all(frame["event"] not in MISSED for frame in frames[at:])
    return answer, [
        (frame["event"], frame["data"]) for frame in frames[:at] if frame["event"] in MISSED
    ]


async def _say(user: User, room: str, *contents: str) -> list[Json]:
    return [await user.post(f"/messages/{room}", {"content": each}) for each in contents]


async def _direct(one: User, other: User) -> str:
    return str((await one.post("/conversations/direct", {"userId": other.id}))["id"])


async def _tea(admin: User, *others: User, name: str = "Tea") -> str:
    wanted = {"name": name, "memberIds": [each.id for each in others]}
    return str((await admin.post("/conversations/group", wanted))["id"])


async def test_an_unnamed_conversation_begins_with_its_last_30(free: Server) -> None:
    """Of what a client does not name it gets the last thirty messages, by revision, all as new;
    of what it names at zero it gets all."""
    async with signed_up(free.url, "Ada Thirty", "Bob Thirty") as (ada, bob):
        talk, empty = await _direct(ada, bob), await _tea(ada, bob)
        said = await _say(ada, talk, *(f"{at}" for at in range(35)))
        mine, theirs = await ada.connect(), await bob.connect()
        for at in (3, 20):
            await mine.call("edit_message", {"messageId": said[at]["id"], "content": "edited"})
        answer, missed = await _resume(theirs)
        _, everything = await _resume(theirs, **{talk: 0})

        last = [*(at for at in range(5, 35) if at != 20), 20]
        assert [("new_message", said[at]["id"]) for at in last] == [
            (event, each["id"]) for event, each in missed
        ]
        assert answer == {
            "conversations": {
                talk: {"rev": 37, "limited": True},
                empty: {"rev": 0, "limited": False},
            },
            "complete": True,
        }
        assert [each["rev"] for _, each in everything] == sorted(
            each["rev"] for each in await whole_history(bob, [talk])
        )


async def test_each_change_comes_once_as_it_stands(free: Server) -> None:
    """A message that came and was edited comes once, as new and as it now stands; older ones that
    changed come once as updated, however often they changed; all by revision."""
    async with signed_up(free.url, "Ada Once", "Bob Once") as (ada, bob):
        talk = await _direct(ada, bob)
        old, gone, same = await _say(ada, talk, "old", "gone", "same")
        mine, theirs = await ada.connect(), await bob.connect()
        fresh, other = await _say(ada, talk, "fresh", "other")
        for content in ("a", "b"):
            await mine.call("edit_message", {"messageId": old["id"], "content": content})
        await mine.call("delete_message", {"messageId": gone["id"]})
        await mine.call("edit_message", {"messageId": fresh["id"], "content": "edited"})
        await theirs.call("add_reaction", {"messageId": fresh["id"], "emoji": "👍"})
        answer, missed = await _resume(theirs, **{talk: same["rev"]})

        assert [(event, each["id"]) for event, each in missed] == [
            ("new_message", other["id"]),
            ("message_updated", old["id"]),
            ("message_updated", gone["id"]),
            ("new_message", fresh["id"]),
        ]
        stored = {each["id"]: each for each in await whole_history(bob, [talk])}
        assert all(each == stored[each["id"]] for _, each in missed)
        assert answer["conversations"] == {talk: {"rev": 10, "limited": False}}
        assert (await _resume(theirs, **{talk: 10})) == (answer, [])
        assert (await _resume(theirs, **{talk: 2**53})) == (answer, [])


async def test_over_200_changes_are_limited(free: Server) -> None:
    """Of more than two hundred changes the newest two hundred come, and the answer says so."""
    async with signed_up(free.url, "Ada Many", "Bob Many") as (ada, bob):
        talk = await _direct(ada, bob)
        await _say(ada, talk, *(f"{at}" for at in range(210)))
        theirs = await bob.connect()
        exact, all_missed = await _resume(theirs, **{talk: 10})
        answer, missed = await _resume(theirs, **{talk: 9})

        assert exact["conversations"] == {talk: {"rev": 210, "limited": False}}
        assert answer["conversations"] == {talk: {"rev": 210, "limited": True}}
        assert [each["rev"] for _, each in missed] == list(range(11, 211))
        assert missed == all_missed


async def test_over_50_conversations_take_several_answers(free: Server) -> None:
    """Who is behind in more than fifty conversations asks again until the answer is complete."""
    async with signed_up(free.url, "Ada Fifty", "Bob Fifty") as (ada, bob):
        rooms = [await _tea(ada, bob, name=f"Tea {at}") for at in range(55)]
        for room in rooms:
            await _say(ada, room, "one", "two")
        theirs = await bob.connect()
        first, missed = await _resume(theirs)
        known = {room: each["rev"] for room, each in first["conversations"].items()}
        second, rest = await _resume(theirs, **known)

        assert (len(known), first["complete"], len(missed)) == (50, False, 100)
        assert (set(second["conversations"]), second["complete"]) == (set(rooms), True)
        assert len(rest) == 10
        client = Client(bob)
        await client.connect()
        history = await whole_history(bob, rooms)
        assert client.replica.plain() == [plain(each) for each in history]


async def test_what_one_may_see_is_judged_as_of_now(free: Server) -> None:
    """Who left gets nothing, who came gets the past, who cleared gets what came after, and what is
    withheld does not come while the block lasts, nor ever in a direct conversation."""
    async with signed_up(free.url, "Ada Now", "Bob Now", "Cy Now") as (ada, bob, cy):
        left, came, talk = await _tea(ada, bob), await _tea(ada, cy), await _direct(ada, bob)
        cleared, group = await _tea(ada, bob), await _tea(ada, bob)
        for room in (left, came, cleared):
            await _say(ada, room, "past")
        await bob.post(f"/conversations/{left}/leave")
        await ada.http.patch(f"/conversations/{came}/members", json={"memberIds": [bob.id]})
        await bob.http.delete(f"/conversations/{cleared}")
        await bob.post(f"/users/{ada.id}/block")
        await _say(ada, talk, "hidden")
        await _say(ada, group, "withheld")
        theirs = await bob.connect()
        zero = dict.fromkeys((left, came, talk, cleared, group), 0)
        answer, missed = await _resume(theirs, **zero)
        assert (set(answer["conversations"]), missed) == ({came, talk, cleared, group}, [])

        await bob.http.delete(f"/users/{ada.id}/block")
        await _say(ada, cleared, "after")
        _, missed = await _resume(theirs, **zero)
        assert {each["content"] for _, each in missed} == {"past", "withheld", "after"}


async def test_foreign_names_are_ignored(free: Server) -> None:
    """Names of foreign conversations, of none and of nothing change no answer; an id is one in
    capitals too."""
    async with signed_up(free.url, "Ada Alone", "Bob Alone", "Eve Alone") as (ada, bob, eve):
        talk, secret = await _direct(ada, eve), await _direct(ada, bob)
        await _say(ada, secret, "secret")
        (last,) = await _say(ada, talk, "hello")
        socket = await eve.connect()
        strange = {secret: 0, ABSENT: 1, "": 0, "$where": 5, "x" * 999: 0}
        answer, missed = await _resume(socket, **strange, **{talk.upper(): last["rev"]})

        assert (answer["conversations"], missed) == ({talk: {"rev": 1, "limited": False}}, [])


async def test_hostile_revisions_are_refused(free: Server) -> None:
    """A revision is a number from zero to what JSON keeps exact; anything else is an error, and
    the socket lives."""
    async with signed_up(free.url, "Ada Hostile") as (ada,):
        socket = await ada.connect()
        for conversations in HOSTILE:
            with pytest.raises(Refused, match="validation_failed") as refused:
                await socket.call("resume", {"conversations": conversations})
            assert refused.value.error["errors"][0]["field"].startswith("conversations")

        assert await _resume(socket) == ({"conversations": {}, "complete": True}, [])


async def test_too_many_names_are_refused() -> None:
    """Ten thousand conversations may be named, one more not; a frame holds fewer."""
    names = {f"{at:024x}": 0 for at in range(MAX_RESUMED_NAMES)}
    assert len(ResumeWanted.model_validate({"conversations": names}).conversations) == 10_000
    with pytest.raises(ValidationError):
        ResumeWanted.model_validate({"conversations": {**names, "f" * 24: 0}})

    assert len(json.dumps({"event": "resume", "data": {"conversations": names}})) > 64 * 1024


async def test_a_frame_of_many_names_ends_the_socket(free: Server) -> None:
    """More names than fit a frame close the socket as too big."""
    async with signed_up(free.url, "Ada Big") as (ada,):
        socket = await ada.connect()
        names = {f"{at:024x}": 0 for at in range(10_001)}
        await socket.send("resume", {"conversations": names}, id=1)

        assert await socket.wait_closed() == 1009
