"""Small ASGI applications for the server's tests."""

from __future__ import annotations

import asyncio
from typing import cast

import orjson
from uvicorn._types import (
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPScope,
    Scope,
    WebSocketScope,
)


async def answer(send: ASGISendCallable, body: bytes, status: int = 200) -> None:
    """Sends a whole response."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class Echo:
    """Answers each request with what it was, and each WebSocket's text with itself."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """One request or one WebSocket."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._socket(cast("WebSocketScope", scope), receive, send)
        self.at_once -= 1

    async def _request(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        self.seen.append(scope["path"])
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message["body"]
            more = message["more_body"]
        await answer(
            send,
            orjson.dumps(
                {
                    "method": scope["method"],
                    "path": scope["path"],
                    "fields": [name.decode() for name, _ in scope["headers"]],
                    "body": body.decode(errors="replace"),
                }
            ),
        )

    async def _socket(
        self, scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        self.seen.append(scope["path"])
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text") or ""})


class Gate:
    """Answers as soon as the test lets it, without looking at the body."""

    def __init__(self, body: bytes = b"done") -> None:
        self.body = body
        self.started = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """One request."""
        self.started.set()
        await self.open.wait()
        await answer(send, self.body)


class Listener:
    """Reads until it hears that the client has gone; may begin its answer before."""

    def __init__(self, *, speaks: bool = False) -> None:
        self.speaks = speaks
        self.disconnected = asyncio.Event()

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """One request."""
        if self.speaks:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.disconnected.set()
        await answer(send, b"too late")
