"""The JSON Schemas of shapes on the wire, shared ones named once. Pure.

They say what the server does: a field that may be left out but not be null is not nullable here,
and what is sent is whole, since a shape is always written with all its fields.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from chatme.errors import Code
from chatme.realtime.frames import MAX_ID_LENGTH
from chatme.shapes import Id, Omittable, Shape, Timestamp

Json = dict[str, Any]
Side = Literal["validation", "serialization"]
"""Whether a shape is read or written."""

PREFIX = "#/components/schemas/"
_NOT_NULL = get_args(Omittable)[1].func


class _Generator(GenerateJsonSchema):
    """pydantic's, without a title for each field, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        return self.mode == "serialization" or super().field_is_required(field, total)

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        inner = schema["schema"]
        if schema["function"]["function"] is _NOT_NULL and inner["type"] == "nullable":
            return self.generate_inner(inner["schema"])
        return super().function_before_schema(schema)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if self.mode == "serialization" or found.get("default", 0) is None:
            # What is written is there; and None stands for "left out", which JSON cannot say.
            found.pop("default", None)
        return found


class Schemas:
    """The schemas of some shapes, as they refer to each other.

    ``stand_ins`` names shapes that are only the base of what really is sent, and what that is.
    """

    def __init__(
        self,
        shapes: Collection[tuple[type[Shape], Side]],
        stand_ins: Mapping[type[Shape], type[Shape]],
    ) -> None:
        written: list[tuple[type[Shape], Side]] = [
            (shape, "serialization") for shape in stand_ins.values()
        ]
        wanted = list(dict.fromkeys([*shapes, *written]))
        self._refs, found = models_json_schema(
            wanted, by_alias=True, ref_template=PREFIX + "{model}", schema_generator=_Generator
        )
        definitions: Json = found.get("$defs", {})
        self._named = {
            "Id": TypeAdapter(Id).json_schema(),
            "Timestamp": TypeAdapter(Timestamp).json_schema(),
        }
        self._renamed = {
            PREFIX + base.__name__: self._refs[shape, "serialization"]["$ref"]
            for base, shape in stand_ins.items()
        }
        self._inner: Json = {}
        gone = {ref.removeprefix(PREFIX) for ref in self._renamed}
        known = {
            name: self._parts(definition)
            for name, definition in definitions.items()
            if name not in gone
        }
        self.components: Json = {
            "Id": {"description": "24 hex digits.", **self._named["Id"]},
            "Timestamp": {
                "description": "A moment in UTC, with milliseconds.",
                **self._named["Timestamp"],
            },
            **dict(sorted({**self._inner, **known}.items())),
        }

    def ref(self, shape: type[Shape], side: Side) -> Json:
        """The reference to a shape's schema."""
        return dict(self._refs[shape, side])

    def requires(self, shape: type[Shape], side: Side) -> bool:
        """Whether something of a shape may not be left out."""
        return bool(follow(self.components, self.ref(shape, side)).get("required"))

    def _parts(self, schema: Json) -> Json:
        """A shape's own schema, its parts shared."""
        return {
            key: plain(value)
            if key == "description" and isinstance(value, str)
            else self._shared(value)
            for key, value in schema.items()
        }

    def _shared(self, schema: Any) -> Any:
        """A schema in which ids, moments, shapes and stand-ins are references."""
        if isinstance(schema, list):
            return [self._shared(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        for name, named in self._named.items():
            if schema == named:
                return {"$ref": PREFIX + name}
        if "$ref" in schema:
            return {**schema, "$ref": self._renamed.get(schema["$ref"], schema["$ref"])}
        parts = self._parts(schema)
        if parts.get("type") == "object" and "title" in parts:
            if self._inner.setdefault(parts["title"], parts) != parts:
                raise ValueError(f"two shapes are named {parts['title']}")
            return {"$ref": PREFIX + parts["title"]}
        return parts


def frame_schemas(codes: Mapping[Code, str]) -> Json:
    """The shapes of what frames have around the data."""
    text = {"type": "string"}
    return {
        "FrameId": {
            "description": "The client's name for a frame, by which its answer is known.",
            "anyOf": [{**text, "minLength": 1, "maxLength": MAX_ID_LENGTH}, {"type": "integer"}],
        },
        "ErrorCode": {
            **text,
            "description": "A stable word: compare this, not the message.",
            "enum": [code.value for code in Code],
            "x-meanings": {code.value: codes.get(code, "") for code in Code},
        },
        "FieldFault": {
            "type": "object",
            "description": "A faulty field, dotted when nested, and what is wrong with it.",
            "properties": {"field": text, "message": text},
            "required": ["field", "message"],
        },
        "ErrorData": {
            "type": "object",
            "description": "Why a frame's work failed; `retryAfter`, in seconds, where trying "
            "again later helps, and only there.",
            "properties": {
                "code": {"$ref": f"{PREFIX}ErrorCode"},
                "message": {**text, "description": "A sentence for a person."},
                "errors": {
                    "anyOf": [
                        {"type": "array", "items": {"$ref": f"{PREFIX}FieldFault"}},
                        {"type": "null"},
                    ]
                },
                "retryAfter": {"type": "number", "minimum": 0},
            },
            "required": ["code", "message", "errors"],
        },
    }


def follow(components: Mapping[str, Any], schema: Json) -> Json:
    """A schema, or what it refers to."""
    while "$ref" in schema:
        schema = components[schema["$ref"].removeprefix(PREFIX)]
    return schema


def plain(words: str) -> str:
    """A docstring as CommonMark, its lines joined."""
    return " ".join(words.replace("``", "`").split())
