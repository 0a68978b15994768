"""Schemas as people read them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from chatme.manual.fields import fields, labelled, notes_of, signature, type_of

ID = {"$ref": "#/components/schemas/Id"}
TEXT: dict[str, Any] = {"type": "string"}


def _text(html: str) -> str:
    return unescape(re.sub("<[^>]+>", "", html))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (TEXT, "string"),
        (ID, "Id"),
        ({"const": "x"}, '"x"'),
        ({"enum": ["a", "b"]}, '"a" | "b"'),
        ({"anyOf": [ID, {"type": "null"}]}, "Id | null"),
        ({"type": "array", "items": ID}, "Id[]"),
        ({"type": "array", "items": {"anyOf": [ID, TEXT]}}, "(Id | string)[]"),
        ({"type": "object", "additionalProperties": ID}, "{[key]: Id}"),
        ({"type": "object"}, "object"),
        ({}, "anything"),
    ],
)
def test_a_type_is_short(schema: dict[str, Any], expected: str) -> None:
    """A schema's type is said as a programmer would write it."""
    assert _text(type_of(schema)) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {"description": "A `word`.", "minLength": 1, "maxLength": 2},
            "A word. 1 to 2 characters.",
        ),
        ({"maxLength": 4000}, "At most 4,000 characters."),
        ({"minimum": 0}, "At least 0."),
        ({"minimum": 0, "maximum": 9}, "0 to 9."),
        ({"maxProperties": 3, "maxItems": 4}, "At most 4 items. At most 3 keys."),
        ({"pattern": "^a$"}, "Matches ^a$."),
        ({"default": "text"}, "text where it is left out."),
        ({"default": ""}, ""),
        (ID, ""),
    ],
)
def test_notes_say_the_bounds(schema: dict[str, Any], expected: str) -> None:
    """What a schema asks for beyond its type is said in words."""
    assert _text(notes_of(schema)) == expected


def test_few_plain_fields_are_a_line() -> None:
    """Fields without notes stand in a line after the shape's name, the optional ones marked."""
    schema = {"properties": {"id": ID, "name": TEXT}, "required": ["id"]}

    assert _text(signature(schema)) == "{id: Id, name?: string}"
    assert _text(labelled("Data", {"$ref": "#/x/Named"}, schema)) == (
        "DataNamed {id: Id, name?: string}"
    )


def test_fields_with_notes_are_a_table() -> None:
    """Where there is more to say of a field, each has a row of its own."""
    schema = {"properties": {"name": {**TEXT, "maxLength": 5}}}
    found = labelled("Data", {"$ref": "#/x/Named"}, schema)

    assert "<table>" in found
    assert _text(found) == "DataNamed FieldTypeNotesname?stringAt most 5 characters."


def test_many_fields_are_left_to_the_shapes() -> None:
    """A large shape is only named, with a link to where it is described."""
    schema = {"properties": {f"f{at}": {**TEXT, "maxLength": 5} for at in range(7)}}
    found = labelled("Data", {"$ref": "#/x/Large"}, schema)

    assert _text(found).strip() == "DataLarge"
    assert 'href="#shape-Large"' in found


def test_no_fields_are_said() -> None:
    """A shape without fields is told as such."""
    assert _text(labelled("Ack", {"$ref": "#/x/Nothing"}, {})) == "Ack{}"
    assert _text(signature({})) == "{}"
    assert _text(fields({})) == "No fields."
