"""Schemas of shapes: they say what the server does."""

from __future__ import annotations

import pytest
from pydantic import ConfigDict
from pydantic.config import JsonDict

from chatme.realtime.schemas import PREFIX, Schemas, follow, frame_schemas, plain
from chatme.shapes import NO_NUL, Shape
from chatme_tests.realtime.toy import Bottle, Brief, Found, Whole

SCHEMAS = Schemas([(Bottle, "validation"), (Found, "serialization")], {Brief: Whole})


def test_what_may_be_left_out_may_not_be_null() -> None:
    """An omittable field is not required and not nullable; other defaults are told."""
    bottle = SCHEMAS.components["Bottle"]

    assert bottle["required"] == ["bottleId"]
    assert bottle["properties"]["note"] == {"type": "string", "pattern": NO_NUL}
    assert bottle["properties"]["label"]["default"] == "plain"


def test_what_is_sent_is_whole() -> None:
    """A field that has a default is there nevertheless when the server writes."""
    assert SCHEMAS.components["Found"]["required"] == ["finderId", "inside", "count"]
    assert SCHEMAS.components["Found"]["properties"]["count"] == {"type": "integer"}


def test_shared_things_stand_once() -> None:
    """Ids, moments and shapes are references, and a stand-in takes its base's place."""
    found = SCHEMAS.components["Found"]["properties"]

    assert found["finderId"] == {"$ref": PREFIX + "Id"}
    assert found["inside"] == {"anyOf": [{"$ref": PREFIX + "Whole"}, {"type": "null"}]}
    assert SCHEMAS.components["Whole"]["properties"]["at"] == {"$ref": PREFIX + "Timestamp"}
    assert "Brief" not in SCHEMAS.components


def test_descriptions_are_the_docstrings() -> None:
    """A docstring becomes a description in one line, its code in single ticks."""
    assert SCHEMAS.components["Bottle"]["description"] == "A bottle, `corked` or not."
    assert plain("One\n    ``two``.") == "One `two`."


def test_fields_have_no_titles() -> None:
    """A shape has its name as title, a field has none."""
    assert SCHEMAS.components["Bottle"]["title"] == "Bottle"
    assert "title" not in SCHEMAS.components["Bottle"]["properties"]["label"]


def test_it_is_known_what_must_be_given() -> None:
    """A shape with a required field may not be left out, one without may."""
    schemas = Schemas([(Bottle, "validation"), (Brief, "validation"), (Shape, "validation")], {})

    assert schemas.requires(Bottle, "validation")
    assert not schemas.requires(Shape, "validation")


def test_a_reference_is_followed() -> None:
    """What is referred to is found, however far, and what is no reference is itself."""
    components = {"A": {"$ref": f"{PREFIX}B"}, "B": {"type": "string"}}

    assert follow(components, {"$ref": f"{PREFIX}A"}) == {"type": "string"}
    assert follow(components, {"const": 1}) == {"const": 1}


def test_a_code_without_words_is_listed() -> None:
    """An error code that nobody described is in the document all the same."""
    meanings = frame_schemas({})["ErrorCode"]["x-meanings"]

    assert set(meanings.values()) == {""}


def test_two_shapes_of_one_name_are_refused() -> None:
    """Shapes that would take each other's place are told at the start."""
    first: JsonDict = {"type": "object", "title": "A", "properties": {}}
    second: JsonDict = {**first, "properties": {"x": {"type": "string"}}}

    with pytest.raises(ValueError, match="two shapes are named A"):
        Schemas([(_pair(first, second), "serialization")], {})


def _pair(first: JsonDict, second: JsonDict) -> type[Shape]:
    """A shape with two fields of these schemas."""

    class Pair(Shape):
        one: str
        two: str

        model_config = ConfigDict(json_schema_extra={"properties": {"one": first, "two": second}})

    return Pair
