"""Hostile requests to every route there is: always the envelope, never a 5xx."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote, urlencode

import httpx
import pytest
import pytest_asyncio

from chatme.http.endpoint import Endpoint
from chatme_tests.client import Json, User
from chatme_tests.flows.hostile import (
    ABSENT,
    BAD_IDS,
    ENDING,
    ROUTES,
    RUBBISH,
    World,
    check_envelope,
    faultless_server,
    faults,
    good,
    label,
    names_field,
    path_names,
    world,
)
from chatme_tests.judging import rest_client
from chatme_tests.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")
WITH_BODY = [each for each in ROUTES if "body" in each.parameters]
SURVIVED = [each for each in WITH_BODY if (each.method, each.path) != ENDING]
WITH_QUERY = [each for each in ROUTES if "query" in each.parameters]
WITH_PATH = [each for each in ROUTES if path_names(each)]
CLOSED = [each for each in ROUTES if not each.public]
MEGABYTE = 1024 * 1024
DEEP_PATHS = ("%00", "%ff", "..%2f..%2fetc", "%F0%9F%92%A9", "{%22$ne%22:1}", "null", "%ED%A0%80")
LIMITS = ("0", "101", "1e9", "١٢", "-1", "", "+1", "1.0", "1_0", " 1", "0x10", "9" * 40, "null")


def _opaque(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


CURSORS = (
    "x",
    "!!!!",
    "é",
    "a" * 512,
    *map(_opaque, ([], None, {}, [None], [[]], ["x"], [1, "x"], [1, 2, 3], [{"$gt": ""}, ABSENT])),
    *(_opaque([number]) for number in (-1, 1.5, "x", -(10**18))),
    *(_opaque([number, ABSENT]) for number in (10**18, -(10**18), 10**400, -1)),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits, whose log is looked at in the end."""
    with faultless_server(tmp_path_factory.mktemp("hostile") / "data") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(server: Server) -> AsyncIterator[World]:
    """A world for all tests that leave it as it is."""
    async with world(server.url) as made:
        yield made


async def _send(
    user: User, endpoint: Endpoint, path: str, body: Json | bytes | str, **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    sent = {"Content-Type": "application/json", **headers}
    return await user.http.request(endpoint.method, path, content=content, headers=sent)


def _wanted(endpoint: Endpoint, world: World) -> Json:
    """A body that the route takes."""
    if "body" not in endpoint.parameters:
        return {}
    return good(endpoint.parameters["body"], userId=world.bob.id, memberIds=[world.bob.id])


async def test_all_routes_are_met() -> None:
    """The tables that these tests walk through are not empty."""
    assert len(ROUTES) >= 20
    assert WITH_BODY
    assert WITH_QUERY
    assert WITH_PATH


@pytest.mark.parametrize("endpoint", WITH_PATH, ids=label)
async def test_a_malformed_id_names_nothing(server: Server, endpoint: Endpoint) -> None:
    """What is no id in a path is a 404, and so is an id that nothing has."""
    async with world(server.url) as here:
        body = _wanted(endpoint, here)
        query = good(endpoint.parameters["query"]) if "query" in endpoint.parameters else {}
        for name in path_names(endpoint):
            for bad in (*(quote(each, safe="") for each in BAD_IDS if each), *DEEP_PATHS, ABSENT):
                path = f"{here.path(endpoint, **{name: bad})}?{urlencode(query)}"
                check_envelope(await _send(here.ada, endpoint, path, body), 404)


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=label)
async def test_a_faulty_field_is_named(here: World, endpoint: Endpoint) -> None:
    """Each field that is missing, null, of a wrong type or out of range is a 422 that names it."""
    path = here.path(endpoint)
    for field, body in faults(endpoint.parameters["body"]):
        answer = check_envelope(await _send(here.ada, endpoint, path, body), 422)
        assert answer["code"] == "validation_failed"
        assert names_field(answer["errors"], field), (field, body, answer)


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=label)
async def test_what_is_no_object_is_refused(here: World, endpoint: Endpoint) -> None:
    """A body that is JSON but no object is a 422."""
    path = here.path(endpoint)
    for body in ("[]", "[[]]", '"text"', '""', "7", "1.5", "true", "null", "[{}]"):
        check_envelope(await _send(here.ada, endpoint, path, body), 422)


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=label)
async def test_rubbish_is_refused(here: World, endpoint: Endpoint) -> None:
    """A body that is not JSON is a 400, however long, deep or broken it is."""
    path = here.path(endpoint)
    for rubbish in RUBBISH.values():
        check_envelope(await _send(here.ada, endpoint, path, rubbish), 400)
    for body in ('{"content": "\\ud800"}', f'{{"a": {"9" * 5000}}}', "\ufeff{}"):
        check_envelope(await _send(here.ada, endpoint, path, body), 400, 422)


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=label)
async def test_another_type_is_refused(here: World, endpoint: Endpoint) -> None:
    """A body that is not said to be JSON is a 415; a charset and capitals are no fault."""
    types = "text/plain text/json application/x-www-form-urlencoded multipart/form-data json */*"
    path = here.path(endpoint)
    for kind in (*types.split(), "application/jsonp", "application/json, text/plain", ""):
        answer = await _send(here.ada, endpoint, path, "{}", **{"Content-Type": kind})
        check_envelope(answer, 415)
    known = {"Content-Type": "Application/JSON ; charset=utf-8"}
    check_envelope(await _send(here.ada, endpoint, path, "[]", **known), 422)


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=label)
async def test_too_much_is_refused(here: World, endpoint: Endpoint) -> None:
    """A body over 1 MiB is a 413, with or without its length; one of just 1 MiB is read."""

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 65536):
            yield b" " * 65536
        yield b"[]"

    path = here.path(endpoint)
    whole = b" " * (MEGABYTE - 2) + b"[]"
    check_envelope(await _send(here.ada, endpoint, path, whole), 422)
    check_envelope(await _send(here.ada, endpoint, path, b" " + whole), 413)
    headers = {"Content-Type": "application/json"}
    chunked = await here.ada.http.request(
        endpoint.method, path, content=pieces(MEGABYTE), headers=headers
    )
    check_envelope(chunked, 413)


