"""Anything at all, made up by hypothesis: bodies for every route, frames for one open socket."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatme_tests.client import Json, Socket
from chatme_tests.flows.hostile import (
    ABSENT,
    COMMANDS,
    ENDING,
    ROUTES,
    World,
    check_envelope,
    faultless_server,
    world,
)
from chatme_tests.server import Server

WITH_BODY = [each for each in ROUTES if "body" in each.parameters]
SURVIVED = [each for each in WITH_BODY if (each.method, each.path) != ENDING]
# A sign-in that fails closes its socket, by contract: it has tests of its own.
EVENTS = sorted({each.event for each in COMMANDS} - {"auth"})
FIELDS = sorted(
    {
        name
        for shape in [
            *(row.parameters["body"] for row in WITH_BODY),
            *(row.shape for row in COMMANDS),
        ]
        for name in shape.model_json_schema(by_alias=True).get("properties", {})
    }
)
BOUNDED = settings(max_examples=100, deadline=None, derandomize=True, database=None)

# What strangers like to send, between what hypothesis makes up.
_WORDS = st.sampled_from(["", " ", "\x00", "$ne", "a\nb", ABSENT, "direct", "image", "admin", "👍"])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(st.characters(), max_size=40)
    | _WORDS
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*FIELDS, "$ne", "$where", ""]), inner, max_size=4)
    ),
    max_leaves=12,
)
_DATA = st.dictionaries(st.sampled_from([*FIELDS, "$gt", "unknown"]), _VALUES, max_size=6)
_EVENT = st.sampled_from(EVENTS) | _WORDS
_FRAMES = st.fixed_dictionaries({"event": _EVENT, "data": _DATA | _VALUES}) | _DATA | _VALUES

Driver = Callable[[Callable[[World, Socket], Coroutine[Any, Any, None]]], None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits, whose log is looked at in the end."""
    with faultless_server(tmp_path_factory.mktemp("any") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def drive(server: Server) -> Iterator[Driver]:
    """Runs one example after the other in one loop, on one open socket."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        here = runner.run(stack.enter_async_context(world(server.url)))
        socket = runner.run(here.ada.connect())
        yield lambda example: runner.run(example(here, socket))
        runner.run(stack.aclose())


def _known_ids(value: Any, here: World) -> Any:
    """The same value with ids of things that are there where it had an id of nothing."""
    if isinstance(value, dict):
        known = {"conversationId": here.group, "messageId": here.message, "userId": here.bob.id}
        return {
            key: known.get(key, ABSENT) if each == ABSENT else _known_ids(each, here)
            for key, each in value.items()
        }
    return [_known_ids(each, here) for each in value] if isinstance(value, list) else value


async def _answers(socket: Socket, text: str | bytes) -> list[Json]:
    """The acks and errors to a frame: frames are worked in order, and a ping comes after it."""
    seen = len(socket.frames)
    await socket.connection.send(text, text=True)
    assert await socket.call("ping") == {}
    return [each for each in socket.frames[seen:-1] if each["event"] in {"ack", "error"}]


@pytest.mark.parametrize("endpoint", SURVIVED, ids=lambda each: f"{each.method} {each.path}")
def test_any_body_is_answered(drive: Driver, endpoint: Any) -> None:
    """Whatever the body, the answer is a success or a refusal in the envelope, never a 5xx."""

    @settings(BOUNDED, max_examples=max(10, 300 // len(WITH_BODY)))
    @given(_DATA | _VALUES)
    def any_body(value: object) -> None:
        async def example(here: World, _socket: Socket) -> None:
            body = json.dumps(_known_ids(value, here)).encode()
            response = await here.ada.http.request(
                endpoint.method,
                here.path(endpoint),
                content=body,
                headers={"Content-Type": "application/json"},
            )
            if not response.is_success:
                check_envelope(response, 400, 401, 403, 404, 409, 422)

        drive(example)

    any_body()


def test_any_bytes_are_answered(drive: Driver) -> None:
    """Bytes that nobody meant as a body are refused in the envelope."""

    @BOUNDED
    @given(st.sampled_from(WITH_BODY), st.binary(max_size=200))
    def any_bytes(endpoint: Any, body: bytes) -> None:
        async def example(here: World, _socket: Socket) -> None:
            headers = {"Content-Type": "application/json"}
            response = await here.ada.http.request(
                endpoint.method, here.path(endpoint), content=body, headers=headers
            )
            check_envelope(response, 400, 422)

        drive(example)

    any_bytes()


def test_any_frame_with_an_id_is_answered_once(drive: Driver) -> None:
    """Whatever the frame, one with an id gets exactly one answer with that id, and all live on."""
    numbers = itertools.count()

    @settings(BOUNDED, max_examples=200)
    @given(_DATA | st.fixed_dictionaries({"event": _EVENT, "data": _DATA | _VALUES}))
    def any_frame(frame: Json) -> None:
        async def example(here: World, socket: Socket) -> None:
            name = f"mine-{next(numbers)}"
            text = json.dumps({**_known_ids(frame, here), "id": name})
            (answer,) = await _answers(socket, text)
            # What is not JSON (NaN is not) shows no id.
            assert answer.get("id") == name or answer["data"]["code"] == "bad_frame"
            assert answer["data"].get("code") != "internal_error"
            assert [each.get("id") for each in socket.frames].count(name) <= 1

        drive(example)

    any_frame()


def test_any_frame_without_an_id_is_answered_once_at_most(drive: Driver) -> None:
    """Without an id success is silent and failure is one error, never a closed socket."""

    @BOUNDED
    @given(_FRAMES)
    def any_frame(value: Any) -> None:
        async def example(here: World, socket: Socket) -> None:
            frame = _known_ids(value, here)
            if isinstance(frame, dict):
                frame.pop("id", None)
            found = await _answers(socket, json.dumps(frame))
            assert [each["event"] for each in found] in ([], ["error"])
            assert all("id" not in each for each in found)

        drive(example)

    any_frame()


def test_any_text_is_answered_once(drive: Driver) -> None:
    """A text that nobody meant as a frame is one error, and the socket lives."""

    @BOUNDED
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
    def any_text(text: str) -> None:
        async def example(_here: World, socket: Socket) -> None:
            (answer,) = await _answers(socket, text)
            assert answer["event"] == "error"
            assert answer["data"]["code"] == "bad_frame"

        drive(example)

    any_text()
