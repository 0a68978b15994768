"""Answers: JSON bodies, and the one envelope of every error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from chatme.clock import SystemClock, timestamp
from chatme.errors import ChatMeError
from chatme.shapes import Shape

# All that helmet 8 sets by default, as strict as answers allow that are no pages, but for HSTS. And
# nothing is kept on the way unless a route says so.
PROTECTION: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    # base-uri and form-action do not fall back on default-src.
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "X-Download-Options": "noopen",
    "X-Frame-Options": "DENY",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-XSS-Protection": "0",
}

ShapeT_co = TypeVar("ShapeT_co", bound=Shape, covariant=True)


class JSONBytes(Response):
    """A response whose body is JSON already."""

    media_type = "application/json"


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set; an empty value clears it."""

    name: str
    value: str
    max_age: int
    path: str
    secure: bool
    domain: str | None = None

    def set_on(self, response: Response) -> None:
        """Puts it on an answer."""
        response.set_cookie(
            self.name,
            self.value,
            max_age=self.max_age,
            path=self.path,
            domain=self.domain,
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )


@dataclass(frozen=True, slots=True)
class Reply(Generic[ShapeT_co]):
    """A handler's answer where the endpoint's usual status is not enough."""

    body: ShapeT_co | None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookie: Cookie | None = None

    def response(self, usual_status: int) -> Response:
        """The answer as Starlette sends it."""
        status = self.status or usual_status
        if self.body is None:
            response = Response(status_code=status, headers=dict(self.headers))
        else:
            response = JSONBytes(self.body.to_json(), status, dict(self.headers))
        if self.cookie is not None:
            self.cookie.set_on(response)
        return response


def envelope(error: ChatMeError, path: str, request_id: str) -> dict[str, Any]:
    """The error envelope of the REST contract."""
    faults = [{"field": fault.field, "message": fault.message} for fault in error.faults]
    return {
        "success": False,
        "statusCode": error.status,
        "code": error.code.value,
        "message": error.message,
        "errors": faults or None,
        "path": path,
        "timestamp": timestamp(SystemClock().now()),
        "requestId": request_id,
    }


def error_response(
    error: ChatMeError, scope: Scope, headers: Mapping[str, str] | None = None
) -> Response:
    """An error as a response, with ``Retry-After`` where waiting helps."""
    extra = dict(headers or {})
    scope.setdefault("state", {})["error"] = error.code.value  # for who counts errors
    if error.retry_after is not None:
        extra["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.status == 401:
        extra["WWW-Authenticate"] = "Bearer"
    body = envelope(error, scope["path"], scope.get("state", {}).get("request_id", ""))
    return JSONBytes(orjson.dumps(body), error.status, extra)


async def refuse(error: ChatMeError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a request, or denies an upgrade to a WebSocket, with an error."""
    response = error_response(error, scope)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
