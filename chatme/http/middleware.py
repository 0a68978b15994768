"""The layers around every request, outermost first, as plain ASGI.

`RequestId` names the request, `TrustedProxies` finds the client's address, `SecurityHeaders` sets
what helmet sets, `CrossOrigin` lets our own pages in, and `Unexpected`, inside them so that its
answers pass through them too, turns a fault of ours into a 500 that shows nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatme.errors import ChatMeError, Code, Forbidden
from chatme.http.replies import PROTECTION, error_response

log = structlog.stdlib.get_logger("chatme.http")

MAX_HOPS = 20
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


class RequestId:
    """Names each request, in its scope, on its response and in every log line of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        incoming = Headers(scope=scope).get("x-request-id", "")
        request_id = incoming if _SANE_REQUEST_ID.fullmatch(incoming) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_named)
            if scope["type"] == "http":
                took = round((time.perf_counter() - started) * 1000, 1)
                # The path alone: a query may carry a token.
                log.info(
                    "request", method=scope["method"], path=scope["path"], status=status, ms=took
                )


class Unexpected:
    """The edge: a fault of ours is logged whole and answered in general words."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception:
            log.exception("unexpected fault", path=scope.get("path"))
            if started or scope["type"] != "http":
                raise
            await error_response(ChatMeError(), scope)(scope, receive, send)


class TrustedProxies:
    """The client's address and scheme, from forwarding headers only where a named proxy set them.

    The address is the rightmost of ``X-Forwarded-For`` that is not a trusted proxy itself: what
    stands further left was written by strangers. No more than `MAX_HOPS` are looked at.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self._app = app
        self._networks = tuple(ip_network(network, strict=False) for network in trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and self._networks:
            client = scope.get("client")
            if client is not None and self._trusts(client[0]):
                scope = {**scope, **self._forwarded(scope, client)}
        await self._app(scope, receive, send)

    def _trusts(self, address: str) -> bool:
        try:
            parsed = _plain_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def _forwarded(self, scope: Scope, client: tuple[str, int]) -> dict[str, Any]:
        headers = Headers(scope=scope)
        found: dict[str, Any] = {}
        hops = ",".join(headers.getlist("x-forwarded-for")).rsplit(",", MAX_HOPS)
        address = client[0]
        for hop in reversed([hop.strip() for hop in hops[-MAX_HOPS:] if hop.strip()]):
            try:
                address = str(_plain_address(hop))
            except ValueError:
                break
            if not self._trusts(address):
                break
        found["client"] = (address, 0 if address != client[0] else client[1])
        proto = headers.get("x-forwarded-proto", "").lower()
        if proto in ("http", "https"):
            secure = proto == "https"
            sockets = scope["type"] == "websocket"
            found["scheme"] = ("wss" if secure else "ws") if sockets else proto
        return found


def _plain_address(text: str) -> IPv4Address | IPv6Address:
    # An IPv4 address may come dressed as an IPv6 one: one client, one name.
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


class SecurityHeaders:
    """All that helmet 8 sets by default (`replies.PROTECTION`); HSTS in production, when TLS is in
    front.

    The package `secure` falls short of it: it knows neither Origin-Agent-Cluster nor the four old
    ``X-`` fields, and would replace what a route set itself.
    """

    def __init__(self, app: ASGIApp, *, production: bool) -> None:
        self._app = app
        self._headers = dict(PROTECTION)
        if production:
            self._headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_secured)


class CrossOrigin(CORSMiddleware):
    """CORS for our own pages' origins, with credentials; a refusal comes in the envelope."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=[
                "X-Request-ID",
                "Retry-After",
                "RateLimit-Limit",
                "RateLimit-Remaining",
                "RateLimit-Reset",
            ],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        preflight = scope.get("method") == "OPTIONS" and "access-control-request-method" in headers
        if preflight and "origin" in headers:
            response = self.preflight_response(request_headers=headers)
            if response.status_code != 200:
                kept = {
                    k: v for k, v in response.headers.items() if k.startswith(("access", "vary"))
                }
                response = error_response(
                    Forbidden("Not from this origin.", code=Code.FOREIGN_ORIGIN), scope, kept
                )
            await response(scope, receive, send)
            return
        await super().__call__(scope, receive, send)
