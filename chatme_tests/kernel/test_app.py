"""The application: every path answers, and what is wrong is told in the envelope."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route, WebSocketRoute

import chatme
from chatme.app import API, create_app
from chatme.wiring import Services, open_services
from chatme_tests.fakes import settings_of

ENVELOPE = ["success", "statusCode", "code", "message", "errors", "path", "timestamp", "requestId"]
OURS, FOREIGN = "http://localhost:5173", "https://evil.example"


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    """All services over an empty database."""
    async with open_services(settings_of(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def http(services: Services, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the application, without a server between."""
    app = create_app(settings_of(tmp_path), services)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.test") as client:
        yield client


def _told(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The envelope of an error, checked."""
    body: dict[str, Any] = response.json()
    assert list(body) == ENVELOPE
    assert (response.status_code, body["statusCode"], body["code"]) == (status, status, code)
    assert body["success"] is False
    assert body["message"]
    assert body["requestId"] == response.headers["x-request-id"]
    assert response.headers["content-type"] == "application/json"
    return body


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/auth",
        "/api/v1/health/",
        "/api/v1//health",
        "/API/v1/health",
        "/api/v2/health",
        "/api/v1/health/live/x",
        "/chat/x",
        "/%ff",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "BREW"])
async def test_an_unknown_path_is_not_found(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    """Whatever the method, a path that is not there is a 404 in the envelope."""
    response = await http.request(method, path)
    body = _told(response, 404, "not_found")

    assert body["path"] == httpx.URL(f"http://chat.test{path}").path
    assert body["errors"] is None


async def test_the_socket_s_path_is_no_page(http: httpx.AsyncClient) -> None:
    """A plain request for the socket's path is answered in the envelope, not upgraded."""
    _told(await http.get("/chat"), 404, "not_found")


def _routes(services: Services, folder: Path) -> list[Route]:
    app = create_app(settings_of(folder), services)
    (mount,) = [each for each in app.routes if isinstance(each, Mount) and each.path == API]
    return [each for each in mount.routes if isinstance(each, Route)]


async def test_every_feature_s_routes_are_there(services: Services, tmp_path: Path) -> None:
    """Each row of each feature's table is in the application."""
    paths = {route.path for route in _routes(services, tmp_path)}
    tables = [
        getattr(importlib.import_module(each.name), "ROUTES", ())
        for each in pkgutil.walk_packages(chatme.__path__, "chatme.")
        if each.name.endswith(".routes")
    ]

    assert len(tables) >= 5
    assert {row.path for table in tables for row in table} == paths


async def test_a_wrong_method_names_the_right_ones(
    http: httpx.AsyncClient, services: Services, tmp_path: Path
) -> None:
    """On every path a method that is not taken is a 405 that names those that are."""
    routes = _routes(services, tmp_path)
    assert len(routes) > 10
    for route in routes:
        path = API + route.path.replace("{", "").replace("}", "")
        response = await http.request("BREW", path)
        _told(response, 405, "method_not_allowed")
        allowed = response.headers["allow"].split(", ")
        assert allowed == sorted(set(allowed))
        assert set(allowed) <= {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
        assert ("HEAD" in allowed) == ("GET" in allowed)
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - set(allowed):
            again = await http.request(method, path)
            _told(again, 405, "method_not_allowed")
            assert again.headers["allow"] == response.headers["allow"]


async def test_options_without_an_origin_is_a_method_like_others(http: httpx.AsyncClient) -> None:
    """OPTIONS that is no preflight is a 405 that names what the path takes."""
    response = await http.options("/api/v1/auth/login")
    _told(response, 405, "method_not_allowed")

    assert response.headers["allow"] == "POST"


async def test_a_preflight_is_for_our_own_pages(http: httpx.AsyncClient) -> None:
    """Our own pages may send what the contract has, with credentials; others may not."""
    headers = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    ours = await http.options("/api/v1/users/me", headers={**headers, "Origin": OURS})
    foreign = await http.options("/api/v1/users/me", headers={**headers, "Origin": FOREIGN})

    assert ours.status_code == 200
    assert ours.headers["access-control-allow-origin"] == OURS
    assert ours.headers["access-control-allow-credentials"] == "true"
    assert "PATCH" in ours.headers["access-control-allow-methods"]
    _told(foreign, 403, "foreign_origin")
    assert "access-control-allow-origin" not in foreign.headers


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/v1/auth/me", "/nothing"])
async def test_answers_are_readable_for_our_own_pages(http: httpx.AsyncClient, path: str) -> None:
    """An answer, error or not, names our own origin and no other."""
    ours = await http.get(path, headers={"Origin": OURS})
    foreign = await http.get(path, headers={"Origin": FOREIGN})

    assert ours.headers["access-control-allow-origin"] == OURS
    assert "origin" in ours.headers["vary"].lower()
    assert foreign.headers.get("access-control-allow-origin") is None


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/v1/auth/me", "/nothing"])
async def test_every_answer_is_named_and_armoured(http: httpx.AsyncClient, path: str) -> None:
    """Every answer keeps a sane request id, replaces any other, and has the security headers."""
    kept = await http.get(path, headers={"X-Request-ID": "mine-1"})
    replaced = await http.get(path, headers={"X-Request-ID": "not sane\t<b>"})

    assert kept.headers["x-request-id"] == "mine-1"
    assert len(replaced.headers["x-request-id"]) == 32
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in kept.headers["content-security-policy"]
    assert "strict-transport-security" not in kept.headers


async def test_production_asks_for_tls(services: Services, tmp_path: Path) -> None:
    """In production every answer carries HSTS."""
    settings = settings_of(
        tmp_path,
        app_env="production",
        jwt_secret="a" * 32,
        jwt_refresh_secret="b" * 32,
        password_cost=12,
    )
    transport = httpx.ASGITransport(create_app(settings, services))
    async with httpx.AsyncClient(transport=transport, base_url="https://chat.test") as client:
        response = await client.get("/nothing")

    assert response.headers["strict-transport-security"].startswith("max-age=31536000")


async def test_head_is_get_without_a_body(http: httpx.AsyncClient) -> None:
    """Where there is GET there is HEAD, with the same status and type."""
    response = await http.head("/api/v1/health")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"


async def test_a_fault_of_ours_shows_nothing(services: Services, tmp_path: Path) -> None:
    """A fault in the program is a 500 in the envelope, without a word of what went wrong."""
    app = create_app(settings_of(tmp_path), services)

    async def broken(_request: object) -> None:
        raise RuntimeError("the secret is 12345")

    app.router.routes.insert(0, Route("/broken", broken))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.test") as client:
        response = await client.get("/broken")
    _told(response, 500, "internal_error")

    assert "12345" not in response.text


async def test_the_socket_has_its_place(services: Services, tmp_path: Path) -> None:
    """The WebSocket is at /chat, and nowhere else."""
    app = create_app(settings_of(tmp_path), services)
    sockets = [each.path for each in app.routes if isinstance(each, WebSocketRoute)]

    assert sockets == ["/chat"]
