"""The outermost layer: how long each request took, and which errors were told."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatme.ports import Meter

UNMATCHED = "unmatched"
"""The route of what reaches none: strange paths, preflights, what is over a rate."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metering:
    """Counts each request under its route's template, which the route leaves in the scope's state,
    and each error under its code, which its answer leaves there."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})
        started = time.perf_counter()
        status = 0

        async def send_watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            # A socket's frames do not pass through here: they are many.
            await self._app(scope, receive, send_watched if scope["type"] == "http" else send)
        finally:
            if scope["type"] == "http":
                method = scope["method"] if scope["method"] in _METHODS else "other"
                took = time.perf_counter() - started
                self._meter.answered(method, state.get("route", UNMATCHED), status, took)
            if "error" in state:
                self._meter.refused("http", state["error"])
