"""The document of this very server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from chatme import app
from chatme.manual.rest.document import rest_document
from chatme_tests.documents import closed, references, resolve
from chatme_tests.judging import tables

DOCUMENT = rest_document(tables(), app.UNLIMITED, app.ALWAYS_SERVED)

# What a schema may say: pydantic passes on words that are none of JSON Schema's.
KEYWORDS = {
    *("$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "description"),
    *("enum", "examples", "format", "items", "maxItems", "maxLength", "maximum", "minItems"),
    *("minLength", "minimum", "pattern", "properties", "required", "title", "type"),
    "x-meanings",
}


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def _contents() -> Iterator[dict[str, Any]]:
    """Every description of a body, of requests and answers."""
    parts: list[dict[str, Any]] = [*DOCUMENT["components"]["responses"].values()]
    for _, operation in _operations():
        parts += [operation.get("requestBody", {}), *operation["responses"].values()]
    for part in parts:
        yield from part.get("content", {}).values()


def _schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and all in it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    inner += [*schema.get("allOf", ()), schema.get("items"), schema.get("additionalProperties")]
    for each in inner:
        if isinstance(each, dict):
            yield from _schemas(each)


def test_it_is_an_openapi_document() -> None:
    """The meta-schema of OpenAPI 3.1 finds nothing wrong, and every schema is one."""
    faults = [error.message for error in Draft202012Validator(OPENAPI_31).iter_errors(DOCUMENT)]

    assert faults == []
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_every_reference_leads_somewhere() -> None:
    """What is referred to is there, and what is there is referred to."""
    used = set(references(DOCUMENT))
    for ref in used:
        assert resolve(DOCUMENT, ref)
    for kind in ("schemas", "responses", "headers"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in used


def test_schemas_speak_json_schema() -> None:
    """No schema has a word that JSON Schema does not know."""
    schemas = [*DOCUMENT["components"]["schemas"].values()]
    schemas += [each["schema"] for each in _contents()]
    for _, operation in _operations():
        schemas += [each["schema"] for each in operation.get("parameters", ())]

    assert {key for each in schemas for part in _schemas(each) for key in part} <= KEYWORDS


def test_every_example_fits_its_schema() -> None:
    """All examples, of bodies, answers and errors, are as their schemas say and no more."""
    components = {"components": {"schemas": closed(DOCUMENT["components"]["schemas"])}}
    seen = 0
    for content in _contents():
        schema = {**closed(content["schema"]), **components}
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        examples = [content["example"]] if "example" in content else []
        examples += [each["value"] for each in content.get("examples", {}).values()]
        for example in examples:
            assert [error.message for error in validator.iter_errors(example)] == []
        seen += len(examples)

    assert seen > 100


@pytest.mark.parametrize("name", [name for name, _ in _operations()])
def test_an_operation_is_whole(name: str) -> None:
    """Each operation has words, a room, who may call, examples and its errors."""
    operation = dict(_operations())[name]
    answers = operation["responses"]
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    bodies += [each for each in answers.values() if "$ref" not in each]

    assert operation["summary"].endswith(".")
    assert len(operation["tags"]) == 1
    assert isinstance(operation["security"], list)
    assert {"408", "431", "500"} <= set(answers)
    for parameter in operation.get("parameters", ()):
        assert parameter["description"]
    for body in bodies:
        for media, content in body.get("content", {}).items():
            is_shape = media == "application/json" and "/docs" not in name and ".json" not in name
            assert not is_shape or {"example", "examples"} & set(content)


def test_names_are_of_one_operation_each() -> None:
    """No two operations share their name."""
    names = [operation["operationId"] for _, operation in _operations()]

    assert len(names) == len(set(names))
