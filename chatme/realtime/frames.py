"""The JSON frames of `/chat`: what a client's frame says, and how the server's are written. Pure.

A frame that cannot be worked is a `FrameFault`, which still knows the frame's id where it had a
sane one, so that the client's callback is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from chatme.errors import ChatMeError, Code, Invalid
from chatme.shapes import Shape

MAX_FRAME_BYTES = 64 * 1024
MAX_ID_LENGTH = 128

FrameId = str | int | None


@dataclass(frozen=True, slots=True)
class ClientFrame:
    """``{"event": …, "data": {…}, "id": …}``; without an id no success is answered."""

    event: str
    data: dict[str, Any]
    id: FrameId = None


class FrameFault(Exception):
    """A frame that cannot be worked: the error to answer with, and to which id."""

    def __init__(self, error: ChatMeError, frame_id: FrameId = None) -> None:
        self.error = error
        self.frame_id = frame_id
        super().__init__(error.message)


def parse_frame(text: str) -> ClientFrame:
    """A client's frame; raises `FrameFault` (`bad_frame` or `validation_failed`)."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise FrameFault(_bad_frame("The frame is not JSON.")) from None
    if not isinstance(value, dict):
        raise FrameFault(_bad_frame("The frame is not an object."))
    frame_id = value.get("id")
    if "id" in value and not _is_sane_id(frame_id):
        raise FrameFault(
            _bad_frame("The id must be a string of 1 to 128 characters or an integer.")
        )
    event = value.get("event")
    if not isinstance(event, str):
        raise FrameFault(_bad_frame("The frame names no event."), frame_id)
    data = value.get("data", {})
    if not isinstance(data, dict):
        raise FrameFault(Invalid.field("data", "must be an object"), frame_id)
    return ClientFrame(event, data, frame_id)


def event_frame(name: str, data: Shape) -> str:
    """``{"event": name, "data": …}``"""
    return f'{{"event":"{name}","data":{data.to_json().decode()}}}'


def ack_frame(frame_id: str | int, data: Shape) -> str:
    """The answer to a frame whose work is done and durable."""
    return f'{{"event":"ack","id":{_json(frame_id)},"data":{data.to_json().decode()}}}'


def error_frame(frame_id: FrameId, error: ChatMeError) -> str:
    """The answer to a frame whose work failed; without an id where the frame had none."""
    faults = [{"field": fault.field, "message": fault.message} for fault in error.faults]
    data: dict[str, Any] = {
        "code": error.code.value,
        "message": error.message,
        "errors": faults or None,
    }
    if error.retry_after is not None:
        data["retryAfter"] = error.retry_after
    frame: dict[str, Any] = {"event": "error", "data": data}
    if frame_id is not None:
        frame["id"] = frame_id
    return _json(frame)


def _is_sane_id(value: object) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return 1 <= len(value) <= MAX_ID_LENGTH
    return isinstance(value, int)


def _bad_frame(message: str) -> ChatMeError:
    return ChatMeError(message, code=Code.BAD_FRAME)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
