"""The errors of rows."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from chatme.errors import Code
from chatme.http.endpoint import Call, Endpoint
from chatme.manual.rest import errors, words
from chatme_tests.manual.rest.toy import ROWS

ALWAYS = {*words.EVERYWHERE, Code.RATE_LIMITED, Code.UNAVAILABLE}


async def _nothing(_service: object, _call: Call) -> Response:
    raise NotImplementedError


def _codes(row: Endpoint) -> set[Code]:
    found = errors.codes_of(row, limited=True, gated=True)
    return {code for codes in found.values() for code in codes}


@pytest.mark.parametrize(
    ("row", "codes"),
    [
        (Endpoint("GET", "/", _nothing, public=True), set()),
        (Endpoint("GET", "/", _nothing), {Code.NOT_AUTHENTICATED}),
        (Endpoint("GET", "/{a_id}", _nothing, public=True), {Code.NOT_FOUND}),
        (ROWS[0], {Code.NOT_AUTHENTICATED, Code.VALIDATION_FAILED}),
        (ROWS[1], {Code.NOT_AUTHENTICATED, Code.NOT_FOUND, Code.BLOCKED, *words.OF_BODIES}),
        (ROWS[4], {Code.NOT_AUTHENTICATED, *words.OF_BODIES}),
    ],
)
def test_a_row_has_the_errors_of_its_kind(row: Endpoint, codes: set[Code]) -> None:
    """Path, query, body and who may call add errors, and the row its own."""
    assert _codes(row) == ALWAYS | codes


def test_what_is_not_counted_is_never_limited() -> None:
    """A route that has no limit does not say that it has."""
    row = Endpoint("GET", "/health", _nothing, public=True)

    assert 429 not in errors.codes_of(row, limited=False, gated=True)


def test_what_is_always_served_is_never_unavailable() -> None:
    """A route that goes on while the database is away does not say that it does not."""
    row = Endpoint("GET", "/health", _nothing, public=True)

    assert 503 not in errors.codes_of(row, limited=True, gated=False)


def test_codes_of_a_status_stand_together() -> None:
    """Several codes of one status are one answer, in one order, whoever names them how."""
    row = Endpoint("GET", "/", _nothing, codes=(Code.LAST_ADMIN, Code.CONFLICT))
    found = errors.codes_of(row, limited=True, gated=True)[409]

    assert found == (Code.CONFLICT, Code.LAST_ADMIN)
    assert errors.response_key(found) == "ConflictOrLastAdmin"


def test_an_answer_shows_each_code() -> None:
    """An answer names its status, its codes and headers, and has an example of each code."""
    found = errors.response(429, (Code.RATE_LIMITED,))
    content = found["content"]["application/json"]

    assert found["description"].startswith("`rate_limited`: ")
    assert {"X-Request-ID", "Retry-After"} <= set(found["headers"])
    assert content["schema"]["allOf"][1]["properties"] == {
        "statusCode": {"const": 429},
        "code": {"enum": ["rate_limited"]},
    }
    assert content["examples"]["rate_limited"]["value"]["code"] == "rate_limited"


def test_the_codes_are_listed_once() -> None:
    """The shape of a code lists what is used, each with its meaning."""
    found = errors.schemas([Code.NOT_FOUND, Code.BAD_REQUEST, Code.NOT_FOUND])["ErrorCode"]

    assert found["enum"] == ["bad_request", "not_found"]
    assert list(found["x-meanings"]) == found["enum"]
