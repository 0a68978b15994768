"""Tests for the end of a socket, over real sockets."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.utils import ClientDisconnected

from chatme.realtime.ready import encode_text_frame
from chatme.realtime.server import ChatWebSocketProtocol
from chatme_tests.realtime.stage import Actor, Stage
from chatme_tests.serving import CLOSE, HEAD, PONG, TEXT, Running, masked, masked_close, serving

BOTH_LOOPS = True


class Brief(ChatWebSocketProtocol):
    """With a short patience."""

    close_seconds = 0.2
    shutdown_seconds = 0.1


class Patient(ChatWebSocketProtocol):
    """With a patience beyond that of the tests."""

    close_seconds = 60.0
    shutdown_seconds = 60.0


def fill(server: Running, actor: Actor) -> None:
    """Writes until the peer would have to read."""
    while server.only.writable.is_set():
        actor.frames.write(encode_text_frame("a" * 1_000_000))


def begin_to_fill(actor: Actor) -> None:
    """Writes until the network takes no more, but not so much that reading stops."""
    while actor.frames.buffered() == 0:
        actor.frames.write(encode_text_frame("a" * 10_000))


async def test_a_peer_that_answers_ends_at_once() -> None:
    """The peer's answer to our Close ends the connection, without any timer."""
    stage = Stage()
    async with serving(stage, ws=Patient) as server:
        peer, actor = await stage.enter(server, HEAD)
        await peer.send(masked(TEXT, b"nobody hears this"))
        await server.until(lambda: server.only.read_paused)
        await actor.close(4401, "r" * 200)
        frame = await peer.frame()
        assert (frame.code, len(frame.payload)) == (4401, 125)
        actor.leave.set()
        await peer.send(masked(TEXT, b"crossed") + masked_close(4401))
        assert await peer.rest() == b""


async def test_a_peer_that_never_answers_is_cut_off() -> None:
    """A Close that nobody answers ends the connection after a while."""
    stage = Stage()
    async with serving(stage, ws=Brief) as server:
        _, actor = await stage.enter(server, HEAD)
        await actor.close(1000)
        actor.leave.set()
        await server.empty()


async def test_a_slow_reader_is_freed() -> None:
    """Closing a peer that does not read takes effect at once and frees its buffer soon."""
    stage = Stage()
    async with serving(stage, ws=Brief) as server:
        _, actor = await stage.enter(server, HEAD)
        fill(server, actor)
        waiting = asyncio.create_task(actor.text("waits for the peer"))
        await asyncio.sleep(0)
        assert not waiting.done()
        await actor.close(4499)
        assert actor.frames.closing()
        await waiting
        with pytest.raises(ClientDisconnected):
            await actor.text("too late")
        await actor.close(4499)
        actor.leave.set()
        await server.empty()
        assert actor.frames.buffered() == 0


@pytest.mark.parametrize("farewell", ["close", "end", "nonsense"])
async def test_a_peer_that_leaves_without_reading_is_freed(farewell: str) -> None:
    """A peer that closes, ends or breaks off, but never reads, does not hold its buffer."""
    stage = Stage()
    async with serving(stage, ws=Brief) as server:
        peer, actor = await stage.enter(server, HEAD)
        begin_to_fill(actor)
        assert server.only.writable.is_set()
        if farewell == "end":
            peer.writer.write_eof()
        else:
            await peer.send(masked_close(1000) if farewell == "close" else b"\xff" * 10)
        await actor.hear()
        actor.leave.set()
        await server.empty()


async def test_nonsense_from_a_peer_that_has_gone_is_no_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What a reset peer left behind may break the protocol without a trace in the log."""
    stage = Stage()
    async with serving(stage, ws=Brief) as server:
        peer, actor = await stage.enter(server, HEAD)
        filling = masked(PONG) * Brief.slice_bytes
        await peer.send(masked(TEXT, b"one") + filling + b"\xff" * 10)
        await server.until(lambda: server.only.read_paused)
        peer.writer.transport.abort()
        await asyncio.sleep(0.02)
        assert (await actor.hear())["text"] == "one"
        assert (await actor.hear())["type"] == "websocket.disconnect"
        actor.leave.set()
        await server.empty()
    assert caplog.records == []


async def test_the_application_may_leave_without_a_word() -> None:
    """The connection ends with its application, also where the peer does not read."""
    stage = Stage()
    async with serving(stage, ws=Brief) as server:
        _, actor = await stage.enter(server, HEAD)
        fill(server, actor)
        actor.leave.set()
        await server.empty()


async def test_a_failing_application_is_told_to_the_peer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault of ours is logged and closes with 1011, or answers 500 before the handshake."""

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await receive()
        if scope["type"] == "websocket" and scope["query_string"]:
            await send({"type": "websocket.accept"})
        raise ValueError("ours")

    async with serving(app, ws=Brief) as server:
        peer = await server.socket()
        assert (await peer.frame()).code == 1011
        answer = await server.ask(HEAD.replace(b"?token=secret", b""))
        assert answer.startswith(b"HTTP/1.1 500 ")
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


