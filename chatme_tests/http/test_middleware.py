"""Tests for the layers around every request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from chatme.http.middleware import (
    MAX_HOPS,
    CrossOrigin,
    RequestId,
    SecurityHeaders,
    TrustedProxies,
    Unexpected,
)
from chatme_tests.http.fakes import ask, fail, fail_halfway, run, show

OURS = "https://chat.example"
PROXIES = ("10.0.0.0/8", "2001:db8:1::/48")


# RequestId


@pytest.mark.parametrize("name", ["r1", "a" * 128, "A.b_c:d-9", "65f0c0ff-ee65-f0c0"])
async def test_a_sane_name_is_kept(name: str) -> None:
    """A request's own sane name is on its scope, its log lines and its response."""
    answer = await ask(RequestId(show), "GET", "/", headers={"X-Request-ID": name})

    assert answer.headers["x-request-id"] == name
    assert (answer.json()["named"], answer.json()["request_id"]) == (name, name)


@pytest.mark.parametrize(
    "name",
    ["", "a" * 129, "a b", "a\tb", "<script>", "a,b", "é", "\u0663", "a\x7fb", "{}", "a%0Ab"],
)
async def test_another_name_is_replaced(name: str) -> None:
    """A name that is missing, endless or unfit for a log is replaced by one of ours."""
    headers = [(b"x-request-id", name.encode())]
    answer = await ask(RequestId(show), "GET", "/", headers=headers)

    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.json()["named"] == answer.headers["x-request-id"]


async def test_names_are_not_shared() -> None:
    """Each request has a name of its own, also while others run."""
    app = RequestId(show)
    answers = await asyncio.gather(*(ask(app, "GET", "/") for _ in range(20)))

    assert len({answer.headers["x-request-id"] for answer in answers}) == 20
    assert all(each.headers["x-request-id"] == each.json()["request_id"] for each in answers)
    assert get_contextvars() == {}


async def test_the_log_line_holds_no_query() -> None:
    """A request is logged with method, path, status and time, without its query."""
    with capture_logs() as logs:
        await ask(RequestId(show), "GET", "/here?token=hunter2")
    (line,) = [line for line in logs if line["event"] == "request"]

    assert (line["method"], line["path"], line["status"]) == ("GET", "/here", 200)
    assert line["ms"] >= 0
    assert "hunter2" not in repr(logs)


