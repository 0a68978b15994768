"""Hostile frames for every event there is: always an answer, and the socket lives where it may."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest
import pytest_asyncio

from chatme.realtime.dispatcher import Command
from chatme.realtime.frames import MAX_FRAME_BYTES
from chatme_tests.client import Json, Socket, open_socket
from chatme_tests.flows.hostile import (
    ABSENT,
    COMMANDS,
    World,
    faultless_server,
    faults,
    good,
    label,
    names_field,
    nested,
    world,
)
from chatme_tests.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")
PING = '{"event": "ping"}'
# What closes a socket by contract when it fails: it is met on its own.
SIGN_IN = "auth"
CLOSED = [each for each in COMMANDS if not each.public]
DEPTH = MAX_FRAME_BYTES // 2 - 100

BAD_FRAMES: Mapping[str, str] = {
    "nothing": "",
    "white space": "  \n",
    "word": "hello",
    "half": '{"event": "ping"',
    "two": PING + PING,
    "array": "[]",
    "array of a frame": f"[{PING}]",
    "string": '"ping"',
    "number": "7",
    "null": "null",
    "not a number": '{"event": "ping", "data": {"a": NaN}}',
    "deep": nested(DEPTH, "[", "]"),
    "only openings": "[" * (MAX_FRAME_BYTES - 1),
    "lone surrogate": '{"event": "\\ud800"}',
    "NUL": '{"event": "ping\x00"}',
    "no event": "{}",
    "event is null": '{"event": null}',
    "event is a number": '{"event": 1}',
    "event is an array": '{"event": ["ping"]}',
    "event is an object": '{"event": {"$ne": 1}}',
    "Socket.io": '42["ping", {}]',
}
BAD_IDS: Mapping[str, str] = {
    "null": "null",
    "true": "true",
    "fraction": "1.5",
    "empty": '""',
    "long": f'"{"x" * 129}"',
    "array": "[1]",
    "object": '{"$ne": 1}',
    "too large": "9" * 30,
    "5,000 digits": "9" * 5000,
}
GOOD_IDS: Mapping[str, str] = {
    "zero": "0",
    "negative": "-1",
    "largest": str(2**53 - 1),
    "smallest": str(-(2**63)),
    "string": '"a"',
    "digits": '"1"',
    "long": f'"{"x" * 128}"',
    "any text": '"\\u0000 \\" \\\\ ünï 👍"',
}
UNKNOWN = ("dance", "", "PING", " ping", "connected", "ack", "error", "new_message", "__class__")
BAD_DATA = ("null", "[]", '"text"', "7", "true", "[{}]")


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


@pytest_asyncio.fixture(loop_scope="module")
async def socket(here: World) -> AsyncIterator[Socket]:
    """An open socket of the test's own."""
    opened = await here.ada.connect()
    yield opened
    await opened.aclose()


async def _answers(socket: Socket, text: str) -> list[Json]:
    """What the server says to a frame: all errors, and acks, until a ping after it is acked."""
    seen = len(socket.frames)
    await socket.connection.send(text)
    assert await socket.call("ping") == {}
    return [each for each in socket.frames[seen:-1] if each["event"] in {"ack", "error"}]


async def _error(socket: Socket, text: str) -> Json:
    """The one answer to a frame, an error; the socket lives."""
    (answer,) = await _answers(socket, text)
    assert answer["event"] == "error", (text[:200], answer)
    assert {"code", "message", "errors"} <= set(answer["data"])
    return answer


def _frame(event: str, data: object, frame_id: str = "mine") -> str:
    return json.dumps({"event": event, "data": data, "id": frame_id})


def _known(command: Command, here: World) -> Json:
    """Data that the command takes."""
    known = {"conversationId": here.group, "messageId": here.message, "token": here.ada.token}
    more = {"content": "text"} if "content" in command.shape.model_fields else {}
    return good(command.shape, **known) | more


async def test_all_commands_are_met() -> None:
    """The tables that these tests walk through are not empty."""
    assert {"auth", "ping", "send_message"} <= {each.event for each in COMMANDS}
    assert len({each.event for each in COMMANDS}) == len(COMMANDS)


async def test_a_bad_frame_is_told(socket: Socket) -> None:
    """What is no frame is one error without an id, and the socket lives."""
    for text in BAD_FRAMES.values():
        answer = await _error(socket, text)
        assert answer["data"]["code"] in {"bad_frame", "unknown_event"}, text[:200]
        assert "id" not in answer


