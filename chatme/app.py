"""The application: routes, middleware in order, error handlers."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send

from chatme.accounts.routes import ROUTES as ACCOUNT_ROUTES
from chatme.auth.routes import ROUTES as AUTH_ROUTES
from chatme.conversations.routes import ROUTES as CONVERSATION_ROUTES
from chatme.errors import BadRequest, ChatMeError, MethodNotAllowed, NotFound
from chatme.health.routes import METRICS_ROUTES
from chatme.health.routes import ROUTES as HEALTH_ROUTES
from chatme.http.endpoint import Endpoint, bind
from chatme.http.files import ROUTES as FILE_ROUTES
from chatme.http.gate import Gate
from chatme.http.limiting import RateLimitFields, RateLimits
from chatme.http.metering import Metering
from chatme.http.middleware import (
    CrossOrigin,
    RequestId,
    SecurityHeaders,
    TrustedProxies,
    Unexpected,
)
from chatme.http.replies import error_response, refuse
from chatme.manual.serving import ROUTES as MANUAL_ROUTES
from chatme.manual.serving import Manual
from chatme.messages.routes import ROUTES as MESSAGE_ROUTES
from chatme.notifications.routes import ROUTES as NOTIFICATION_ROUTES
from chatme.settings import Settings
from chatme.uploads.routes import ROUTES as UPLOAD_ROUTES
from chatme.users.routes import ROUTES as USER_ROUTES
from chatme.wiring import Services

API = "/api/v1"
# What is not counted, and all below it: what looks after the server, and what a page of pictures
# loads at once.
UNLIMITED = (f"{API}/health", "/metrics", "/uploads")
_MANUAL = ("/docs", "/openapi.json", "/asyncapi.json")
# What needs no database, or tells how it is, and all below it.
ALWAYS_SERVED = (*UNLIMITED, *_MANUAL)


def create_app(settings: Settings, services: Services) -> Starlette:
    """The application over services that are open as long as it serves."""
    tables = _api_tables(services)
    api = [row for rows, _ in tables for row in rows]
    root = (*MANUAL_ROUTES, *FILE_ROUTES, *METRICS_ROUTES)
    manual = Manual.of(settings, {API: api, "": root}, UNLIMITED, ALWAYS_SERVED)
    app = Starlette(
        routes=[
            WebSocketRoute("/chat", services.chat),
            *bind(
                [
                    (MANUAL_ROUTES, manual),
                    (FILE_ROUTES, services.shelf),
                    (METRICS_ROUTES, services.scrape),
                ],
                services.authenticator,
            ),
            # Its own router, too, or a slash too many would be a redirect without an envelope.
            Mount(API, Router(bind(tables, services.authenticator), False, _nothing_here)),
        ],
        middleware=[
            Middleware(Metering, meter=services.scrape.metrics),
            Middleware(RequestId),
            Middleware(TrustedProxies, trusted=settings.trusted_proxies),
            Middleware(SecurityHeaders, production=settings.production),
            Middleware(CrossOrigin, origins=settings.frontend_url),
            Middleware(RateLimitFields),
            Middleware(Unexpected),
            Middleware(Gate, lifeline=services.lifeline, exempt=ALWAYS_SERVED),
            Middleware(
                RateLimits,
                limiter=services.limiter,
                authenticator=services.authenticator,
                rates=[r for r in (settings.rate_limit_short, settings.rate_limit_long) if r],
                unlimited=UNLIMITED,
                nameless=_MANUAL,
            ),
        ],
        exception_handlers={HTTPException: _framework_error},
    )
    app.router.redirect_slashes = False
    app.router.default = _nothing_here
    return app


def _api_tables(services: Services) -> tuple[tuple[tuple[Endpoint, ...], object], ...]:
    return (
        (AUTH_ROUTES, services.auth),
        (ACCOUNT_ROUTES, services.accounts),
        (USER_ROUTES, services.users),
        (CONVERSATION_ROUTES, services.conversations),
        (MESSAGE_ROUTES, services.messages),
        (UPLOAD_ROUTES, services.uploads),
        (NOTIFICATION_ROUTES, services.notifications),
        (HEALTH_ROUTES, services.health),
    )


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """A path that is not there is a 404 in the envelope, for an upgrade to a WebSocket as well."""
    await refuse(NotFound(), scope, receive, send)


async def _framework_error(request: Request, error: Exception) -> Response:
    """Starlette's own errors, in our envelope."""
    known: dict[int, ChatMeError] = {404: NotFound(), 405: MethodNotAllowed()}
    status = error.status_code if isinstance(error, HTTPException) else 400
    return error_response(known.get(status, BadRequest()), request.scope)
