"""Cursors: where a list goes on, opaque to callers, checked when they come back."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, TypeVar

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from chatme.errors import Invalid
from chatme.shapes import DIGITS, Shape, Text

MAX_LIMIT = 100

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT), DIGITS]
"""How many items a page holds, 1 to 100."""

CursorText = Annotated[Text, Field(min_length=1, max_length=512)]

PositionT = TypeVar("PositionT")


class Page(Shape):
    """The base of every list's answer: the items, and where the next page begins.

    A feature names its own: ``class MessagePage(Page): items: list[Message]``.
    """

    next: str | None = None


def encode_cursor(position: list[str | int]) -> str:
    """A position in a list as an opaque word."""
    return urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def decode_cursor(cursor: str, shape: TypeAdapter[PositionT]) -> PositionT:
    """A position from the word that `encode_cursor` made; raises `Invalid` for any other."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return shape.validate_json(urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, ValidationError):
        raise Invalid.field("cursor", "is not a cursor of this list") from None
