"""A small feature with a route of each kind, for the tests of endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from starlette.applications import Starlette

from chatme.http.endpoint import Call, Endpoint
from chatme.shapes import DIGITS, Id, Omittable, Shape, Text, Trimmed
from chatme_tests.http.fakes import CALLER, bound

HEX = "65f0c0ffee65f0c0ffee65f0"


class NewLetter(Shape):
    """A typical body: an id, texts, numbers, a list, a nested shape."""

    to_id: Id
    body: Annotated[Trimmed, Field(min_length=1, max_length=100)]
    copies: Annotated[int, Field(ge=1, le=9)] = 1
    tags: Annotated[list[Text], Field(max_length=3)] = Field([])
    note: Omittable[Text] = None


class Paging(Shape):
    """A typical query."""

    limit: Annotated[int, Field(ge=1, le=100), DIGITS] = 30


class Letter(Shape):
    """A typical answer."""

    id: Id
    body: str


@dataclass
class Office:
    """A service."""

    sent: int = 0


async def send(office: Office, call: Call, body: NewLetter) -> Letter:
    """A handler with a body."""
    office.sent += 1
    return Letter(id=call.caller.user_id, body=body.body)


async def page(_office: Office, _call: Call, query: Paging) -> Letter:
    """A handler with a query."""
    return Letter(id=CALLER.user_id, body=str(query.limit))


async def one(_office: Office, call: Call) -> Letter:
    """A handler with an id in its path."""
    return Letter(id=call.path_id("id"), body="")


async def drop(_office: Office, _call: Call) -> None:
    """A handler without an answer."""


async def whoami(_office: Office, call: Call) -> Letter:
    """A handler that says who calls, on a public route."""
    return Letter(id=call.caller.user_id, body="")


ROWS = (
    Endpoint("POST", "/letters", send, status=201),
    Endpoint("GET", "/letters", page),
    Endpoint("GET", "/letters/{id}", one),
    Endpoint("DELETE", "/letters/{id}", drop, status=204),
    Endpoint("GET", "/open", whoami, public=True),
)


def post_office(office: Office | None = None) -> Starlette:
    """The application of these rows."""
    return bound(*ROWS, service=office or Office())