async def test_a_cancelled_application_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """A server that has waited long enough cancels its sockets without a traceback for each."""
    stage = Stage()
    async with serving(stage, ws=Brief) as server:
        peer, _ = await stage.enter(server, HEAD)
        for task in server.server.server_state.tasks:
            task.cancel()
        assert await peer.rest() == b""
    assert caplog.records == []


async def test_a_refused_handshake_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Refusing a socket answers 403, or whatever the application says, and ends; it is no fault."""
    stage = Stage()
    async with serving(stage) as server:
        peer, actor = await stage.knock(server, HEAD)
        await actor.close(1000)
        assert (await peer.rest()).startswith(b"HTTP/1.1 403 ")
        actor.leave.set()
        peer, actor = await stage.knock(server, HEAD)
        headers = [(b"x-request-id", b"r-1")]
        await actor.say(type="http.response.start", status=401, headers=headers)
        actor.leave.set()
        await actor.say(type="http.response.body", body=b"no")
        answer = await peer.rest()
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert answer.endswith(b"\r\n\r\nno")
        await server.until(lambda: not server.server.server_state.tasks)
    assert caplog.records == []


async def test_an_accept_may_come_too_late() -> None:
    """Accepting a peer that has left in the meantime is no fault."""
    stage = Stage()
    async with serving(stage) as server:
        peer, actor = await stage.knock(server, HEAD)
        peer.writer.transport.abort()
        await server.until(lambda: not server.connections)
        await actor.say(type="accept")
        assert (await actor.hear())["type"] == "websocket.disconnect"
        with pytest.raises(ClientDisconnected):
            await actor.text("too late")
        actor.leave.set()


async def test_the_server_stops_in_time() -> None:
    """A stop sends 1012 and waits a moment for answers, whatever state the sockets are in."""
    stage = Stage()
    async with serving(stage, ws=Brief) as server:
        knocking, guest = await stage.knock(server, HEAD)
        closing, closed = await stage.enter(server, HEAD)
        await closed.close(4401)
        leaving, left = await stage.enter(server, HEAD)
        begin_to_fill(left)
        await leaving.send(masked_close(1000))
        await left.hear()
        peer, actor = await stage.enter(server, HEAD)
        for protocol in server.connections:
            protocol.shutdown()
        assert (await knocking.head()).startswith(b"HTTP/1.1 503 ")
        assert (await closing.frame()).code == 4401
        assert (await peer.frame()).code == 1012
        assert (await actor.hear())["code"] == 1012
        for each in (guest, closed, left, actor):
            each.leave.set()
        await server.empty()


async def test_nothing_outlives_a_socket() -> None:
    """A socket that is gone leaves no timer and no task that holds it."""
    stage = Stage()
    async with serving(stage) as server:
        for farewell in (masked_close(1000), b"\xff" * 10, masked(TEXT, b"hi")):
            peer, actor = await stage.enter(server, HEAD)
            remains = weakref.ref(server.only)
            await peer.send(farewell)
            await actor.hear()
            actor.leave.set()
            peer.writer.transport.abort()
            await server.empty()
            del actor
            await asyncio.sleep(0)
            gc.collect()
            assert remains() is None, farewell


async def test_a_close_reaches_a_peer_that_keeps_sending() -> None:
    """While our Close waits for its answer, what still comes is thrown away."""
    stage = Stage()
    async with serving(stage, ws=Patient) as server:
        peer, actor = await stage.enter(server, HEAD)
        await actor.close(4429)
        for _ in range(100):
            await peer.send(masked(TEXT, b"a" * 60_000))
        assert (await peer.frame()).opcode == CLOSE
        await peer.send(masked_close(4429))
        assert await peer.rest() == b""
        assert (await actor.hear())["type"] == "websocket.disconnect"
        actor.leave.set()
