"""The errors of the API, as its document shows them: which, where, and how they look. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.alias_generators import to_pascal

from chatme.errors import Code
from chatme.http.endpoint import Endpoint
from chatme.manual.rest import words
from chatme.realtime.schemas import PREFIX

Json = dict[str, Any]


def codes_of(row: Endpoint, *, limited: bool, gated: bool) -> dict[int, tuple[Code, ...]]:
    """The errors that a row may answer with, by status, in the order of `words.STATUSES`."""
    found = {*words.EVERYWHERE, *row.codes}
    if limited:
        found.update(words.OF_THE_LIMITED)
    if gated:
        found.update(words.OF_THE_GATED)
    if not row.public:
        found.update(words.OF_THE_SIGNED_IN)
    if "{" in row.path:
        found.update(words.OF_PATHS)
    if "query" in row.parameters:
        found.update(words.OF_QUERIES)
    if "body" in row.parameters or row.upload:
        found.update(words.OF_BODIES)
    grouped: dict[int, tuple[Code, ...]] = {}
    for code, status in words.STATUSES.items():
        if code in found:
            grouped[status] = (*grouped.get(status, ()), code)
    return grouped


def response_key(codes: Iterable[Code]) -> str:
    """What the document calls the answer with one of these codes."""
    return "Or".join(to_pascal(code.value) for code in codes)


def response(status: int, codes: tuple[Code, ...]) -> Json:
    """The answer with one of these codes, all of one status."""
    own: Json = {
        "statusCode": {"const": status},
        "code": {"enum": [code.value for code in codes]},
    }
    return {
        "description": " ".join(f"`{code.value}`: {words.meaning(code)}" for code in codes),
        "headers": headers([*words.ALWAYS, *words.LIMITED, *words.BY_STATUS.get(status, ())]),
        "content": {
            "application/json": {
                "schema": {"allOf": [{"$ref": f"{PREFIX}Error"}, {"properties": own}]},
                "examples": {code.value: {"value": _example(status, code)} for code in codes},
            }
        },
    }


def headers(names: Iterable[str]) -> Json:
    """References to headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def schemas(codes: Iterable[Code]) -> Json:
    """The shapes of an error, where these are the codes that there are."""
    text = {"type": "string"}
    known = sorted(set(codes), key=list(words.STATUSES).index)
    fields: Mapping[str, Json] = {
        "success": {"const": False},
        "statusCode": {"type": "integer", "description": "The status of the response."},
        "code": {"$ref": f"{PREFIX}ErrorCode"},
        "message": {**text, "description": "A sentence for a person."},
        "errors": {
            "description": "The faulty fields, where the fault is in fields.",
            "anyOf": [
                {"type": "array", "items": {"$ref": f"{PREFIX}FieldFault"}},
                {"type": "null"},
            ],
        },
        "path": {**text, "description": "The path that was asked for."},
        "timestamp": {"$ref": f"{PREFIX}Timestamp"},
        "requestId": {**text, "description": "The same as the header `X-Request-ID`."},
    }
    return {
        "Error": {
            "type": "object",
            "description": "The envelope of every error.",
            "properties": fields,
            "required": list(fields),
        },
        "ErrorCode": {
            **text,
            "description": "A stable word: compare this, not the message.",
            "enum": [code.value for code in known],
            "x-meanings": {code.value: words.meaning(code) for code in known},
        },
        "FieldFault": {
            "type": "object",
            "description": "A faulty field, dotted when nested, and what is wrong with it.",
            "properties": {"field": text, "message": text},
            "required": ["field", "message"],
        },
    }


def _example(status: int, code: Code) -> Json:
    faults = [{"field": "name", "message": "must not be null"}]
    return {
        "success": False,
        "statusCode": status,
        "code": code.value,
        "message": words.meaning(code).replace("`", ""),
        "errors": faults if code is Code.VALIDATION_FAILED else None,
        "path": "/api/v1/…",
        "timestamp": "2026-01-31T12:00:00.000Z",
        "requestId": "0b5e7f0c9d5a4f0e8a1c3d2b4f6e8a90",
    }
