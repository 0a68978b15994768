"""Tests for the deadlines of HTTP connections and for what is refused, over real sockets."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from dataclasses import replace

import orjson

from chatme.http.head import HttpLimits
from chatme.http.replies import PROTECTION
from chatme.http.server import ChatHttpProtocol
from chatme_tests.http.apps import Echo, Gate, Listener
from chatme_tests.serving import PATIENCE, TEXT, masked, serving

BOTH_LOOPS = True

GET = b"GET / HTTP/1.1\r\nHost: chat\r\n\r\n"
POST = b"POST /a?token=b HTTP/1.1\r\nHost: chat\r\nX-Request-ID: r-1\r\nContent-Length: 5\r\n\r\n"


class Hasty(ChatHttpProtocol):
    """With short deadlines."""

    limits = HttpLimits(
        head_seconds=0.15,
        body_seconds=0.15,
        stall_seconds=0.15,
        discard_seconds=0.15,
        linger_seconds=0.15,
    )


class Lingering(Hasty):
    """Waits for the client's end beyond the patience of the tests."""

    limits = replace(Hasty.limits, linger_seconds=60.0)


async def test_a_silent_connection_is_closed() -> None:
    """A client that says nothing is hung up on without a word."""
    async with serving(Echo(), http=Hasty) as server:
        assert await server.ask(b"") == b""
        assert await server.ask(b"\r\n\r\n") == b""
        await server.empty()


async def test_half_a_head_is_a_408() -> None:
    """A head that does not end in time is answered, however busily it drips."""
    async with serving(Echo(), http=Hasty) as server:
        peer = await server.peer()
        answer = asyncio.create_task(peer.rest())
        peer.writer.write(b"GET / HTTP/1.1\r\n")
        while not answer.done():
            peer.writer.write(b"X: y\r\n")
            await asyncio.sleep(0.02)
    assert (await answer).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_the_next_head_has_a_deadline_too() -> None:
    """On a used connection the time begins with the first byte of the next head."""
    async with serving(Echo(), http=Hasty) as server:
        peer = await server.peer()
        await peer.send(GET + b"GET")
        answer = await peer.rest()
    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 408 ") == 1


async def test_a_used_connection_is_closed_when_idle() -> None:
    """A connection on which nothing more is asked ends, also after an empty line."""
    for last in (b"", b"\r\n"):
        async with serving(Echo(), http=Hasty, timeout_keep_alive=0.1) as server:
            assert (await server.ask(GET + last)).count(b"HTTP/1.1 ") == 1


async def test_a_late_body_is_a_408_to_both_sides() -> None:
    """A body that stays away is answered with 408, and the application hears of a disconnect."""
    app = Listener()
    async with serving(app, http=Lingering) as server:
        answer = await server.ask(POST + b"half")
        await asyncio.wait_for(app.disconnected.wait(), PATIENCE)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert orjson.loads(body)["path"] == "/a"


async def test_an_answer_may_take_its_time() -> None:
    """Once the body is here, no deadline of the client's runs while the application works."""
    app = Gate()
    async with serving(app, http=Hasty) as server:
        peer = await server.peer()
        await peer.send(POST + b"12345")
        await asyncio.sleep(0.3)
        app.open.set()
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")


async def test_an_answer_that_has_begun_is_not_spoilt() -> None:
    """Where the application already speaks, a late body just ends the connection."""
    app = Listener(speaks=True)
    async with serving(app, http=Hasty) as server:
        answer = await server.ask(POST + b"half")
        await asyncio.wait_for(app.disconnected.wait(), PATIENCE)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"begun\r\n")


async def test_a_refusal_wears_the_envelope() -> None:
    """What is refused here looks like every error, with the client's own request id and what
    helmet sets."""
    async with serving(Listener(), http=Hasty) as server:
        head, _, body = (await server.ask(POST)).partition(b"\r\n\r\n")
        unnamed = orjson.loads((await server.ask(b"GET")).partition(b"\r\n\r\n")[2])
    fields = dict(line.split(b": ") for line in head.split(b"\r\n")[1:])
    assert fields[b"content-type"] == b"application/json"
    assert {name: fields[name.lower().encode()].decode() for name in PROTECTION} == PROTECTION
    assert fields[b"connection"] == b"close"
    assert fields[b"x-request-id"] == b"r-1"
    error = orjson.loads(body)
    assert error.pop("timestamp").endswith("Z")
    assert error == {
        "success": False,
        "statusCode": 408,
        "code": "request_timeout",
        "message": "The request did not arrive in time.",
        "errors": None,
        "path": "/a",
        "requestId": "r-1",
    }
    assert unnamed["path"] == ""
    assert len(unnamed["requestId"]) == 32


