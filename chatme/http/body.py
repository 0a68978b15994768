"""Request bodies: JSON, bounded, checked before a handler sees them."""

from __future__ import annotations

from typing import TypeVar

import orjson
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from chatme.errors import BadRequest, Invalid, TooLarge, UnsupportedType
from chatme.shapes import Shape
from chatme.wording import invalid

MAX_JSON_BYTES = 1024 * 1024

ShapeT = TypeVar("ShapeT", bound=Shape)


async def read_json(request: Request, shape: type[ShapeT]) -> ShapeT:
    """The body as a checked shape; where every field may be left out, so may the body.

    Raises `UnsupportedType` (415) for another content type, `TooLarge` (413) over 1 MiB, without
    reading on, `BadRequest` (400) for what is not JSON, `Invalid` (422) naming each faulty field.
    """
    if _has_no_body(request) and not any(
        each.is_required() for each in shape.model_fields.values()
    ):
        return shape.model_validate({})
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedType
    try:
        value = orjson.loads(await _read(request))
    except orjson.JSONDecodeError:
        # orjson also refuses NaN, lone surrogates, integers of 5,000 digits and deep nesting,
        # each of which breaks something further down.
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise Invalid.field("body", "must be an object")
    try:
        return shape.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid(error) from None


def read_query(request: Request, shape: type[ShapeT]) -> ShapeT:
    """The query string as a checked shape; raises `Invalid` (422) naming each faulty field."""
    try:
        return shape.model_validate(dict(request.query_params), by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid(error) from None


def declared_length(request: Request) -> int:
    """How long the head says that the body is, or nothing; raises `BadRequest` for no number."""
    try:
        return int(request.headers.get("content-length", "0"))
    except ValueError:
        raise BadRequest("The Content-Length is not a number.") from None


def _has_no_body(request: Request) -> bool:
    """Whether the head announces none (RFC 9112, 6.3), nor a type for it."""
    head = request.headers
    if "content-type" in head or "transfer-encoding" in head:
        return False
    return head.get("content-length", "0") == "0"


async def _read(request: Request) -> bytes:
    if declared_length(request) > MAX_JSON_BYTES:
        raise TooLarge
    chunks = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_JSON_BYTES:
                raise TooLarge
            chunks.append(chunk)
    except ClientDisconnect:
        raise BadRequest("The body did not arrive whole.") from None
    return b"".join(chunks)
