"""Small parts for the tests of requests and answers: who calls, a service, a client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime

import httpx
from bson import ObjectId
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import get_contextvars

from chatme.errors import NotAuthenticated
from chatme.http.endpoint import Endpoint, bind
from chatme.principal import Principal

TOKEN = "a-good-token"
CALLER = Principal(ObjectId("0" * 24), ObjectId("1" * 24), datetime(2030, 1, 1))
SIGNED_IN = {"Authorization": f"Bearer {TOKEN}"}


class Doorkeeper:
    """An Authenticator that knows one token, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def authenticate(self, token: str) -> Principal:
        """The one caller."""
        self.asked += 1
        if token != TOKEN:
            raise NotAuthenticated
        return CALLER

    async def recheck(self, _principal: Principal) -> None:
        """Nobody's session ends here."""


class Stream:
    """A request body that comes in pieces, and tells how many were taken."""

    def __init__(self, pieces: Iterable[bytes], *, breaks_off: bool = False) -> None:
        self._pieces = iter(pieces)
        self._breaks_off = breaks_off
        self.taken = 0

    async def receive(self) -> Message:
        """The next piece, or the end."""
        piece = next(self._pieces, None)
        if piece is not None:
            self.taken += 1
            return {"type": "http.request", "body": piece, "more_body": True}
        if self._breaks_off:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}


def request(
    stream: Stream | None = None,
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),),
    query: bytes = b"",
) -> Request:
    """A request as a server hands it to the application."""
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query, "headers": raw}
    return Request(scope, (stream or Stream([])).receive)


def bound(*endpoints: Endpoint, service: object = None) -> Starlette:
    """An application of these endpoints alone."""
    return Starlette(routes=bind([(endpoints, service)], Doorkeeper()))


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] | Sequence[tuple[bytes, bytes]] = (),
    content: bytes | AsyncIterator[bytes] | None = None,
    json: object = None,
    client: str = "127.0.0.1",
) -> httpx.Response:
    """One request to an application, and its answer."""
    transport = httpx.ASGITransport(app, client=(client, 4321))
    async with httpx.AsyncClient(transport=transport, base_url="http://chat") as browser:
        return await browser.request(
            method, path, headers=headers, content=content, json=json, follow_redirects=False
        )


async def show(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it saw of the request."""
    seen = {"client": scope["client"], "scheme": scope["scheme"], **get_contextvars()}
    await JSONResponse({**seen, "named": scope.get("state", {}).get("request_id")})(
        scope, receive, send
    )


async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Fails before it answers."""
    raise ZeroDivisionError("hunter2")


async def fail_halfway(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Fails after it began to answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ZeroDivisionError("hunter2")


async def run(app: ASGIApp, scope: Scope) -> list[Message]:
    """What an application sends on a bare scope."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent
