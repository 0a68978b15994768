"""Examples made of schemas, so that none can go stale. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatme.realtime.schemas import Json, follow

_ANY: Mapping[str, Any] = {
    "string": "…",
    "integer": 1,
    "number": 1.5,
    "boolean": False,
    "null": None,
}


@dataclass(frozen=True, slots=True)
class Samples:
    """What to show for a field of some name (``sender.id`` for one inside another), and which
    fields to show of those that may be left out. What no name answers for is as its schema says.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()

    def of(self, schema: Json, components: Mapping[str, Any], name: str = "") -> Any:
        """An example of a schema."""
        schema = follow(components, schema)
        if "const" in schema:
            return schema["const"]
        if "anyOf" in schema:
            return self._one_of(schema["anyOf"], components, name)
        match schema.get("type"):
            case "object":
                return self._object(schema, components, name)
            case "array":
                return [self.of(schema["items"], components, name.removesuffix("s"))]
            case _:
                return self._scalar(schema, name)

    def _one_of(self, choices: list[Json], components: Mapping[str, Any], name: str) -> Any:
        if {"type": "null"} in choices and name not in self.values:
            return None
        return self.of(choices[0], components, name)

    def _object(self, schema: Json, components: Mapping[str, Any], name: str) -> Json:
        required = schema.get("required", ())
        found = {
            key: self.of(each, components, self._label(name, key))
            for key, each in schema.get("properties", {}).items()
            if key in required or key in self.optional or _is_map(each)
        }
        if _is_map(schema):
            key = self.values.get("key", "key")
            found[key] = self.of(schema["additionalProperties"], components, "rev")
        return found

    def _label(self, parent: str, key: str) -> str:
        """A field's name, with its parent's where there is a value for just that."""
        return f"{parent}.{key}" if f"{parent}.{key}" in self.values else key

    def _scalar(self, schema: Json, name: str) -> Any:
        if "enum" in schema:
            known = self.values.get(name)
            return known if known in schema["enum"] else schema["enum"][0]
        if name in self.values:
            return self.values[name]
        if "examples" in schema:
            return schema["examples"][0]
        return _ANY[schema["type"]]


def _is_map(schema: Json) -> bool:
    return isinstance(schema.get("additionalProperties"), dict)
