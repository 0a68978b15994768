"""Search over REST: what is found in which script, by whom, and what hostile queries meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from chatme_tests.client import Json, User, signed_up
from chatme_tests.flows.life_talk import ABSENT, direct, group, say, sound_server
from chatme_tests.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits, whose log is looked at in the end."""
    with sound_server(tmp_path_factory.mktemp("search")) as running:
        yield running


async def _found(user: User, q: str, room: str | None = None) -> list[str]:
    """What is found, in all conversations or in one."""
    path = "/messages/search" if room is None else f"/messages/{room}/search"
    return [each["content"] for each in (await user.get(path, q=q))["items"]]


async def test_a_search_answers_messages_with_highlights(server: Server) -> None:
    """Items are messages as in the history, newest first, with offsets that JavaScript can use."""
    async with signed_up(server.url, "Ada Finds", "Bob Finds") as (ada, bob):
        room = await direct(ada, bob)
        first = await say(ada, room, "Crème fraîche")
        last = await say(bob, room, "🍰 CREME brûlée")
        await say(bob, room, "nothing of it")
        history = {each["id"]: each for each in (await ada.get(f"/messages/{room}"))["items"]}
        for path in ("/messages/search", f"/messages/{room}/search"):
            page = await ada.get(path, q="crème")
            marks = [each.pop("highlights") for each in page["items"]]

            assert page == {"items": [history[last["id"]], history[first["id"]]], "next": None}
            assert marks == [[{"start": 3, "end": 8}], [{"start": 0, "end": 5}]]


SCRIPTS = (
    ("Straße in Łódź", "LODZ strasse", True),
    ("Đà Nẵng", "da nang", True),
    ("İstanbul", "istanbul", True),
    ("Привет, Мир", "прив МИР", True),
    ("Ελλάδα ΟΔΟΣ", "ελλαδα οδος", True),
    ("مرحبا بالعالَم", "العالم", False),
    ("مرحبا بالعالَم", "بالعالم", True),
    ("שָׁלוֹם עולם", "שלום", True),
    ("हिन्दी में खोज", "हिन्दी", True),
    ("한국어로 검색", "한국", True),
    ("한국어로 검색", "국어", False),
    ("東京都に行きました", "京都", True),
    ("東京都に行きました", "京 行き", True),
    ("東京都に行きました", "東都", False),
    ("ﾊﾝｶｸ", "ハンカク", True),
    ("ภาษาไทยง่าย", "ไทย", True),
    ("e\u0301te\u0301", "été", True),
    ("state-of-the-art", "art", True),
    ("unbelievable", "unbelievab", True),
    ("unbelievable", "believable", False),
)


async def test_any_script_is_found(server: Server) -> None:
    """Words are found by their beginnings in any script, and by any part where none has spaces."""
    async with signed_up(server.url, "Ada Script", "Bob Script") as (ada, bob):
        room = await direct(ada, bob)
        for content in dict.fromkeys(content for content, _, _ in SCRIPTS):
            await say(ada, room, content)
        for content, query, fits in SCRIPTS:
            assert (content in await _found(bob, query, room)) is fits, (content, query)


async def test_words_are_forgotten_with_their_message(server: Server) -> None:
    """What was edited is found by its new words alone, what was deleted by none, at once and for
    everybody; what a user cleared is found by the others."""
    async with signed_up(server.url, "Ada Forgets", "Bob Forgets") as (ada, bob):
        room = await direct(ada, bob)
        socket = await ada.connect()
        one, _ = await say(ada, room, "first secret"), await say(ada, room, "second secret")
        await socket.call("edit_message", {"messageId": one["id"], "content": "first word"})

        assert await _found(bob, "secret") == await _found(bob, "secret", room) == ["second secret"]
        assert await _found(bob, "first wo") == ["first word"]
        await socket.call("delete_message", {"messageId": one["id"]})
        assert await _found(bob, "first") == await _found(ada, "word") == []
        await bob.http.delete(f"/conversations/{room}")
        assert await _found(bob, "secret") == await _found(bob, "secret", room) == []
        assert await _found(ada, "secret") == ["second secret"]


async def test_only_what_may_be_seen_is_found(server: Server) -> None:
    """Strangers, former members and those who block find nothing of what is not theirs to see."""
    names = ("Ada Sees", "Bob Sees", "Cy Sees")
    async with signed_up(server.url, *names) as (ada, bob, cy):
        tea = await group(ada, bob, name="Search")
        await say(bob, tea, "oolong")
        unknown = [
            (await user.http.get(f"/messages/{room}/search", params={"q": "oolong"})).status_code
            for user, room in ((cy, tea), (ada, ABSENT), (ada, "nonsense"))
        ]
        await ada.post(f"/users/{bob.id}/block")

        assert unknown == [404, 404, 404]
        assert await _found(cy, "oolong") == await _found(ada, "oolong") == []
        assert await _found(bob, "oolong") == ["oolong"]
        await bob.post(f"/conversations/{tea}/leave")
        assert await _found(bob, "oolong") == []
        await ada.http.delete(f"/users/{bob.id}/block")
        assert await _found(ada, "oolong") == ["oolong"]


