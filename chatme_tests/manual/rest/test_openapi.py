"""The document of an API."""

from __future__ import annotations

from typing import Any

import pytest

from chatme.manual.rest import words
from chatme.manual.rest.openapi import Api, build
from chatme_tests.manual.rest.toy import API, PAGES, ROWS

DOCUMENT = build(API)
PREFIX = "#/components/schemas/"


def _operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method]
    return found


def test_every_row_is_an_operation() -> None:
    """Each row is in its place, by its method and path, with a name of its own."""
    found = {
        (method, path): each["operationId"]
        for path, methods in DOCUMENT["paths"].items()
        for method, each in methods.items()
    }

    assert len(found) == len(ROWS) + len(PAGES)
    assert found["get", "/api/v1/users/search"] == "getUsersSearch"
    assert found["post", "/api/v1/users/{userId}/things"] == "postUsersOneThings"
    assert found["get", "/docs"] == "getDocs"
    assert len(set(found.values())) == len(found)


def test_the_same_rows_make_the_same_document() -> None:
    """Nothing of the document hangs on chance, and it knows its version."""
    assert build(API) == DOCUMENT
    assert (DOCUMENT["openapi"], DOCUMENT["info"]["version"]) == ("3.1.0", "7.8.9")


def test_a_docstring_is_summary_and_description() -> None:
    """The first paragraph is the summary, what follows the description, in CommonMark."""
    found = _operation("get", "/api/v1/users/search")

    assert found["summary"] == "Finds `one` thing."
    assert found["description"] == "The first that fits."
    assert "description" not in _operation("post", "/api/v1/upload/file")


def test_tags_are_the_rooms_of_the_reader() -> None:
    """An operation's tag comes from its path, and those that are used are told in their order."""
    assert [each["name"] for each in DOCUMENT["tags"]] == [
        *("auth", "users", "uploads", "health", "documentation")
    ]


def test_parameters_are_described() -> None:
    """Those of the path are needed, those of the query as their shape says, each with words."""
    q, limit = _operation("get", "/api/v1/users/search")["parameters"]
    (user,) = _operation("patch", "/api/v1/users/{userId}")["parameters"]

    assert (q["name"], q["in"], q["required"]) == ("q", "query", True)
    assert limit["required"] is False
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 3}
    assert (user["name"], user["in"], user["required"]) == ("userId", "path", True)
    assert user["description"] == "The id of the user."
    assert user["schema"] == {"$ref": f"{PREFIX}Id"}
    assert q["description"]


def test_bodies_have_examples() -> None:
    """A body may be left out where all of its fields may; a file goes in a form."""
    needed = _operation("post", "/api/v1/users/{userId}/things")["requestBody"]
    optional = _operation("patch", "/api/v1/users/{userId}")["requestBody"]
    file = _operation("post", "/api/v1/upload/file")["requestBody"]

    assert (needed["required"], optional["required"], file["required"]) == (True, False, True)
    assert needed["content"]["application/json"] == {
        "schema": {"$ref": f"{PREFIX}Wish"},
        "example": {"name": "Tea"},
    }
    (form,) = file["content"].items()
    assert form[0] == "multipart/form-data"
    assert form[1]["schema"]["required"] == ["file"]


def test_answers_are_described() -> None:
    """Every status of success has its shape and an example; some have no body."""
    made = _operation("post", "/api/v1/users/{userId}/things")["responses"]
    away = _operation("get", "/api/v1/auth/away")["responses"]["302"]
    page = _operation("get", "/docs")["responses"]
    bytes_ = _operation("get", "/api/v1/uploads/{name}")["responses"]
    book = _operation("get", "/api/v1/users/me/book")["responses"]["200"]

    assert made["200"] == made["201"]
    content = made["201"]["content"]["application/json"]
    assert content["schema"] == {"anyOf": [{"$ref": f"{PREFIX}Thing"}, {"$ref": f"{PREFIX}Other"}]}
    assert set(content["examples"]) == {"Thing", "Other"}
    assert "content" not in away
    assert set(away["headers"]) == {"X-Request-ID", "Location", *words.LIMITED}
    assert set(page["200"]["content"]) == {"text/html"}
    assert page["200"]["content"]["text/html"] == {"schema": {"type": "string"}}
    assert "content" not in page["304"]
    assert bytes_["200"]["content"] == bytes_["206"]["content"] == {"*/*": {"schema": {}}}
    assert "content" not in _operation("patch", "/api/v1/users/{userId}")["responses"]["204"]
    assert book["content"]["application/json"]["schema"] == {"$ref": f"{PREFIX}Book"}


def test_a_success_goes_before_an_error_of_its_status() -> None:
    """A 503 that is an answer of its own is described as that."""
    found = _operation("get", "/api/v1/health")["responses"]["503"]

    assert found["content"]["application/json"]["schema"] == {"$ref": f"{PREFIX}Thing"}


def test_what_is_not_counted_tells_no_limit() -> None:
    """Paths that are not limited have neither the error nor the headers of the others."""
    free = _operation("get", "/api/v1/health")["responses"]
    counted = _operation("get", "/api/v1/users/search")["responses"]

    assert "429" not in free
    assert set(free["200"]["headers"]) == {"X-Request-ID"}
    assert "429" in counted
    assert set(words.LIMITED) <= set(counted["200"]["headers"])


@pytest.mark.parametrize(
    ("method", "path", "security"),
    [
        ("get", "/api/v1/users/search", [{"bearer": []}]),
        ("get", "/api/v1/auth/away", []),
        ("get", "/api/v1/health", [{"metricsToken": []}, {}]),
        ("post", "/api/v1/auth/refresh", [{"bearer": []}, {"refreshCookie": []}]),
    ],
)
def test_who_may_call_is_told(method: str, path: str, security: list[Any]) -> None:
    """The signed-in, everybody, or who has one of several credentials, which some do not need."""
    assert _operation(method, path)["security"] == security


def test_only_what_is_used_is_a_component() -> None:
    """Queries are no components, nor are headers, schemes and answers that no row has."""
    small = build(Api("1", {"": PAGES}))

    assert "Sought" not in DOCUMENT["components"]["schemas"]
    assert small["components"]["securitySchemes"] == {}
    assert set(small["components"]["headers"]) == {*words.ALWAYS, *words.LIMITED, "Retry-After"}
    assert "NotAuthenticated" not in small["components"]["responses"]