async def test_a_bad_id_is_told(socket: Socket) -> None:
    """A frame whose id is neither a short string nor an integer is refused, without one."""
    for text in BAD_IDS.values():
        answer = await _error(socket, f'{{"event": "dance", "id": {text}}}')
        assert (answer["data"]["code"], "id" in answer) == ("bad_frame", False), text[:50]


async def test_a_good_id_comes_back(socket: Socket) -> None:
    """An id comes back as it was, of the same type, with an ack and with an error alike."""
    for text in GOOD_IDS.values():
        wanted = json.loads(text)
        (ack,) = await _answers(socket, f'{{"event": "ping", "id": {text}}}')
        errors = [
            await _error(socket, f'{{"event": "dance", "id": {text}}}'),
            await _error(socket, f'{{"id": {text}}}'),
            await _error(socket, f'{{"event": "ping", "data": 1, "id": {text}}}'),
        ]
        assert ack["event"] == "ack"
        for answer in (ack, *errors):
            assert (answer["id"], type(answer["id"])) == (wanted, type(wanted))


async def test_an_unknown_event_is_told(socket: Socket) -> None:
    """An event that clients do not send is unknown, with its id or without."""
    for event in UNKNOWN:
        named = await _error(socket, _frame(event, {}))
        bare = await _error(socket, json.dumps({"event": event}))
        assert (named["data"]["code"], named["id"]) == ("unknown_event", "mine")
        assert (bare["data"]["code"], "id" in bare) == ("unknown_event", False)


@pytest.mark.parametrize("command", COMMANDS, ids=label)
async def test_bad_data_is_told(socket: Socket, command: Command) -> None:
    """Data that is no object, and each faulty field, is one error that names it; all live on."""
    for data in BAD_DATA:
        text = f'{{"event": "{command.event}", "id": "mine", "data": {data}}}'
        answer = await _error(socket, text)
        assert (answer["data"]["code"], answer["id"]) == ("validation_failed", "mine")
    for field, faulty in faults(command.shape):
        answer = await _error(socket, _frame(command.event, faulty))
        assert (answer["data"]["code"], answer["id"]) == ("validation_failed", "mine"), faulty
        assert names_field(answer["data"]["errors"], field), (field, faulty, answer)
        assert socket.close_code is None


@pytest.mark.parametrize("command", COMMANDS, ids=label)
async def test_what_is_unknown_is_ignored(server: Server, command: Command) -> None:
    """Unknown fields of a frame and of its data are ignored, whatever they hold."""
    more = {"__proto__": {"a": 1}, "$where": "1", "_id": ABSENT, "userId": 7, "": [[]]}
    async with world(server.url) as here, world(server.url) as there:
        socket, other = await here.ada.connect(), await there.ada.connect()
        (plain,) = await _answers(socket, _frame(command.event, _known(command, here)))
        data = {**more, **_known(command, there)}
        frame = {**more, "event": command.event, "data": data, "id": "mine"}
        (padded,) = await _answers(other, json.dumps(frame))

        assert (plain["event"], plain["id"]) == (padded["event"], padded["id"]), (plain, padded)
        assert plain["data"].get("code") == padded["data"].get("code"), (plain, padded)
        assert plain["data"].get("code") != "validation_failed"


@pytest.mark.parametrize("command", CLOSED, ids=label)
async def test_what_is_not_there_is_not_found(server: Server, command: Command) -> None:
    """Ids of nothing, and those of others, are answered once and alike."""
    ids = {"conversationId", "messageId"}
    async with world(server.url) as here, world(server.url) as there:
        socket, strange = await here.ada.connect(), _known(command, there)
        absent = {**strange, **dict.fromkeys(ids & set(strange), ABSENT)}
        answers = [
            (await _answers(socket, _frame(command.event, data))) for data in (strange, absent)
        ]

        assert [len(each) for each in answers] == [1, 1]
        if ids & set(strange):
            codes = [each["data"].get("code") for (each,) in answers]
            assert codes == ["not_found", "not_found"]


@pytest.mark.parametrize("command", CLOSED, ids=label)
async def test_nobody_is_asked_to_sign_in(server: Server, command: Command) -> None:
    """Before the sign-in an event that needs one is an error, and the socket may still sign in."""
    async with world(server.url) as here:
        socket = await open_socket(server.socket_url)
        answer = await _error(socket, _frame(command.event, _known(command, here)))
        assert (answer["data"]["code"], answer["id"]) == ("not_authenticated", "mine")
        assert await socket.call(SIGN_IN, {"token": here.ada.token}) == {"userId": here.ada.id}
        await socket.aclose()
