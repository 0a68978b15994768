"""Tests for answers: bodies, cookies, and the one envelope of every error."""

from __future__ import annotations

import re

import orjson
import pytest
from starlette.responses import Response
from starlette.types import Scope

from chatme.errors import (
    ChatMeError,
    Code,
    Conflict,
    FieldFault,
    Invalid,
    NotAuthenticated,
    NotFound,
    RateLimited,
)
from chatme.http.replies import Cookie, JSONBytes, Reply, envelope, error_response
from chatme.shapes import Shape

SCOPE: Scope = {"type": "http", "path": "/api/v1/x", "state": {"request_id": "r1"}}


class Note(Shape):
    """A body."""

    short_text: str = "hi"


def content(response: Response) -> object:
    """The JSON of an answer."""
    return orjson.loads(bytes(response.body))


def test_a_body_is_json() -> None:
    """A shape goes out as camelCase JSON with its type, length and the usual status."""
    response = Reply(Note()).response(201)

    assert isinstance(response, JSONBytes)
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.body))
    assert content(response) == {"shortText": "hi"}


def test_a_reply_has_the_last_word() -> None:
    """A reply's own status and headers take the place of the usual ones."""
    response = Reply(Note(), status=200, headers={"Cache-Control": "no-store"}).response(201)

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"


def test_nothing_is_no_body() -> None:
    """An answer without a shape has no body and claims no JSON."""
    response = Reply(None).response(204)

    assert (response.status_code, response.body) == (204, b"")
    assert "content-type" not in response.headers
    assert "content-length" not in response.headers


def test_a_cookie_is_out_of_reach_for_scripts() -> None:
    """A cookie is HttpOnly and SameSite=Lax, and Secure and bound to a domain where asked."""
    cookie = Cookie("refresh_token", "v", 60, "/api/v1/auth", secure=True, domain="example.org")
    parts = Reply(None, cookie=cookie).response(204).headers["set-cookie"].split("; ")

    assert parts[0] == "refresh_token=v"
    assert {part.lower() for part in parts[1:]} == {
        "domain=example.org",
        "httponly",
        "max-age=60",
        "path=/api/v1/auth",
        "samesite=lax",
        "secure",
    }


def test_a_cookie_is_cleared_by_an_empty_one() -> None:
    """An empty cookie without age takes the place of the old one and is gone at once."""
    cookie = Cookie("refresh_token", "", 0, "/api/v1/auth", secure=False)
    header = Reply(None, cookie=cookie).response(204).headers["set-cookie"].lower()

    assert header.startswith('refresh_token="";')
    assert "max-age=0" in header
    assert "domain" not in header
    assert "secure" not in header


def test_the_envelope_is_the_contracts() -> None:
    """An error's envelope has exactly the contract's fields."""
    error = Invalid(faults=[FieldFault("email", "is not an e-mail address")])
    found = envelope(error, "/api/v1/auth/register", "r1")
    moment = found.pop("timestamp")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert found == {
        "success": False,
        "statusCode": 422,
        "code": "validation_failed",
        "message": "Some fields are not valid.",
        "errors": [{"field": "email", "message": "is not an e-mail address"}],
        "path": "/api/v1/auth/register",
        "requestId": "r1",
    }


def test_no_list_is_null() -> None:
    """Where no field is at fault, errors is null and not an empty list."""
    assert envelope(NotFound(), "/x", "r1")["errors"] is None


def test_an_error_is_a_response() -> None:
    """An error becomes a response with its status, its envelope and the headers given."""
    error = Conflict("Taken.", code=Code.EMAIL_TAKEN)
    response = error_response(error, SCOPE, {"Allow": "GET"})
    found = content(response)

    assert response.status_code == 409
    assert response.headers["content-type"] == "application/json"
    assert response.headers["allow"] == "GET"
    assert isinstance(found, dict)
    assert (found["code"], found["path"], found["requestId"]) == ("email_taken", "/api/v1/x", "r1")


def test_an_unnamed_request_has_an_empty_name() -> None:
    """Without the layer that names requests, an error can be answered still."""
    found = content(error_response(ChatMeError(), {"type": "http", "path": "/"}))

    assert isinstance(found, dict)
    assert (found["requestId"], found["code"]) == ("", "internal_error")


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(0, "1"), (0.01, "1"), (1, "1"), (1.0, "1"), (1.01, "2"), (2, "2"), (3, "3"), (59.5, "60")],
)
def test_retry_after_is_whole_seconds(seconds: float, header: str) -> None:
    """Retry-After is the delay in whole seconds, rounded up, and never zero."""
    response = error_response(RateLimited(retry_after=seconds), SCOPE)

    assert response.headers["retry-after"] == header


def test_headers_stand_only_where_they_help() -> None:
    """Only a 401 names the scheme, and only an error with a delay says Retry-After."""
    unknown, missing = error_response(NotAuthenticated(), SCOPE), error_response(NotFound(), SCOPE)

    assert unknown.headers["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in missing.headers
    assert "retry-after" not in missing.headers
