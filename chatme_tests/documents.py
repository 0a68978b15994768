"""What any AsyncAPI document must keep, and frames held against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

Json = dict[str, Any]


def references(document: object) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(document, list):
        for each in document:
            yield from references(each)


def resolve(document: Json, ref: str) -> Any:
    """What a reference leads to; raises `KeyError` where that is nowhere."""
    found: Any = document
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found


def faults_of(document: Json) -> list[str]:
    """What is wrong with a document's structure, in words."""
    return [*_lost(document), *_twins(document), *_strangers(document)]


def _lost(document: Json) -> Iterator[str]:
    """References that lead nowhere."""
    for ref in set(references(document)):
        try:
            resolve(document, ref)
        except KeyError:
            yield f"{ref} leads nowhere"


def _twins(document: Json) -> Iterator[str]:
    """Names that two messages share."""
    names = [each["name"] for each in document["components"]["messages"].values()]
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{times} messages are named {name}"


def _strangers(document: Json) -> Iterator[str]:
    """Messages and shapes that nothing leads to, and operations on messages of no channel."""
    used = set(references(document))
    for kind in ("messages", "schemas"):
        for name in document["components"][kind]:
            if f"#/components/{kind}/{name}" not in used:
                yield f"nothing leads to the {kind[:-1]} {name}"
    for channel, each in document["channels"].items():
        for name in each["messages"]:
            if f"#/channels/{channel}/messages/{name}" not in used:
                yield f"no operation has the message {name}"


class Judge:
    """Holds frames against a document, in which nothing may be that it does not describe."""

    def __init__(self, document: Json) -> None:
        messages = document["components"]["messages"]
        self.names = {each["name"] for each in messages.values()}
        self._schemas = closed(document["components"]["schemas"])
        self._validators = {
            each["name"]: self._validator(each["payload"]) for each in messages.values()
        }

    def faults(self, name: str, frame: Json) -> list[str]:
        """What is wrong with a frame, as the message of that name; ``ack of …`` for an ack."""
        if name not in self._validators:
            return [f"there is no message {name}"]
        return [
            f"{name}: {error.json_path}: {error.message}"
            for error in self._validators[name].iter_errors(frame)
        ]

    def _validator(self, payload: Json) -> Draft202012Validator:
        schema = {**closed(payload), "components": {"schemas": self._schemas}}
        Draft202012Validator.check_schema(schema)
        return Draft202012Validator(schema, format_checker=FormatChecker())


def closed(schema: Any) -> Any:
    """A schema whose objects have no other fields than those it names."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: closed(value) for key, value in schema.items()}
    if parts.get("type") == "object" and "additionalProperties" not in parts:
        parts.setdefault("properties", {})
        parts["additionalProperties"] = False
    return parts
