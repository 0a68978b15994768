"""A small API, whose document says all that one can say."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from chatme.errors import Code
from chatme.http.endpoint import Call, Endpoint
from chatme.http.multipart import Upload
from chatme.http.replies import Reply
from chatme.manual.rest.openapi import Api
from chatme.shapes import Id, Omittable, Shape, Text


class Wish(Shape):
    """What somebody wants of a user."""

    name: Annotated[Text, Field(max_length=9)]
    limit: Omittable[int] = None


class Whim(Shape):
    """Nothing that is needed."""

    name: Omittable[Text] = None


class Sought(Shape):
    """Which of them."""

    q: Text
    limit: Annotated[int, Field(ge=1, le=9)] = 3


class Thing(Shape):
    """A thing."""

    id: Id
    name: str


class Other(Shape):
    """Another thing."""

    uri: str


class Book(Shape):
    """Written piece by piece."""

    items: list[Thing]


async def find(_service: object, _call: Call, query: Sought) -> Thing:
    """Finds ``one`` thing.

    The first
    that fits.
    """
    raise NotImplementedError(query)


async def make(_service: object, _call: Call, body: Wish) -> Reply[Thing | Other]:
    """Makes a thing."""
    raise NotImplementedError(body)


async def change(_service: object, _call: Call, body: Whim) -> None:
    """Changes a thing."""
    raise NotImplementedError(body)


async def write(_service: object, _call: Call) -> Response:
    """Writes a book."""
    raise NotImplementedError


async def send(_service: object, _call: Call) -> Thing:
    """Takes a file."""
    raise NotImplementedError


async def leave(_service: object, _call: Call) -> Response:
    """Leads away."""
    raise NotImplementedError


async def page(_service: object, _call: Call) -> Response:
    """A page."""
    raise NotImplementedError


ROWS = (
    Endpoint("GET", "/users/search", find),
    Endpoint("POST", "/users/{user_id}/things", make, 201, also=(200,), codes=(Code.BLOCKED,)),
    Endpoint("PATCH", "/users/{user_id}", change, 204, codes=(Code.LAST_ADMIN, Code.CONFLICT)),
    Endpoint("GET", "/users/me/book", write),
    Endpoint("POST", "/upload/file", send, 201, upload=Upload("file", 9)),
    Endpoint("GET", "/uploads/{name}", page, public=True, also=(206, 304), media="*/*"),
    Endpoint("GET", "/auth/away", leave, 302, public=True, headers=("Location",)),
    Endpoint("POST", "/auth/refresh", send, public=True, credentials=("bearer", "refreshCookie")),
    Endpoint("GET", "/health", send, public=True, also=(503,), credentials=("metricsToken", "")),
)
PAGES = (Endpoint("GET", "/docs", page, public=True, also=(304,), media="text/html"),)

FREE = ("/api/v1/health",)
API = Api("7.8.9", {"/api/v1": ROWS, "": PAGES}, FREE, streamed={write: Book})
