"""Tests for the JSON frames of `/chat`, by plain calls."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatme.errors import BadRequest, ChatMeError, Code, FieldFault, Invalid, RateLimited
from chatme.realtime.frames import (
    MAX_FRAME_BYTES,
    ClientFrame,
    FrameFault,
    FrameId,
    ack_frame,
    error_frame,
    event_frame,
    parse_frame,
)
from chatme_tests.realtime.fakes import Text

SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
BAD_IDS = (
    *("null", "true", "false", "1.5", "1.0", "1e3", '""', "[]", "{}", '["a"]'),
    *(str(2**64), str(-(2**63) - 1), '"' + "a" * 129 + '"'),
)
NOT_JSON = (
    *("", " ", "{", "ping", "'ping'", "\ufeff{}", "\ud800", "[" * 60_000),
    *('{"event": "ping"', '{"event": "ping"}}', '{"event": "a\nb"}', '{"event": NaN}'),
    *('{"event": "e", "data": {"a": Infinity}}', '{"event": "\\ud800"}'),
    '{"event": "e", "data": {"n": ' + "9" * 5000 + "}}",
    '{"a":' * 10_000 + "1" + "}" * 10_000,
)
LIKELY = st.fixed_dictionaries({}, optional={"event": JSON, "data": JSON, "id": JSON})


def fault(text: str) -> FrameFault:
    """What is wrong with a frame."""
    with pytest.raises(FrameFault) as caught:
        parse_frame(text)
    return caught.value


def test_a_frame_is_read() -> None:
    """A frame's event, data and id are read, and what else it holds is ignored."""
    frame = parse_frame('{"event": "send", "data": {"a": [1, null]}, "id": "x", "more": 1}')

    assert frame == ClientFrame("send", {"a": [1, None]}, "x")


def test_data_and_id_may_be_left_out() -> None:
    """A frame without data has empty data, one without an id asks for no answer."""
    assert parse_frame('{"event": "ping"}') == ClientFrame("ping", {}, None)


@pytest.mark.parametrize(
    "frame_id", ["a", "0", "ü", " ", "a" * 128, "\n", 0, 1, -1, 2**53, -(2**63), 2**64 - 1]
)
def test_an_id_is_a_string_or_an_integer(frame_id: str | int) -> None:
    """An id keeps its type and value, on the way in and on the way out."""
    frame = parse_frame(json.dumps({"event": "e", "id": frame_id}))
    ack = orjson.loads(ack_frame(frame_id, Text()))

    assert frame.id == ack["id"] == frame_id
    assert type(frame.id) is type(ack["id"]) is type(frame_id)


@pytest.mark.parametrize("frame_id", BAD_IDS)
def test_another_id_is_a_bad_frame(frame_id: str) -> None:
    """An id of another type or size is a bad frame, and is not sent back."""
    found = fault(f'{{"event": "e", "id": {frame_id}}}')

    assert found.error.code is Code.BAD_FRAME
    assert found.frame_id is None


@pytest.mark.parametrize("text", NOT_JSON, ids=lambda text: ascii(text)[:20])
def test_what_is_not_json_is_a_bad_frame(text: str) -> None:
    """A text that is not JSON is a bad frame without an id."""
    found = fault(text)

    assert (found.error.code, found.frame_id) == (Code.BAD_FRAME, None)
    assert found.error.message == "The frame is not JSON."


@pytest.mark.parametrize("text", ["[]", "null", "1", '"ping"', "true", '[{"event": "ping"}]'])
def test_what_is_no_object_is_a_bad_frame(text: str) -> None:
    """JSON that is no object is a bad frame."""
    found = fault(text)

    assert (found.error.code, found.frame_id) == (Code.BAD_FRAME, None)
    assert found.error.message == "The frame is not an object."


@pytest.mark.parametrize("event", ["", '"event": null,', '"event": 1,', '"event": ["e"],'])
@pytest.mark.parametrize(("frame_id", "known"), [('"id": 7,', 7), ('"id": "x",', "x"), ("", None)])
def test_a_frame_without_an_event_is_bad(event: str, frame_id: str, known: FrameId) -> None:
    """A frame that names no event is a bad frame, and its callback is answered."""
    found = fault(f'{{{event} {frame_id} "data": {{}}}}')

    assert (found.error.code, found.frame_id) == (Code.BAD_FRAME, known)