async def test_a_refused_socket_is_named() -> None:
    """The denial of a WebSocket carries the name; what is neither passes untouched."""

    async def deny(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.http.response.start", "status": 403, "headers": []})

    scope = {"type": "websocket", "headers": [(b"x-request-id", b"r1")]}

    assert (b"x-request-id", b"r1") in (await run(RequestId(deny), scope))[0]["headers"]
    assert await run(RequestId(deny), {"type": "lifespan"}) == []


# Unexpected


async def test_a_fault_of_ours_shows_nothing() -> None:
    """A fault of ours is a 500 in the envelope without detail, under the name it is logged by."""
    with capture_logs() as logs:
        answer = await ask(RequestId(Unexpected(fail)), "GET", "/x")
    found = answer.json()

    assert answer.status_code == 500
    assert (found["code"], found["errors"], found["path"]) == ("internal_error", None, "/x")
    assert found["requestId"] == answer.headers["x-request-id"]
    assert "hunter2" not in answer.text
    assert "ZeroDivision" not in answer.text
    assert [line["event"] for line in logs if line.get("exc_info")] == ["unexpected fault"]


async def test_a_started_answer_is_cut_off() -> None:
    """A fault after the answer began is logged and raised, so that the server cuts it off."""
    with capture_logs() as logs, pytest.raises(ZeroDivisionError):
        await ask(Unexpected(fail_halfway), "GET", "/")

    assert [line["log_level"] for line in logs] == ["error"]


async def test_a_sockets_fault_is_raised() -> None:
    """A fault on a WebSocket is logged and raised: there is no response to send."""
    with capture_logs() as logs, pytest.raises(ZeroDivisionError):
        await run(Unexpected(fail), {"type": "websocket", "path": "/chat"})

    assert logs[0]["path"] == "/chat"


async def test_being_stopped_is_no_fault() -> None:
    """A request that is cancelled, as at a shutdown, is neither logged nor answered."""

    async def stopped(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise asyncio.CancelledError

    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await run(Unexpected(stopped), {"type": "http", "path": "/"})

    assert logs == []


# TrustedProxies


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        # A stranger's header is a lie.
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("not-an-address", ["198.51.100.1"], "not-an-address"),
        # A trusted proxy's is not, but only its own, rightmost part.
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.9.9.9 , 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # So many proxies there are not.
        ("10.0.0.1", ["198.51.100.1" + ", 10.0.0.2" * (MAX_HOPS - 1)], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1" + ", 10.0.0.2" * MAX_HOPS], "10.0.0.2"),
        # The same address in another dress.
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, ::ffff:10.0.0.2"], "1.1.1.1"),
        ("2001:db8:1::1", ["2001:DB8:2:0::5"], "2001:db8:2::5"),
        # Rubbish: what stands left of it is not believed.
        ("10.0.0.1", ["rubbish"], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1, rubbish, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1:8080"], "10.0.0.1"),
        ("10.0.0.1", [" , ,198.51.100.1,,"], "198.51.100.1"),
        ("10.0.0.1", ["010.0.0.2"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1/8"], "10.0.0.1"),
    ],
)
async def test_the_clients_address_is_found(
    peer: str, forwarded: Sequence[str], address: str
) -> None:
    """The client is the rightmost address that no trusted proxy has, if a trusted one says so."""
    headers = [("X-Forwarded-For", line) for line in forwarded]
    answer = await ask(TrustedProxies(show, PROXIES), "GET", "/", headers=headers, client=peer)

    assert answer.json()["client"][0] == address


@pytest.mark.parametrize(
    ("peer", "proto", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "HTTPS", "https"),
        ("10.0.0.1", "http", "http"),
        ("10.0.0.1", "javascript", "http"),
        ("10.0.0.1", "https,http", "http"),
        ("203.0.113.9", "https", "http"),
    ],
)
async def test_the_scheme_is_the_proxys(peer: str, proto: str, scheme: str) -> None:
    """The scheme is what a trusted proxy says, where that is http or https."""
    headers = {"X-Forwarded-Proto": proto}
    answer = await ask(TrustedProxies(show, PROXIES), "GET", "/", headers=headers, client=peer)

    assert answer.json()["scheme"] == scheme


@pytest.mark.parametrize(("proto", "scheme"), [(b"https", "wss"), (b"http", "ws")])
async def test_a_sockets_scheme_is_its_own(proto: bytes, scheme: str) -> None:
    """A WebSocket behind a proxy with TLS is a wss one, and the server's scope is left alone."""
    seen: list[Scope] = []

    async def look(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    headers = [(b"x-forwarded-proto", proto), (b"x-forwarded-for", b"192.0.2.1")]
    scope = {"type": "websocket", "scheme": "x", "client": ("10.0.0.1", 5), "headers": headers}
    await run(TrustedProxies(look, PROXIES), scope)

    assert (seen[0]["scheme"], seen[0]["client"]) == (scheme, ("192.0.2.1", 0))
    assert (scope["scheme"], scope["client"]) == ("x", ("10.0.0.1", 5))


@pytest.mark.parametrize("trusted", [(), ("192.0.2.0/24",)])
async def test_nobody_is_trusted_unasked(trusted: Sequence[str]) -> None:
    """Without a named proxy no header is believed, not even from this machine."""
    headers = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https"}
    answer = await ask(TrustedProxies(show, trusted), "GET", "/", headers=headers)

    assert answer.json()["client"] == ["127.0.0.1", 4321]
    assert answer.json()["scheme"] == "http"


async def test_an_unknown_client_stays_unknown() -> None:
    """A request without a client's address, as over a Unix socket, passes as it is."""
    headers = [(b"x-forwarded-for", b"198.51.100.1")]
    scope = {"type": "http", "scheme": "http", "client": None, "headers": headers}
    sent = await run(TrustedProxies(show, PROXIES), scope)

    assert b'"client":null' in sent[1]["body"]


# SecurityHeaders


@pytest.mark.parametrize("production", [True, False])
async def test_helmets_headers_are_set(production: bool) -> None:
    """Every response carries what helmet sets, and HSTS in production alone."""
    answer = await ask(SecurityHeaders(show, production=production), "GET", "/")
    hsts = {"strict-transport-security": "max-age=31536000; includeSubDomains"}

    assert dict(answer.headers) == {
        "content-type": "application/json",
        "content-length": answer.headers["content-length"],
        "cache-control": "no-store",
        "content-security-policy": (
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "origin-agent-cluster": "?1",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-dns-prefetch-control": "off",
        "x-download-options": "noopen",
        "x-frame-options": "DENY",
        "x-permitted-cross-domain-policies": "none",
        "x-xss-protection": "0",
        **(hsts if production else {}),
    }


async def test_a_routes_own_header_stays() -> None:
    """A header that a route set itself is not replaced."""
    own = {"Content-Security-Policy": "default-src 'self'", "Cache-Control": "no-cache"}
    answer = await ask(SecurityHeaders(Response(headers=own), production=True), "GET", "/")

    assert answer.headers.get_list("cache-control") == ["no-cache"]
    assert answer.headers.get_list("content-security-policy") == ["default-src 'self'"]


# CrossOrigin


def guarded() -> ASGIApp:
    """A route behind CORS for one origin."""

    async def answer(_request: Request) -> Response:
        return Response("hi", headers={"Vary": "Accept"})

    routes = [Route("/", answer, methods=["GET", "OPTIONS"])]
    return CrossOrigin(Starlette(routes=routes), [OURS])


async def preflight(origin: str, **more: str) -> httpx.Response:
    """The answer to a browser that asks before it sends."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
    headers |= {f"Access-Control-Request-{name}": value for name, value in more.items()}
    return await ask(guarded(), "OPTIONS", "/", headers=headers)


async def test_our_pages_may_ask() -> None:
    """A preflight of our own origin is allowed, with credentials and our headers."""
    answer = await preflight(OURS, Headers="authorization, content-type, x-request-id")

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://chat.example",
        "null",
        "*",
        "",
        OURS.upper(),
        *(f"{OURS}{end}" for end in ("/", ":8443", ".evil.example")),
    ],
)
async def test_foreign_pages_may_not(origin: str) -> None:
    """A preflight of any other origin is a 403 in the envelope that allows nothing."""
    answer = await preflight(origin)

    assert answer.status_code == 403
    assert answer.json()["code"] == "foreign_origin"
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("asked", [{"Method": "TRACE"}, {"Headers": "x-evil"}])
async def test_more_than_we_take_is_refused(asked: Mapping[str, str]) -> None:
    """A preflight for a method or a header that we do not take is refused."""
    assert (await preflight(OURS, **asked)).status_code == 403


async def test_our_pages_may_read() -> None:
    """An answer to our own origin may be read, with the headers that a client needs."""
    answer = await ask(guarded(), "GET", "/", headers={"Origin": OURS})

    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["access-control-allow-credentials"] == "true"
    shown = set(answer.headers["access-control-expose-headers"].split(", "))
    assert shown >= {"X-Request-ID", "Retry-After", "RateLimit-Limit"}
    assert shown >= {"RateLimit-Remaining", "RateLimit-Reset"}
    assert {"Accept", "Origin"} == set(answer.headers["vary"].split(", "))


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}])
async def test_others_may_not_read(headers: Mapping[str, str]) -> None:
    """An answer to nobody's or another's page names no origin, and varies by it."""
    answer = await ask(guarded(), "GET", "/", headers=headers)

    assert answer.text == "hi"
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": OURS}, {"Access-Control-Request-Method": "GET"}]
)
async def test_plain_options_reach_the_route(headers: Mapping[str, str]) -> None:
    """An OPTIONS that is no preflight is the route's."""
    assert (await ask(guarded(), "OPTIONS", "/", headers=headers)).text == "hi"


async def test_a_socket_passes() -> None:
    """A WebSocket is not CORS's business."""

    async def greet(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})

    scope = {"type": "websocket", "headers": [(b"origin", b"https://evil.example")]}

    assert await run(CrossOrigin(greet, [OURS]), scope) == [{"type": "websocket.accept"}]
