"""What strangers send: faults made up from each shape's own JSON schema, and plain rubbish.

The routes and commands are those of the application's own tables, so a new row is met with all of
it at once.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx

from chatme import app, wiring
from chatme.clock import new_id
from chatme.http.endpoint import Endpoint
from chatme.realtime.dispatcher import Command
from chatme.shapes import Shape
from chatme_tests.client import PASSWORD, Json, User, signed_up
from chatme_tests.server import Server

ROUTES: tuple[Endpoint, ...] = tuple(
    row for name, table in vars(app).items() if name.endswith("_ROUTES") for row in table
)
# What it does well ends the account that asked: a walk that is to go on leaves it out, and
# `test_account_end` walks it.
ENDING = ("DELETE", "/users/me")
COMMANDS: tuple[Command, ...] = tuple(
    row for name, table in vars(wiring).items() if name.endswith("COMMANDS") for row in table
)
# No limits: these tests ask more often than anybody may.
UNLIMITED: Mapping[str, str] = {
    "RATE_LIMIT_SHORT": "",
    "RATE_LIMIT_LONG": "",
    "RATE_LIMIT_AUTH": "",
    "WS_RATE": "",
    "WS_MAX_PER_USER": "1000",
}
ABSENT = "65f0c0ffee65f0c0ffee65f0"
NESTING = 100_000
BAD_IDS = ("", "x", ABSENT[:-1], ABSENT + "0", "g" * 24, " " * 24, "٦" * 24, ABSENT + "\n", "-1")
# Fields that may be null, by the contract.
NULLABLE: frozenset[str] = frozenset({"avatar"})

# Values that fit where their kind is wanted, by the kind's name in JSON schema.
_KINDS: Mapping[str, tuple[object, ...]] = {
    "object": ({"$ne": 1}, {"$gt": ""}),
    "array": ([], [["$ne"]], [None]),
    "string": ("text", ""),
    "integer": (7, -(2**63)),
    "number": (1.5, -1e308),
    "boolean": (True,),
    "null": (None,),
}
_SAMPLES: Mapping[str, object] = {
    "email": "nobody@example.com",
    "password": PASSWORD,
    "displayName": "Nobody",
    "emoji": "👍",
    "content": "text",
}


class Fault(NamedTuple):
    """A body or a frame's data with one fault, and the field that is faulty."""

    field: str
    data: Json


@dataclass(frozen=True)
class World:
    """Two users who talk, and ids of what they have."""

    ada: User
    bob: User
    group: str
    message: str

    def path(self, endpoint: Endpoint, **replaced: str) -> str:
        """A route's path with real ids in it, but for those that are given."""
        known = {
            "conversation_id": self.group,
            "user_id": self.bob.id,
            "message_id": self.message,
        }
        return endpoint.path.format_map(
            {name: replaced.get(name, known.get(name, ABSENT)) for name in path_names(endpoint)}
        )


@contextmanager
def faultless_server(folder: Path) -> Iterator[Server]:
    """A server without limits, whose log shows no fault of ours at the end."""
    with Server(folder, UNLIMITED) as running:
        yield running
        log = running.read_log()
    for sign in ("Traceback", "internal_error", '"level": "error"'):
        assert sign not in log, log[max(0, log.index(sign) - 1000) :][:4000]


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    """A fresh world, whose connections are closed at the end."""
    name = new_id()
    async with signed_up(url, f"Ada {name}", f"Bob {name}") as (ada, bob):
        group = await ada.post("/conversations/group", {"name": "Tea", "memberIds": [bob.id]})
        message = await ada.post(f"/messages/{group['id']}", {"content": "Hello."})
        yield World(ada, bob, group["id"], message["id"])


