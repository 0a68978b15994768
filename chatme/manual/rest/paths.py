"""Paths as the document writes them, and the names and rooms that follow from them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic.alias_generators import to_camel

from chatme.http.endpoint import Endpoint
from chatme.manual.rest import words
from chatme.realtime.schemas import PREFIX

Json = dict[str, Any]


def tag_of(path: str) -> str:
    """The room of the reader to which a path, without its prefix, belongs."""
    segment = path.split("/")[1]
    return words.SEGMENTS.get(segment, segment)


def template(path: str) -> str:
    """A path whose parameters have the names of the wire."""
    return "/".join(
        f"{{{to_camel(part[1:-1])}}}" if part.startswith("{") else part for part in path.split("/")
    )


def path_parameters(row: Endpoint) -> Iterator[Json]:
    """The parameters of a row's path."""
    for part in row.path.split("/"):
        if not part.startswith("{"):
            continue
        name = part[1:-1]
        is_id = name.endswith("_id")
        yield {
            "name": to_camel(name),
            "in": "path",
            "required": True,
            "description": f"The id of the {name.removesuffix('_id')}."
            if is_id
            else words.PARAMETERS[name],
            "schema": {"$ref": f"{PREFIX}Id"} if is_id else {"type": "string"},
        }


def operation_id(row: Endpoint) -> str:
    """``getUsersOnePresence`` of ``GET /users/{user_id}/presence``."""
    parts = row.path.replace(".", "/").replace("-", "_").split("/")
    names = ["one" if each.startswith("{") else each for each in parts if each]
    return to_camel("_".join([row.method.lower(), *names]))
