"""The judge of every flow's REST answers sees what is wrong with them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chatme_tests.judging import judge

ERROR = {
    "success": False,
    "statusCode": 404,
    "code": "not_found",
    "message": "There is no such thing.",
    "errors": None,
    "path": "/api/v1/notifications/x/read",
    "timestamp": "2026-01-31T12:00:00.000Z",
    "requestId": "r",
}
FIVE = {**ERROR, "statusCode": 405, "code": "method_not_allowed"}
COUNT = "/api/v1/notifications/count"
READ = "/api/v1/notifications/x/read"


def _faults(
    method: str, path: str, status: int, body: Any, headers: dict[str, str] | None = None
) -> list[str]:
    named = {"X-Request-ID": "r", **(headers or {})}
    request = httpx.Request(method, f"http://chat.test{path}")
    if body is None:
        response = httpx.Response(status, headers=named, request=request)
    else:
        response = httpx.Response(status, headers=named, json=body, request=request)
    return judge().faults(response)


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "headers"),
    [
        ("GET", COUNT, 200, {"count": 3}, {}),
        ("HEAD", COUNT, 200, None, {}),
        ("PATCH", READ, 404, ERROR, {}),
        ("GET", "/api/v1/nowhere", 404, ERROR, {}),
        ("PUT", COUNT, 405, FIVE, {"Allow": "GET, HEAD"}),
        ("GET", "/elsewhere", 418, {}, {}),
        ("DELETE", "/api/v1/users/me", 204, None, {}),
    ],
)
def test_what_is_documented_is_in_order(
    method: str, path: str, status: int, body: Any, headers: dict[str, str]
) -> None:
    """An answer as the document says it has no faults, nor has one of somebody else."""
    assert _faults(method, path, status, body, headers) == []


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "headers"),
    [
        ("GET", COUNT, 201, {"count": 3}, {}),
        ("GET", COUNT, 200, {"count": "3"}, {}),
        ("GET", COUNT, 200, {"count": 3, "more": 1}, {}),
        ("GET", COUNT, 200, {}, {}),
        ("GET", COUNT, 200, {"count": 3}, {"X-Request-ID": " "}),
        ("GET", COUNT, 200, {"count": 3}, {"Content-Type": "text/plain"}),
        ("PATCH", READ, 404, {**ERROR, "code": "blocked"}, {}),
        ("PATCH", READ, 404, {**ERROR, "statusCode": 403}, {}),
        ("PATCH", READ, 404, {**ERROR, "timestamp": "yesterday"}, {}),
        ("PATCH", READ, 401, {**ERROR, "statusCode": 401, "code": "not_authenticated"}, {}),
        ("GET", "/api/v1/nowhere", 200, ERROR, {}),
        ("PUT", COUNT, 405, FIVE, {}),
        ("DELETE", "/api/v1/users/me", 204, {"a": 1}, {}),
    ],
)
def test_what_is_not_documented_is_a_fault(
    method: str, path: str, status: int, body: Any, headers: dict[str, str]
) -> None:
    """Another status, field, type, code, header or media type is found."""
    assert _faults(method, path, status, body, headers) != []
