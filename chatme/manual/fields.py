"""JSON Schemas as people read them: types, bounds, tables of fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatme.manual.html import Html, element, join, prose, table
from chatme.shapes import NO_NUL

Json = dict[str, Any]

SHOWN_AT_ONCE = 6
"""How many fields a frame's data may have to be shown with it, and not among the shapes only."""


def shape_anchor(name: str) -> str:
    """Where a shared shape is described."""
    return f"shape-{name}"


def type_of(schema: Json) -> Html:
    """A schema in the words of TypeScript, with links to shared shapes."""
    found = Html(schema.get("type", "anything"))
    match schema:
        case {"$ref": ref}:
            name = str(ref).rpartition("/")[2]
            found = element("a", name, href=f"#{shape_anchor(name)}")
        case {"const": value}:
            found = element("code", f'"{value}"')
        case {"enum": values}:
            found = _either([element("code", f'"{value}"') for value in values])
        case {"anyOf": choices}:
            found = _either([type_of(choice) for choice in choices])
        case {"type": "array", "items": items}:
            inner = type_of(items)
            found = join("(", inner, ")[]") if " | " in inner else join(inner, "[]")
        case {"type": "object", "additionalProperties": dict() as values}:
            found = join("{[key]: ", type_of(values), "}")
    return found


def labelled(title: str, ref: Json, schema: Json) -> Html:
    """What a frame carries: a shape's name, and its fields where they are few."""
    label = element("span", title, class_="label")
    if not schema.get("properties"):
        return element("p", label, element("span", "{}", class_="type"), class_="data")
    is_small = len(schema["properties"]) <= SHOWN_AT_ONCE
    line = [signature(schema)] if is_small and not _has_notes(schema) else []
    words = element("span", type_of(ref), [" ", *line], class_="type")
    more = fields(schema) if is_small and not line else ""
    return join(element("p", label, words, class_="data"), more)


def signature(schema: Json) -> Html:
    """The fields of an object in a line; `?` marks those that may be left out."""
    properties = schema.get("properties", {})
    if not properties:
        return Html("{}")
    parts = [join(_key(schema, name), ": ", type_of(each)) for name, each in properties.items()]
    return Html(f"{{{', '.join(parts)}}}")


def notes_of(schema: Json) -> Html:
    """What else a schema asks for."""
    words = [schema["description"]] if "description" in schema else []
    return prose(" ".join([*words, *_bounds(schema)]))


def fields(schema: Json) -> Html:
    """The fields of an object as a table; `?` marks those that may be left out."""
    properties = schema.get("properties", {})
    if not properties:
        return element("p", "No fields.", class_="quiet")
    return table(
        ("Field", "Type", "Notes"),
        (
            (
                element("code", _key(schema, name)),
                element("span", type_of(each), class_="type"),
                notes_of(each),
            )
            for name, each in properties.items()
        ),
    )


def _has_notes(schema: Json) -> bool:
    return any(notes_of(each) for each in schema["properties"].values())


def _key(schema: Json, name: str) -> str:
    return name if name in schema.get("required", ()) else f"{name}?"


def _either(choices: list[Html]) -> Html:
    return Html(" | ".join(choices))


def _bounds(schema: Json) -> Iterator[str]:
    yield from _range(schema, "minLength", "maxLength", " characters")
    yield from _range(schema, "minimum", "maximum", "")
    yield from _range(schema, "minItems", "maxItems", " items")
    yield from _range(schema, "minProperties", "maxProperties", " keys")
    is_said = "description" in schema or schema.get("pattern") == NO_NUL  # of every text
    if "pattern" in schema and not is_said:
        yield f"Matches `{schema['pattern']}`."
    if schema.get("default") not in (None, ""):
        yield f"`{schema['default']}` where it is left out."


def _range(schema: Json, least: str, most: str, unit: str) -> Iterator[str]:
    if least in schema and most in schema:
        yield f"{schema[least]:,} to {schema[most]:,}{unit}."
    elif most in schema:
        yield f"At most {schema[most]:,}{unit}."
    elif least in schema:
        yield f"At least {schema[least]:,}{unit}."
