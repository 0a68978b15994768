"""Searches by name: users and conversations, and what hostile queries meet there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from chatme_tests.client import Json, signed_up
from chatme_tests.flows.life_talk import direct, group, sound_server
from chatme_tests.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits, whose log is looked at in the end."""
    with sound_server(tmp_path_factory.mktemp("names")) as running:
        yield running


async def test_conversations_are_found_by_name_in_pages(server: Server) -> None:
    """Groups go by their name, direct ones by the other's; newest activity first, paged."""
    async with signed_up(server.url, "Ada Named", "Teapot Bob", "Cy Named") as (ada, bob, cy):
        rooms = [await group(ada, cy, name=f"Tea {at}") for at in range(3)]
        await group(ada, cy, name="Coffee")
        rooms.append(await direct(ada, bob))
        found: list[str] = []
        page: Json = {"next": ""}
        while page["next"] is not None:
            query = {"cursor": page["next"]} if page["next"] else {}
            page = await ada.get("/conversations/search", q="TEA", limit=3, **query)
            found += [each["id"] for each in page["items"]]

        assert found == rooms[::-1]
        assert (await bob.get("/conversations/search", q="tea"))["items"] == []
        assert [
            each["id"] for each in (await bob.get("/conversations/search", q="ada"))["items"]
        ] == [rooms[-1]]


async def test_users_are_found_in_small_numbers(server: Server) -> None:
    """At most ten users are found, fewer where fewer are wanted, each with the address."""
    names = [f"Crowd {at}" for at in range(12)]
    async with signed_up(server.url, *names) as users:
        whole = await users[0].get("/users/search", q="crowd")
        few = await users[0].get("/users/search", q="CROWD", limit=3)
        many = await users[0].get("/users/search", q="crowd", limit=100)

        assert (len(whole["items"]), whole["next"]) == (10, None)
        assert few == {"items": whole["items"][:3], "next": None}
        assert many == whole
        assert all(
            set(each) == {"id", "displayName", "avatar", "bio", "email"} for each in whole["items"]
        )


# As they stand in the URL; what each is answered, and the fields at fault.
HOSTILE: Mapping[str, tuple[int, list[str]]] = {
    "q=": (200, []),
    "q=%": (200, []),
    "q=%25%25": (200, []),
    "q=a": (200, []),
    "q=.*": (200, []),
    "q=(a%2B)%2B%24": (200, []),
    "q=(h(o(s)*)*)*!": (200, []),
    "q=%5E%5Bh": (200, []),
    "q=%7B%22$gt%22:%22%22%7D": (200, []),
    "q=%5C%5C": (200, []),
    "q=%0A%0A": (200, []),
    "q=ab%0Acd": (200, []),
    "q=" + "%E2%80%8F" * 100: (200, []),
    "q=" + "%CC%81" * 100: (200, []),
    "q=" + "a" * 100: (200, []),
    "q=" + "a" * 101: (422, ["q"]),
    "q=" + "a" * 4096: (422, ["q"]),
    "q=ab%00cd": (422, ["q"]),
    "q[$ne]=ab": (422, ["q"]),
    "": (422, ["q"]),
    "q=ab&limit=0": (422, ["limit"]),
    "q=ab&limit=101": (422, ["limit"]),
    "q=ab&limit=1e9": (422, ["limit"]),
    "q=ab&limit=%D9%A1": (422, ["limit"]),
}
# The same, where there are pages.
HOSTILE_PAGES: Mapping[str, tuple[int, list[str]]] = {
    **HOSTILE,
    "q=a&cursor=nonsense": (422, ["cursor"]),
    "q=ab&cursor=": (422, ["cursor"]),
}


async def test_hostile_queries_are_text(server: Server) -> None:
    """Whatever stands in a query is text and finds nobody; faults name the field."""
    async with signed_up(server.url, "Hoss Host", "Hosea Host") as (hoss, other):
        await direct(hoss, other)
        for path, queries in (("/users/search", HOSTILE), ("/conversations/search", HOSTILE_PAGES)):
            for query, (status, fields) in queries.items():
                answer = await hoss.http.get(f"{path}?{query}")
                body = answer.json()

                assert answer.status_code == status, (path, query, body)
                assert [each["field"] for each in body.get("errors") or ()] == fields, query
                assert body.get("items", []) == [], (path, query)
