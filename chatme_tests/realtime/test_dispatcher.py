"""Tests for the table of commands."""

from __future__ import annotations

from typing import Annotated

import orjson
import pytest
from pydantic import Field

from chatme.errors import Code, NotFound, RateLimited
from chatme.realtime.dispatcher import Client, Command, Dispatcher
from chatme.realtime.frames import ClientFrame, FrameId
from chatme.shapes import Id, Shape
from chatme_tests.fakes import AlwaysThere, RecordingMeter
from chatme_tests.realtime.fakes import HandlersClient, Text, principal

HEX = "65f0c0ffee65f0c0ffee65f0"


class Ask(Shape):
    """A command's data."""

    to_id: Id
    many: Annotated[int, Field(ge=1)] = 1


class Desk:
    """A service that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []


async def ask(desk: Desk, _client: Client, data: Ask) -> Text:
    """A handler."""
    desk.asked.append(data)
    return Text(a_text=str(data.many))


async def refuse(_desk: Desk, _client: Client, data: Text) -> Text:
    """A handler that refuses."""
    raise NotFound(data.a_text)


async def slow_down(_desk: Desk, _client: Client, data: Text) -> Text:
    """A handler that says when to come back."""
    raise RateLimited(retry_after=2)


async def fail(_desk: Desk, _client: Client, data: Text) -> Text:
    """A handler with a fault of ours."""
    raise ZeroDivisionError


COMMANDS = (
    Command("ask", ask),
    Command("refuse", refuse),
    Command("slow_down", slow_down),
    Command("fail", fail),
    Command("open", ask, public=True),
)


@pytest.fixture
def desk() -> Desk:
    """The service of the test."""
    return Desk()


@pytest.fixture
def dispatcher(desk: Desk) -> Dispatcher:
    """The table, filled."""
    table = Dispatcher(AlwaysThere())
    table.register(COMMANDS, desk)
    return table


def frame(event: str, frame_id: FrameId = None, **data: object) -> ClientFrame:
    """A frame as it was parsed."""
    return ClientFrame(event, data, frame_id)


def signed_in() -> HandlersClient:
    """A client with a user."""
    return HandlersClient(principal())


async def error(dispatcher: Dispatcher, client: HandlersClient, asked: ClientFrame) -> object:
    """The data of the error that answers a frame."""
    answer = orjson.loads(await dispatcher.dispatch(client, asked) or "null")
    assert answer["event"] == "error"
    assert answer.get("id") == asked.id
    return answer["data"]


async def test_a_command_is_acked(dispatcher: Dispatcher, desk: Desk) -> None:
    """A frame with an id is answered by what its handler returned."""
    answer = await dispatcher.dispatch(signed_in(), frame("ask", 7, toId=HEX, many=2))

    assert orjson.loads(answer or "") == {"event": "ack", "id": 7, "data": {"aText": "2"}}
    assert [str(each.to_id) for each in desk.asked] == [HEX]


@pytest.mark.parametrize("frame_id", [0, "0"])
async def test_any_id_is_an_id(dispatcher: Dispatcher, frame_id: FrameId) -> None:
    """An id that looks like nothing is an id all the same."""
    answer = await dispatcher.dispatch(signed_in(), frame("ask", frame_id, toId=HEX))

    assert orjson.loads(answer or "")["id"] == frame_id


async def test_success_without_an_id_is_silent(dispatcher: Dispatcher, desk: Desk) -> None:
    """A frame without an id is worked and not answered."""
    assert await dispatcher.dispatch(signed_in(), frame("ask", toId=HEX)) is None
    assert len(desk.asked) == 1


@pytest.mark.parametrize("event", ["", "nothing", "ASK", "ask ", "__class__", "auth"])
@pytest.mark.parametrize("frame_id", [None, 1])
async def test_an_unknown_event_is_told(
    dispatcher: Dispatcher, event: str, frame_id: FrameId
) -> None:
    """An event that nobody registered is an error, with an id or without."""
    told = await error(dispatcher, signed_in(), frame(event, frame_id))

    assert told == {
        "code": "unknown_event",
        "message": "There is no such event.",
        "errors": None,
    }


@pytest.mark.parametrize("frame_id", [None, 1])
async def test_bad_data_is_told(dispatcher: Dispatcher, desk: Desk, frame_id: FrameId) -> None:
    """Faulty data is an error that names each field, and the handler does not run."""
    told = await error(dispatcher, signed_in(), frame("ask", frame_id, toId="x", many="1"))

    assert told == {
        "code": "validation_failed",
        "message": "Some fields are not valid.",
        "errors": [
            {"field": "toId", "message": "must be an id of 24 hex digits"},
            {"field": "many", "message": "must be a whole number"},
        ],
    }
    assert desk.asked == []


async def test_names_are_those_of_the_wire(dispatcher: Dispatcher) -> None:
    """A field under its inner name is an unknown one."""
    told = await error(dispatcher, signed_in(), frame("ask", 1, to_id=HEX))

    assert isinstance(told, dict)
    assert told["errors"] == [{"field": "toId", "message": "is required"}]


async def test_strangers_are_told_to_sign_in(dispatcher: Dispatcher, desk: Desk) -> None:
    """A command that needs a user is refused before its data is looked at."""
    told = await error(dispatcher, HandlersClient(), frame("ask", 1, toId="x"))

    assert isinstance(told, dict)
    assert told["code"] == Code.NOT_AUTHENTICATED
    assert desk.asked == []


async def test_a_public_command_is_for_strangers_too(dispatcher: Dispatcher) -> None:
    """A public command is worked without a user."""
    answer = await dispatcher.dispatch(HandlersClient(), frame("open", 1, toId=HEX))

    assert orjson.loads(answer or "")["event"] == "ack"


@pytest.mark.parametrize("frame_id", [None, 1])
async def test_a_refusal_is_told(dispatcher: Dispatcher, frame_id: FrameId) -> None:
    """What a handler refuses is an error, with an id or without."""
    told = await error(dispatcher, signed_in(), frame("refuse", frame_id, aText="Gone."))

    assert told == {"code": "not_found", "message": "Gone.", "errors": None}


async def test_when_to_come_back_is_told(dispatcher: Dispatcher) -> None:
    """An error that says when to try again says so on the wire."""
    told = await error(dispatcher, signed_in(), frame("slow_down", 1))

    assert isinstance(told, dict)
    assert told["retryAfter"] == 2


async def test_a_fault_of_ours_goes_up(dispatcher: Dispatcher) -> None:
    """A fault of ours is not swallowed here: the socket's edge logs and answers it."""
    with pytest.raises(ZeroDivisionError):
        await dispatcher.dispatch(signed_in(), frame("fail", 1))