async def test_pages_follow_each_other(server: Server) -> None:
    """Pages together have each hit once, newest first, whatever comes in between."""
    async with signed_up(server.url, "Ada Pages", "Bob Pages") as (ada, bob):
        rooms = [await direct(ada, bob), await group(ada, bob)]
        sent = [(await say(bob, rooms[at % 2], f"leaf {at}"))["id"] for at in range(12)]
        for path, wanted in (
            ("/messages/search", sent),
            (f"/messages/{rooms[0]}/search", sent[::2]),
        ):
            page: Json = {"next": ""}
            found: list[str] = []
            while page["next"] is not None:
                query = {"cursor": page["next"]} if page["next"] else {}
                page = await ada.get(path, q="leaf", limit=4, **query)
                found += [each["id"] for each in page["items"]]
                await say(bob, rooms[1], "leaf in between")

            assert found == wanted[::-1]


# As they stand in the URL; what each is answered, and the fields at fault.
HOSTILE: Mapping[str, tuple[int, list[str]]] = {
    "q=": (200, []),
    "q=%": (200, []),
    "q=%25": (200, []),
    "q=%25ff%00": (422, ["q"]),
    "q=a%00b": (422, ["q"]),
    "q=%ff%fe": (200, []),
    "q=%ED%A0%80": (200, []),
    "q=.*": (200, []),
    "q=(a%2B)%2B$": (200, []),
    "q=%5B%5D%7B%7D%5E%24%7C%5C": (200, []),
    "q=%7B%22$gt%22:%22%22%7D": (200, []),
    "q[$gt]=": (422, ["q"]),
    "q=" + "%E2%80%8F" * 50: (200, []),
    "q=" + "%CC%81" * 200: (200, []),
    "q=a" + "%CC%81" * 199: (200, []),
    "q=" + "a" * 200: (200, []),
    "q=" + "a" * 201: (422, ["q"]),
    "q=" + "a" * 4096: (422, ["q"]),
    "q=" + "%E6%9D%B1%E4%BA%AC" * 100: (200, []),
    "q=" + "a%20" * 100: (200, []),
    "q=a+b+c+d+e+f+g+h+i+j": (200, []),
    "q=a+b+c+d+e+f+g+h+i+j+k": (422, ["q"]),
    "": (422, ["q"]),
    "q=a&limit=0": (422, ["limit"]),
    "q=a&limit=101": (422, ["limit"]),
    "q=a&limit=1e9": (422, ["limit"]),
    "q=a&cursor=nonsense": (422, ["cursor"]),
    "q=a&cursor=": (422, ["cursor"]),
    "q=a&cursor=WyJmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmYiXQ": (200, []),
    "q=a&cursor=WyIwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAiXQ": (200, []),
}


async def test_hostile_queries_are_answered(server: Server) -> None:
    """Whatever stands in a query, it is text: nothing is a pattern, and faults name the field."""
    async with signed_up(server.url, "Ada Hostile", "Bob Hostile") as (ada, bob):
        room = await direct(ada, bob)
        for content in ("100% .* (a+)+$ {}", "a" * 4000, "a" + "\u0301" * 3999, "aaa " * 1000):
            await say(ada, room, content)
        for query, (status, fields) in HOSTILE.items():
            for path in ("/messages/search", f"/messages/{room}/search"):
                answer = await ada.http.get(f"{path}?{query}")
                body = answer.json()

                assert answer.status_code == status, (query, body)
                assert [each["field"] for each in body.get("errors") or ()] == fields, query
        assert await _found(ada, ".*") == await _found(ada, "%") == await _found(ada, "z*") == []


async def test_the_found_survives_a_crash(tmp_path: Path) -> None:
    """What was acknowledged is found after the server was killed, by its last words."""
    with Server(tmp_path / "data") as server:
        async with signed_up(server.url, "Ada Crash", "Bob Crash") as (ada, bob):
            room = await direct(ada, bob)
            socket = await ada.connect()
            one, two = await say(ada, room, "alpha"), await say(ada, room, "beta")
            await socket.call("edit_message", {"messageId": one["id"], "content": "gamma"})
            await socket.call("delete_message", {"messageId": two["id"]})
            server.kill()
            server.start()

            found = [await _found(ada, each) for each in ("alpha", "beta", "gamma")]
    assert found == [[], [], ["gamma"]]
