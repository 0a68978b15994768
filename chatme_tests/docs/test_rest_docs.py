"""The REST document says what the contract promises, route by route, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chatme.manual.rest.page import render
from chatme_tests.judging import judge
from chatme_tests.server import ROOT

# The contract's routes, and their answer's fields where it names them.
ROUTES: Mapping[str, str] = {
    "POST /auth/register": "accessToken user",
    "POST /auth/refresh": "accessToken",
    "POST /auth/logout": "message",
    "POST /auth/logout-all": "message sessions",
    "GET /auth/sessions": "items next",
    "DELETE /auth/sessions/{sessionId}": "",
    "GET /auth/me": "id displayName avatar bio email role isVerified identities createdAt "
    "lastSeenAt",
    "GET /auth/google": "",
    "GET /auth/github": "",
    "GET /auth/google/callback": "",
    "GET /auth/github/callback": "",
    "GET /users/search": "items next",
    "GET /users/{userId}": "id displayName avatar bio",
    "GET /users/{userId}/presence": "isOnline lastSeenAt",
    "PATCH /users/me": "id displayName avatar bio email role isVerified identities createdAt "
    "lastSeenAt",
    "GET /users/blocked": "items next",
    "POST /users/{userId}/block": "blocked",
    "DELETE /users/{userId}/block": "blocked",
    "POST /conversations/direct": "id type name avatar members memberCount seq rev unreadCount "
    "lastMessage lastMessageAt createdAt",
    "POST /conversations/group": "id type name avatar members memberCount seq rev unreadCount "
    "lastMessage lastMessageAt createdAt",
    "GET /conversations": "items next",
    "GET /conversations/search": "items next",
    "GET /conversations/{conversationId}/members": "items next",
    "DELETE /conversations/{conversationId}/members/{userId}": "",
    "DELETE /conversations/{conversationId}": "",
    "GET /messages/{conversationId}": "items next",
    "POST /messages/{conversationId}": "id conversationId seq rev clientId sender type content "
    "attachment replyTo receipts receiptCounts reactions isEdited editedAt isDeleted createdAt",
    "GET /messages/{conversationId}/{messageId}/receipts": "items next",
    "GET /notifications": "items next",
    "GET /notifications/count": "count",
    "PATCH /notifications/{notificationId}/read": "id type payload isRead createdAt",
    "PATCH /notifications/read-all": "updated",
    "GET /health": "status info error details",
    "GET /health/live": "status",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of this application."""
    return judge().document


def _fields(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """The fields of a success, all of which are always there."""
    status = min(int(status) for status in operation["responses"])
    content = operation["responses"][str(status)].get("content")
    if content is None:
        return set()
    ref = content["application/json"]["schema"]["$ref"]
    schema = document["components"]["schemas"][ref.rpartition("/")[2]]
    assert set(schema["required"]) == set(schema["properties"])
    return set(schema["properties"])


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_as_promised(document: dict[str, Any], route: str) -> None:
    """Each of the contract's routes is there, and its answer has the contract's fields."""
    method, path = route.split()
    operation = document["paths"][f"/api/v1{path}"][method.lower()]

    assert _fields(document, operation) == set(ROUTES[route].split())


def test_the_page_names_everything(document: dict[str, Any]) -> None:
    """Every route and every error code stands on the page."""
    page = render(document)
    codes = document["components"]["schemas"]["ErrorCode"]["enum"]

    for path in document["paths"]:
        assert path in page
    for code in codes:
        assert f">{code}<" in page


def test_the_readme_leads_to_the_page() -> None:
    """Who reads the README finds the document and its page."""
    readme = (ROOT / "README.rst").read_text()

    assert "``/docs``" in readme
    assert "``/openapi.json``" in readme