@pytest.mark.parametrize("data", ["null", "1", "[]", '"a"', "true"])
@pytest.mark.parametrize(("frame_id", "known"), [('"id": 7,', 7), ("", None)])
def test_data_that_is_no_object_is_invalid(data: str, frame_id: str, known: FrameId) -> None:
    """Data that is no object is a fault of the field data, and its callback is answered."""
    found = fault(f'{{"event": "e", {frame_id} "data": {data}}}')

    assert (found.error.code, found.frame_id) == (Code.VALIDATION_FAILED, known)
    assert found.error.faults == (FieldFault("data", "must be an object"),)


def test_any_event_name_is_a_name() -> None:
    """Which events there are is not decided here: any string is a name."""
    assert parse_frame('{"event": ""}').event == ""
    assert parse_frame(json.dumps({"event": "__class__"})).event == "__class__"


def test_events_are_framed() -> None:
    """An event goes out with its name and camelCase data."""
    assert event_frame("said", Text(a_text='"é\n')) == (
        '{"event":"said","data":{"aText":"\\"é\\n"}}'
    )


def test_acks_are_framed() -> None:
    """An ack carries the id and what the handler returned."""
    assert ack_frame("1", Text(a_text="x")) == '{"event":"ack","id":"1","data":{"aText":"x"}}'
    assert ack_frame(1, Text()) == '{"event":"ack","id":1,"data":{"aText":""}}'


@pytest.mark.parametrize("frame_id", [None, "x", 0])
def test_errors_are_framed(frame_id: FrameId) -> None:
    """An error frame has code, message and errors, and an id exactly where the frame had one."""
    frame = orjson.loads(error_frame(frame_id, BadRequest("No.")))
    told = {"code": "bad_request", "message": "No.", "errors": None}

    assert frame.pop("id", None) == frame_id
    assert frame == {"event": "error", "data": told}


def test_an_id_of_nothing_is_left_out() -> None:
    """Without an id the error frame has no id at all, not a null."""
    assert "id" not in orjson.loads(error_frame(None, BadRequest()))


def test_faults_are_listed() -> None:
    """The faulty fields are in the frame."""
    frame = orjson.loads(error_frame(1, Invalid.field("content", "is required")))

    assert frame["data"]["errors"] == [{"field": "content", "message": "is required"}]


def test_retry_after_stands_only_where_it_helps() -> None:
    """An error says in seconds when to try again where that helps, and only there."""
    later = orjson.loads(error_frame(1, RateLimited(retry_after=1.5)))

    assert later["data"]["retryAfter"] == 1.5
    assert "retryAfter" not in orjson.loads(error_frame(1, RateLimited()))["data"]


def test_the_limit_is_the_contracts() -> None:
    """A frame holds up to 64 KiB."""
    assert MAX_FRAME_BYTES == 65536


def is_frame_or_fault(text: str) -> bool:
    """Tell whether a text is a sane frame, or a fault that can be answered."""
    try:
        frame = parse_frame(text)
    except FrameFault as found:
        answer = orjson.loads(error_frame(found.frame_id, found.error))
        return answer["event"] == "error" and isinstance(found.error, ChatMeError)
    return isinstance(frame.event, str) and isinstance(frame.data, dict)


@settings(deadline=None)
@given(LIKELY | JSON)
def test_any_json_is_a_frame_or_a_fault(value: object) -> None:
    """Whatever JSON comes, also Python's NaN and huge numbers, it is a frame or a FrameFault."""
    assert is_frame_or_fault(json.dumps(value))
    assert is_frame_or_fault(json.dumps(value, ensure_ascii=False))


@settings(deadline=None)
@given(st.text(st.characters()) | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_a_frame_or_a_fault(text: str) -> None:
    """Whatever text comes, lone surrogates included, it is a frame or a FrameFault."""
    assert is_frame_or_fault(text)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_goes_out_whole(text: str) -> None:
    """A text of any characters is the same when a client reads the frame."""
    assert orjson.loads(event_frame("said", Text(a_text=text)))["data"]["aText"] == text
