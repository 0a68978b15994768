"""Examples made of schemas."""

from __future__ import annotations

from typing import Any

import pytest

from chatme.realtime.samples import Samples
from chatme.realtime.schemas import PREFIX

SAMPLES = Samples(
    {"name": "Ada", "user.id": "u", "id": "i", "kind": "b", "key": "k"}, frozenset({"shown"})
)
TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": "x"}, "x"),
        (TEXT, "…"),
        ({"type": "integer"}, 1),
        ({"type": "string", "examples": ["first", "second"]}, "first"),
        ({"enum": ["a", "b"]}, "a"),
        ({"anyOf": [TEXT, {"type": "null"}]}, None),
        ({"type": "array", "items": TEXT}, ["…"]),
        ({"type": "object", "additionalProperties": TEXT}, {"k": "…"}),
        ({"$ref": f"{PREFIX}Named"}, {"name": "Ada"}),
    ],
)
def test_a_schema_shows_itself(schema: dict[str, Any], expected: object) -> None:
    """What no name answers for is shown as the schema says."""
    named = {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}

    assert SAMPLES.of(schema, {"Named": named}) == expected


def test_names_answer_for_fields() -> None:
    """A field is shown by its name, by its parent's first, and in a list by the singular."""
    user = {"type": "object", "properties": {"id": TEXT}, "required": ["id"]}
    schema = {
        "type": "object",
        "properties": {
            "id": TEXT,
            "user": user,
            "names": {"type": "array", "items": TEXT},
            "name": {"anyOf": [TEXT, {"type": "null"}]},
            "kind": {"enum": ["a", "b"]},
            "next": {"type": "null"},
        },
    }
    schema["required"] = list(schema["properties"])

    assert SAMPLES.of(schema, {}) == {
        "id": "i",
        "user": {"id": "u"},
        "names": ["Ada"],
        "name": "Ada",
        "kind": "b",
        "next": None,
    }


def test_what_may_be_left_out_is_left_out() -> None:
    """Only what is required, named as shown, or a map, is in an example."""
    schema = {
        "type": "object",
        "properties": {
            "must": TEXT,
            "shown": TEXT,
            "hidden": TEXT,
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "required": ["must"],
    }

    assert SAMPLES.of(schema, {}) == {"must": "…", "shown": "…", "map": {"k": 1}}
