"""The manual over HTTP: documents and pages, made once, served with a tag to compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chatme.http.endpoint import Call, Endpoint, Handler
from chatme.manual.document import realtime_document
from chatme.manual.page import render
from chatme.manual.rest.document import rest_document
from chatme.manual.rest.page import render as render_rest
from chatme.settings import Settings

POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Something that is the same for everybody until the next start."""

    body: bytes
    media_type: str
    tag: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> Leaf:
        """A leaf, with the tag of its bytes."""
        return cls(body, media_type, f'"{sha256(body).hexdigest()[:32]}"')

    def response(self, request: Request) -> Response:
        """The leaf, or a 304 for who has it; it is asked for each time (RFC 9110, 13.1.2)."""
        headers = {
            "ETag": self.tag,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": POLICY,
        }
        known = request.headers.get("if-none-match", "")
        tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        if tags & {self.tag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=self.media_type)


@dataclass(frozen=True, slots=True)
class Manual:
    """What there is to read."""

    openapi: Leaf
    rest: Leaf
    asyncapi: Leaf
    realtime: Leaf
    style: Leaf

    @classmethod
    def of(
        cls,
        settings: Settings,
        tables: Mapping[str, Iterable[Endpoint]],
        unlimited: tuple[str, ...] = (),
        always_served: tuple[str, ...] = (),
    ) -> Manual:
        """The manual of this server, whose routes are given by what their paths begin with.

        ``unlimited`` and ``always_served`` are as in `chatme.manual.rest.openapi.Api`.
        """
        rest = rest_document(tables, unlimited, always_served)
        document = realtime_document(settings)
        style = files("chatme").joinpath("web", "docs.css").read_bytes()
        return cls(
            openapi=Leaf.of(orjson.dumps(rest), "application/json"),
            rest=Leaf.of(render_rest(rest).encode(), "text/html"),
            asyncapi=Leaf.of(orjson.dumps(document), "application/json"),
            realtime=Leaf.of(render(document).encode(), "text/html"),
            style=Leaf.of(style, "text/css"),
        )


async def openapi(manual: Manual, call: Call) -> Response:
    """This document."""
    return manual.openapi.response(call.request)


async def rest(manual: Manual, call: Call) -> Response:
    """The same as a page."""
    return manual.rest.response(call.request)


async def asyncapi(manual: Manual, call: Call) -> Response:
    """The AsyncAPI document of the socket."""
    return manual.asyncapi.response(call.request)


async def realtime(manual: Manual, call: Call) -> Response:
    """The AsyncAPI document as a page."""
    return manual.realtime.response(call.request)


async def style(manual: Manual, call: Call) -> Response:
    """How the pages look."""
    return manual.style.response(call.request)


def _leaf(path: str, handler: Handler, media: str) -> Endpoint:
    return Endpoint("GET", path, handler, public=True, also=(304,), headers=("ETag",), media=media)


ROUTES = (
    _leaf("/openapi.json", openapi, "application/json"),
    _leaf("/docs", rest, "text/html"),
    _leaf("/asyncapi.json", asyncapi, "application/json"),
    _leaf("/docs/realtime", realtime, "text/html"),
    _leaf("/docs/style.css", style, "text/css"),
)
