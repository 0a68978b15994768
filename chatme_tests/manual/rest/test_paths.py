"""Paths, and what follows from them."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from chatme.http.endpoint import Call, Endpoint
from chatme.manual.rest.paths import operation_id, path_parameters, tag_of, template


async def _nothing(_service: object, _call: Call) -> Response:
    raise NotImplementedError


def _row(method: str, path: str) -> Endpoint:
    return Endpoint(method, path, _nothing)


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("/users/{user_id}", "users"),
        ("/docs/realtime", "documentation"),
        ("/openapi.json", "documentation"),
        ("/upload/file", "uploads"),
        ("/metrics", "health"),
    ],
)
def test_a_path_s_room_is_its_first_part(path: str, tag: str) -> None:
    """The first part of a path is its room, or stands for it."""
    assert tag_of(path) == tag


def test_parameters_have_the_names_of_the_wire() -> None:
    """A path's parameters are written as JSON's fields are."""
    assert template("/a/{user_id}/b/{name}") == "/a/{userId}/b/{name}"


def test_parameters_of_paths_are_described() -> None:
    """An id is of what its name says; any other has words of its own."""
    user, name = path_parameters(_row("GET", "/users/{user_id}/{name}"))

    assert user == {
        "name": "userId",
        "in": "path",
        "required": True,
        "description": "The id of the user.",
        "schema": {"$ref": "#/components/schemas/Id"},
    }
    assert (name["name"], name["schema"]) == ("name", {"type": "string"})
    assert name["description"].endswith(".")


def test_operations_are_named_by_method_and_path() -> None:
    """No two places have the same name, whether or not a parameter stands in between."""
    found = [
        operation_id(_row("GET", path))
        for path in ("/m/search", "/m/{a_id}", "/m/{a_id}/search", "/m.json", "/m-n")
    ]

    assert found == ["getMSearch", "getMOne", "getMOneSearch", "getMJson", "getMN"]