async def test_a_body_answered_early_is_read_no_longer_than_a_moment() -> None:
    """After an early answer the rest of the body has a short time, and may not be endless."""
    app = Gate()
    app.open.set()
    async with serving(app, http=Hasty) as server:
        answer = await server.ask(POST)
        await server.empty()
        assert answer.endswith(b"done")
        peer = await server.peer()
        peer.writer.write(POST.replace(b"5", b"99999999"))
        answering = asyncio.create_task(peer.rest())
        while not answering.done():
            peer.writer.write(b"a" * 1000)
            await asyncio.sleep(0.01)
        assert answering.result().endswith(b"done")
        await server.empty()


async def test_a_connection_survives_an_early_answer() -> None:
    """When the rest of the body comes in time, the connection serves on and then times out."""
    app = Gate()
    app.open.set()
    async with serving(app, http=Hasty, timeout_keep_alive=0.1) as server:
        peer = await server.peer()
        for _ in range(2):
            await peer.send(POST)
            assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
            assert await peer.exactly(4) == b"done"
            await peer.send(b"12345")
        assert await peer.rest() == b""


async def test_a_refusal_is_not_lost_in_a_reset() -> None:
    """The answer reaches a client that is still sending megabytes."""
    async with serving(Echo(), http=Hasty) as server:
        for _ in range(5):
            peer = await server.peer()
            peer.writer.write(b"GET / HTTP/1.1\r\nX: " + b"a" * 4_000_000)
            assert (await peer.rest()).startswith(b"HTTP/1.1 431 ")


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    """An answer that nobody takes does not hold its connection for ever."""
    app = Gate(b"a" * 20_000_000)
    app.open.set()
    for request in (GET, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")):
        async with serving(app, http=Hasty, timeout_keep_alive=60) as server:
            sock = socket.create_connection(("127.0.0.1", server.port))
            sock.sendall(request)
            await server.until(lambda: bool(server.connections))
            await server.empty()
            sock.close()


async def test_a_slow_reader_is_served() -> None:
    """A client that takes a little now and then gets all of its answer."""
    app = Gate(b"a" * 12_000_000)
    app.open.set()
    async with serving(app, http=Hasty) as server:
        peer = await server.peer(limit=65536)
        await peer.send(GET)
        await peer.head()
        left = len(app.body)
        while left:
            piece = await peer.reader.read(65536)
            assert piece
            left -= len(piece)
            if left % 7 == 0:
                await asyncio.sleep(0.01)


async def test_a_full_network_does_not_hold_an_idle_connection() -> None:
    """A connection that closes while the client has still something to take ends as well."""
    app = Gate(b"a" * 60_000)
    app.open.set()
    async with serving(app, http=Hasty, timeout_keep_alive=0.5) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            await server.until(lambda: bool(server.connections))
            protocol, state = server.only, server.server.server_state
            while not protocol.transport.get_write_buffer_size():
                answered = state.total_requests
                sock.sendall(GET)
                await server.until(lambda: state.total_requests > answered)  # noqa: B023
            assert not protocol.flow.write_paused
            await server.empty()


async def test_no_timer_outlives_the_handshake() -> None:
    """Neither deadline touches a connection that has become a WebSocket."""
    async with serving(Echo(), http=Hasty, timeout_keep_alive=0.1) as server:
        peer = await server.socket()
        await asyncio.sleep(0.4)
        await peer.send(masked(TEXT, b"hi"))
        assert (await peer.frame()).payload == b"hi"


async def test_nothing_outlives_a_connection() -> None:
    """A connection that is gone, or has become a WebSocket, leaves no timer that holds it."""
    async with serving(Echo()) as server:
        for talk in (b"", b"GET", GET, POST, b"\x16"):
            peer = await server.peer()
            await peer.send(talk)
            await server.until(lambda: bool(server.connections))
            remains = weakref.ref(server.only)
            peer.writer.transport.abort()
            await server.empty()
            await asyncio.sleep(0)
            gc.collect()
            assert remains() is None, talk