@pytest.mark.parametrize("endpoint", SURVIVED, ids=label)
async def test_what_is_unknown_is_ignored(server: Server, endpoint: Endpoint) -> None:
    """Unknown fields are ignored, whatever they hold; of a field given twice one counts."""
    more = {"__proto__": {"a": 1}, "$where": "1", "_id": ABSENT, "role": "admin", "": [[]]}
    async with world(server.url) as here:
        body = _wanted(endpoint, here)
        path = here.path(endpoint)
        plain = await _send(here.ada, endpoint, path, body)
        padded = await _send(here.ada, endpoint, path, {**more, **body})
        twice = json.dumps(body)[:-1] + ", " + json.dumps(body)[1:] if body else "{}"
        doubled = await _send(here.ada, endpoint, path, twice)

        assert plain.status_code < 500
        assert padded.status_code // 100 == plain.status_code // 100 or padded.status_code == 409
        assert doubled.status_code < 500
        assert (await here.ada.get("/auth/me"))["role"] == "user"


@pytest.mark.parametrize("endpoint", WITH_QUERY, ids=label)
async def test_a_faulty_query_is_named(here: World, endpoint: Endpoint) -> None:
    """Each faulty field of a query is a 422 that names it, and a field twice is no fault."""
    shape = endpoint.parameters["query"]
    fields = shape.model_json_schema(by_alias=True)["properties"]
    base = {name: str(value) for name, value in good(shape).items()}
    path = here.path(endpoint)
    for field in fields:
        values: tuple[str, ...] = ("a\x00b", "x" * 2000)
        values += LIMITS if field == "limit" else ()
        values += CURSORS if field == "cursor" else ()
        values += BAD_IDS if field in {"before", "after"} else ()
        for value in values:
            response = await here.ada.http.get(path, params={**base, field: value})
            answer = check_envelope(response, 422)
            assert names_field(answer["errors"], field), (field, value, answer)
    for query in (
        "limit=5&limit=6&q=ab&q=cd",
        "q=%ff%fe",
        "q=ab&%00=1",
        "&&==&q=ab",
        "q[$ne]=1",
    ):
        assert (await here.ada.http.get(f"{path}?{query}")).status_code < 500


@pytest.mark.parametrize("endpoint", CLOSED, ids=label)
async def test_nobody_is_asked_to_sign_in(here: World, endpoint: Endpoint) -> None:
    """Without a genuine token every closed route is a 401, before it looks at anything else."""
    forged = ("", "Bearer", "Basic YTpi", "Bearer a.b.c", "Bearer " + "x" * 5000)
    tokens = (*forged, f"Token {here.ada.token}", f"Bearer {here.ada.token}x", here.ada.token)
    for token in tokens:
        for path in (here.path(endpoint), endpoint.path.replace("{", "").replace("}", "")):
            sent = await _send(here.ada, endpoint, path, "[", Authorization=token)
            assert check_envelope(sent, 401)["code"] == "not_authenticated"
            assert sent.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "x" * 4000, '"', "..", "$ne", "%00", "{}"])
async def test_a_made_up_cookie_is_no_session(server: Server, cookie: str) -> None:
    """Whatever is in the cookie, it refreshes nothing and signs nobody out."""
    async with rest_client(base_url=f"{server.url}/api/v1") as http:
        headers = {"Cookie": f"refresh_token={cookie}"}
        refreshed = await http.post("/auth/refresh", headers=headers)
        left = await http.post("/auth/logout", headers=headers)

    assert check_envelope(refreshed, 401)["code"] == "session_ended"
    assert check_envelope(left, 401)["code"] in {"session_ended", "not_authenticated"}
