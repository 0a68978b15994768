"""The outermost layer: what it counts, and under which names."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Router
from starlette.types import Receive, Scope, Send

from chatme.errors import ChatMeError, Conflict, NotFound
from chatme.http.endpoint import Call, Endpoint, bind
from chatme.http.metering import Metering
from chatme.http.middleware import Unexpected
from chatme.http.replies import Reply, error_response
from chatme.principal import Principal
from chatme.shapes import Shape
from chatme_tests.fakes import RecordingMeter


class Nobody:
    """Lets nobody in."""

    async def authenticate(self, token: str) -> Principal:
        """Nobody."""
        raise NotFound

    async def recheck(self, principal: Principal) -> None:
        """Nobody."""
        raise NotFound


async def show(_service: object, _call: Call) -> Reply[Shape]:
    """Shows a thing."""
    return Reply(None, status=204)


async def clash(_service: object, _call: Call) -> Reply[Shape]:
    """Clashes."""
    raise Conflict


async def fail(_service: object, _call: Call) -> Reply[Shape]:
    """Has a fault of ours."""
    raise ZeroDivisionError


ROUTES = (
    Endpoint("GET", "/things/{thing}", show, public=True),
    Endpoint("POST", "/things/{thing}", clash, public=True),
    Endpoint("GET", "/fail", fail, public=True),
)


async def _told(method: str, path: str) -> list[tuple[object, ...]]:
    """What is counted of one request."""
    meter = RecordingMeter()

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        await error_response(NotFound(), scope)(scope, receive, send)

    routes = Router(bind([(ROUTES, None)], Nobody()), default=nothing)
    layers = [Middleware(Metering, meter=meter), Middleware(Unexpected)]
    app = Starlette(routes=[Mount("/api", routes)], middleware=layers)
    app.router.default = nothing
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.test") as http:
        await http.request(method, path)
    return meter.told


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/api/things/17", [("answered", "GET", "/api/things/{thing}", 204)]),
        ("HEAD", "/api/things/17", [("answered", "HEAD", "/api/things/{thing}", 204)]),
        (
            "POST",
            "/api/things/%2e%2e%2fx",
            [("answered", "POST", "unmatched", 404), ("refused", "http", "not_found")],
        ),
        (
            "POST",
            "/api/things/17",
            [("answered", "POST", "/api/things/{thing}", 409), ("refused", "http", "conflict")],
        ),
        (
            "PUT",
            "/api/things/17",
            [
                ("answered", "PUT", "/api/things/{thing}", 405),
                ("refused", "http", "method_not_allowed"),
            ],
        ),
        (
            "GET",
            "/api/fail",
            [("answered", "GET", "/api/fail", 500), ("refused", "http", "internal_error")],
        ),
    ],
)
async def test_a_request_is_counted(method: str, path: str, told: list[tuple[object, ...]]) -> None:
    """A request counts under its route's template and its status, and its error under its code."""
    assert await _told(method, path) == told


@pytest.mark.parametrize("path", ["/api/nothing", "/" + "x" * 1000, "/api/things/1/2"])
async def test_a_strange_path_has_no_name(path: str) -> None:
    """What no route takes counts as that, whatever its path."""
    assert (await _told("GET", path))[0][2] == "unmatched"


@pytest.mark.parametrize("method", ["PROPFIND", "X" * 100, "get"])
async def test_a_strange_method_has_no_name(method: str) -> None:
    """A method that nobody here uses counts as other."""
    assert (await _told(method, "/nothing"))[0][1] in {"other", "GET"}


async def test_who_leaves_is_counted() -> None:
    """A request whose answer never began has no status, and what it raised goes on."""
    meter = RecordingMeter()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ConnectionError

    async def never() -> dict[str, str]:
        raise AssertionError

    async def drop(_message: object) -> None:
        raise AssertionError

    scope: Scope = {"type": "http", "method": "GET", "path": "/"}
    with pytest.raises(ConnectionError):
        await Metering(app, meter)(scope, never, drop)

    assert meter.told == [("answered", "GET", "unmatched", 0)]


async def test_a_socket_is_no_request() -> None:
    """A socket's own messages do not pass; a refused upgrade counts as its error alone."""
    meter = RecordingMeter()
    sends: list[Send] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sends.append(send)
        error_response(ChatMeError(), scope)

    async def never() -> dict[str, str]:
        raise AssertionError

    async def mine(_message: object) -> None:
        raise AssertionError

    await Metering(app, meter)({"type": "websocket", "path": "/"}, never, mine)

    assert sends == [mine]
    assert meter.told == [("refused", "http", "internal_error")]