def path_names(endpoint: Endpoint) -> list[str]:
    """The parameters of a route's path."""
    return [part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")]


def label(row: Endpoint | Command) -> str:
    """A row's name in a test's id."""
    return row.event if isinstance(row, Command) else f"{row.method} {row.path}"


def check_envelope(response: httpx.Response, *statuses: int) -> Json:
    """A refusal, in the envelope, with one of the statuses."""
    where = f"{response.request.method} {response.request.url}: {response.text[:300]}"
    body: Json = response.json()
    assert response.status_code in statuses, where
    assert body["statusCode"] == response.status_code, where
    assert body["success"] is False, where
    assert body["requestId"] == response.headers["x-request-id"], where
    assert {"code", "message", "errors", "path", "timestamp"} <= set(body), where
    return body


def names_field(errors: list[Json] | None, field: str) -> bool:
    """Whether a list of faults names a field, or a part of it."""
    return any(f"{each['field']}.".startswith(f"{field}.") for each in errors or [])


def good(shape: type[Shape], **known: object) -> Json:
    """Data that fits a shape: the required fields alone, by name where the name is known."""
    schema = shape.model_json_schema(by_alias=True)
    return {
        name: known.get(name, _SAMPLES.get(name, _sample(node, schema)))
        for name, node in schema.get("properties", {}).items()
        if name in schema.get("required", [])
    }


def faults(shape: type[Shape]) -> Iterator[Fault]:
    """Data with one fault each: every field missing, null, of every other type, out of range."""
    schema = shape.model_json_schema(by_alias=True)
    whole = good(shape)
    for name, node in schema.get("properties", {}).items():
        if name in whole:
            yield Fault(name, {key: value for key, value in whole.items() if key != name})
        for value in _wrong(name, node, schema):
            yield Fault(name, {**whole, name: value})


def _wrong(name: str, node: Json, schema: Json) -> Iterator[object]:
    choices = [_resolved(each, schema) for each in node.get("anyOf", [node])]
    kinds = {_kind(choice) for choice in choices} - {"null"}
    for kind, values in _KINDS.items():
        fits = kind in kinds or (kind == "integer" and "number" in kinds)
        if not fits and not (kind == "null" and name in NULLABLE):
            yield from values
    for choice in choices:
        yield from _out_of_range(choice)


def _out_of_range(node: Json) -> Iterator[object]:
    kind = _kind(node)
    if kind == "string":
        yield "a\x00b"
        if node.get("pattern", "").startswith("^[0-9a-f]{24}"):
            yield from BAD_IDS
        if node.get("minLength"):
            yield ""
        if "maxLength" in node:
            yield "x" * (node["maxLength"] + 1)
        if "enum" in node or "const" in node:
            yield "something else"
    elif kind == "array":
        yield [{"$ne": 1}]
        if node.get("minItems"):
            yield []
        if "maxItems" in node:
            yield [ABSENT] * (node["maxItems"] + 1)
    elif kind == "object" and node.get("required"):
        yield {"$ne": 1}


def _kind(node: Json) -> str:
    return str(node.get("type", "string" if "enum" in node or "const" in node else "object"))


def _resolved(node: Json, schema: Json) -> Json:
    if "$ref" in node:
        found: Json = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return found
    return node


def _sample(node: Json, schema: Json) -> object:
    node = _resolved(node, schema)
    if node.get("pattern", "").startswith("^[0-9a-f]{24}"):
        return ABSENT
    if "enum" in node:
        return node["enum"][0]
    samples: dict[str, object] = {
        "string": "x" * max(1, node.get("minLength", 1)),
        "integer": node.get("minimum", 1),
        "boolean": True,
        "object": {},
    }
    if node.get("type") == "array":
        return [_sample(node["items"], schema)] * max(1, node.get("minItems", 1))
    return samples[_kind(node)]


def nested(depth: int, opening: str = '{"a":', closing: str = "}") -> str:
    """JSON of that depth."""
    return opening * depth + "1" + closing * depth


RUBBISH: Mapping[str, bytes] = {
    "nothing": b"",
    "half": b'{"a": ',
    "word": b"undefined",
    "single quotes": b"{'a': 1}",
    "not a number": b'{"content": NaN, "displayName": NaN}',
    "infinity": b'{"a": -Infinity}',
    "deep object": nested(NESTING).encode(),
    "deep array": nested(NESTING, "[", "]").encode(),
    "deep field": f'{{"content": {nested(NESTING)}}}'.encode(),
    "only openings": b"[" * NESTING,
    "bad UTF-8": b'{"content": "\xff\xfe", "email": "\xc3\x28"}',
    "surrogate bytes": b'{"content": "\xed\xa0\x80"}',
    "UTF-16": json.dumps({"content": "x"}).encode("utf-16"),
    "two values": b"{} {}",
    "control character": b'{"content": "a\nb"}',
    "NUL byte": b'{"content": "a\x00b"}',
    "form": b"email=a&password=b",
}
"""Bodies that are not JSON, or that no parser should follow."""