async def test_each_service_works_its_own() -> None:
    """Commands of several services stand in one table, each bound to its own."""
    first, second, table = Desk(), Desk(), Dispatcher(AlwaysThere())
    table.register([Command("one", ask)], first)
    table.register([Command("two", ask)], second)
    await table.dispatch(signed_in(), frame("two", toId=HEX))

    assert (len(first.asked), len(second.asked)) == (0, 1)


def test_the_signature_names_the_shape() -> None:
    """A row knows the shape of its data from its handler's signature."""
    assert Command("ask", ask).shape is Ask


async def test_frames_are_counted(desk: Desk) -> None:
    """Each frame counts under its event, to its outcome, and so does its answer, if any; an event
    that nobody knows has no name of its own."""
    meter = RecordingMeter()
    table = Dispatcher(AlwaysThere(), meter)
    table.register(COMMANDS, desk)
    await table.dispatch(signed_in(), frame("ask", 1, toId=HEX))
    await table.dispatch(signed_in(), frame("ask", toId=HEX))
    await table.dispatch(signed_in(), frame("refuse", 2, aText="x"))
    await table.dispatch(signed_in(), frame("x" * 1000))
    with pytest.raises(ZeroDivisionError):
        await table.dispatch(signed_in(), frame("fail", 3, aText="x"))

    assert meter.told == [
        ("worked", "ask", None),
        ("sent", "ack", 1),
        ("worked", "ask", None),
        ("worked", "refuse", "not_found"),
        ("sent", "error", 1),
        ("worked", "unknown", "unknown_event"),
        ("sent", "error", 1),
        ("worked", "fail", "internal_error"),
    ]


def test_a_refusal_is_counted(desk: Desk) -> None:
    """A frame that is not worked at all counts as refused, and is answered."""
    meter = RecordingMeter()
    answer = orjson.loads(Dispatcher(AlwaysThere(), meter).refuse(7, RateLimited(retry_after=2)))

    assert (answer["event"], answer["id"], answer["data"]["retryAfter"]) == ("error", 7, 2)
    assert meter.told == [("refused", "socket", "rate_limited"), ("sent", "error", 1)]
