"""The JSON shapes' common ground: ids, times, texts, and the base of every model on the wire.

camelCase outside, snake_case inside; strict types; unknown fields are ignored; null is refused
unless a field says that it is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from bson import ObjectId
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from chatme.clock import timestamp

_HEX_ID = re.compile(r"[0-9a-fA-F]{24}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


def parse_id(value: object) -> ObjectId | None:
    """An ObjectId from 24 hex digits, or None for everything else.

    ``ObjectId(None)`` would make up a new id, and ``int``-like leniency would let two names stand
    for one thing; so the text is matched whole first.
    """
    if isinstance(value, ObjectId):
        return value
    if isinstance(value, str) and _HEX_ID.fullmatch(value):
        return ObjectId(value)
    return None


def _require_id(value: object) -> ObjectId:
    parsed = parse_id(value)
    if parsed is None:
        raise PydanticCustomError("object_id", "must be an id of 24 hex digits")
    return parsed


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise PydanticCustomError("nul", "must not contain a NUL character")
    return value


def _refuse_null(value: object) -> object:
    if value is None:
        raise PydanticCustomError("null", "must not be null")
    return value


def _ascii_digits(value: object) -> object:
    # int() takes "١٢", "1_000" and " 5 "; a query string's number is plain digits.
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            raise PydanticCustomError("digits", "must be a number in plain digits")
        return int(value)
    return value


@dataclass(frozen=True, slots=True)
class Says:
    """What a schema says of a check that is made in Python; the last one of a type counts.

    ``text`` is for people. Where white space around a text does not count, ``pattern`` has to say
    its length as well: ``minLength`` and ``maxLength``, which would count it, go.
    """

    pattern: str | None = None
    format: str | None = None
    text: str | None = None
    trimmed: bool = False

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        said = {"pattern": self.pattern, "format": self.format, "description": self.text}
        gone = ("minLength", "maxLength") if self.trimmed else ()
        known = {key: value for key, value in handler(schema).items() if key not in gone}
        return {**known, **{key: value for key, value in said.items() if value}}


NO_NUL = r"^[^\x00]*$"
NOT_BLANK = r"^[^\x00]*[^\s\x00][^\x00]*$"
"""Patterns (ECMA-262 with the flag ``u``, as JSON Schema has them) of a `Text`, and of one that
has more than white space."""

Id = Annotated[
    ObjectId,
    PlainValidator(_require_id),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9a-f]{24}$", "examples": ["65f0c0ffee65f0c0ffee65f0"]}
    ),
]
"""An ObjectId: 24 hex digits on the wire, lowercase going out."""

Timestamp = Annotated[
    datetime,
    PlainSerializer(timestamp, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00.000Z"]}
    ),
]
"""A naive UTC moment; RFC 3339 with milliseconds and ``Z`` on the wire."""

Text = Annotated[str, AfterValidator(_no_nul), Says(pattern=NO_NUL)]
"""A string without NUL (which MongoDB keys, C libraries and terminals trip over)."""

Trimmed = Annotated[
    str, StringConstraints(strip_whitespace=True), AfterValidator(_no_nul), Says(pattern=NO_NUL)
]
"""A `Text` without white space around it."""

DIGITS = BeforeValidator(_ascii_digits)
"""Behind an ``int`` and its bounds, of a query string: in plain ASCII digits."""

T = TypeVar("T")

Omittable = Annotated[T | None, BeforeValidator(_refuse_null)]
"""A field that may be left out but may not be null; give it the default ``None``."""

check_text: Callable[[str], str] = _no_nul


class Shape(BaseModel):
    """The base of every shape on the wire, in and out."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        strict=True,
        extra="ignore",
        arbitrary_types_allowed=True,
        frozen=True,
    )

    def to_json(self) -> bytes:
        """The shape as UTF-8 JSON with camelCase names."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True)

    def to_plain(self) -> dict[str, Any]:
        """The shape as JSON-ready builtins with camelCase names."""
        return self.model_dump(mode="json", by_alias=True)
