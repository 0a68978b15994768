"""Text that means something to parsers, patterns and terminals, and nothing to us."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from chatme.http.endpoint import Endpoint
from chatme_tests.client import User, sign_up
from chatme_tests.flows.hostile import (
    ROUTES,
    World,
    check_envelope,
    faultless_server,
    label,
    names_field,
    world,
)
from chatme_tests.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")
SEARCHES = [
    each
    for each in ROUTES
    if "query" in each.parameters and "q" in each.parameters["query"].model_fields
]
WITH_QUERY = [each for each in ROUTES if "query" in each.parameters]
PATTERNS = (
    *(".*", "^.", "[a-z]+", "(a+)+$", "a|b", "\\w\\w", "(?i)ada", "%%", "__", "??", "*a", "$where"),
    *('{"$ne":null}', "{$regex:.*}", "' OR 1=1 --", '" OR "', "a* OR b*", "NEAR(a b)", "q:ada"),
    "(" * 60,
    "a" * 50 + "!",
)
RIGHT_TO_LEFT = "\u202eadA \u2067gnirts\u2069\u200f\u061c"
ENDLESS = "n" * 4096


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits, whose log is looked at in the end."""
    with faultless_server(tmp_path_factory.mktemp("text") / "data") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(server: Server) -> AsyncIterator[World]:
    """Two users who talk."""
    async with world(server.url) as made:
        yield made


@pytest.mark.parametrize("endpoint", SEARCHES, ids=label)
async def test_a_pattern_finds_nothing(here: World, endpoint: Endpoint) -> None:
    """What is searched for is text: no pattern or operator finds what does not hold it."""
    for pattern in PATTERNS:
        found = await here.ada.http.get(here.path(endpoint), params={"q": pattern})
        assert found.status_code in (200, 422), (pattern, found.text)
        assert found.json().get("items", []) == [], pattern


@pytest.mark.parametrize("endpoint", WITH_QUERY, ids=label)
async def test_thousands_of_parameters_are_survived(here: World, endpoint: Endpoint) -> None:
    """10,000 parameters are no fault: unknown ones are ignored, of one given often one counts."""
    path = here.path(endpoint)
    for query in ("a&" * 10_000, "limit=1&" * 7_000, "&" * 60_000, "q[]=x&" * 8_000):
        answer = await here.ada.http.get(f"{path}?{query}")
        assert answer.status_code in (200, 422), answer.text


async def _rename(user: User, name: str) -> int:
    response = await user.http.patch("/users/me", json={"displayName": name})
    if response.status_code == 422:
        assert names_field(check_envelope(response, 422)["errors"], "displayName")
    return response.status_code


@pytest.mark.parametrize(
    "name", ["a\x00b", "\x00" * 5, ENDLESS, "\u202e" * 4096, " \n\t ", "\u2003"]
)
async def test_a_name_that_is_none_is_refused(here: World, name: str) -> None:
    """A name with a NUL, of 4 kB or of white space alone is a 422 that names it, everywhere."""
    group = f"/conversations/{here.group}/name"
    assert await _rename(here.ada, name) == 422
    answer = await here.ada.http.patch(group, json={"name": name})

    assert names_field(check_envelope(answer, 422)["errors"], "name")


async def test_a_name_may_run_the_other_way(here: World, server: Server) -> None:
    """Marks for writing from right to left are a part of the name: kept, shown and found as such,
    and they turn nothing around them."""
    eve = await sign_up(server.url, "Eve Marks")
    assert await _rename(eve, RIGHT_TO_LEFT) == 200
    found = await here.ada.get("/users/search", q=RIGHT_TO_LEFT.lower())
    mine = await eve.get("/auth/me")
    await eve.http.patch("/users/me", json={"displayName": "Eve Marks"})
    gone = await here.ada.get("/users/search", q=RIGHT_TO_LEFT)
    await eve.aclose()

    assert [each["displayName"] for each in found["items"]] == [RIGHT_TO_LEFT]
    assert mine["displayName"] == RIGHT_TO_LEFT
    assert gone["items"] == []


@pytest.mark.parametrize(
    "part", ["%00", "a%00b", ENDLESS, "%E2%80%AE" * 20, "..%2f" * 50, "%2e%2e"]
)
async def test_a_path_that_is_none_is_not_found(here: World, part: str) -> None:
    """NULs, marks, dots and 4 kB in a path name nothing."""
    for path in (
        f"/users/{part}",
        f"/messages/{part}",
        f"/{part}",
        f"/conversations/{part}/members",
    ):
        check_envelope(await here.ada.http.get(path), 404)
