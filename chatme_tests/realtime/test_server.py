"""Tests for the WebSocket protocol class, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from websockets.asyncio.client import connect

from chatme.realtime.ready import encode_text_frame
from chatme.realtime.server import ChatWebSocketProtocol
from chatme_tests.http.apps import Echo
from chatme_tests.realtime.stage import Stage
from chatme_tests.serving import (
    BINARY,
    CLOSE,
    CONTINUATION,
    HEAD,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Frame,
    masked,
    masked_close,
    resident_bytes,
    serving,
)

BOTH_LOOPS = True
MEBIBYTE = 2**20
QUICK_PINGS: Mapping[str, Any] = {"ws_ping_interval": 0.05, "ws_ping_timeout": 0.1}


class Brief(ChatWebSocketProtocol):
    """With a short patience."""

    close_seconds = 0.2


async def test_a_well_behaved_client_is_served() -> None:
    """An ordinary client's messages of every size come back, and its close is clean."""
    async with serving(Echo()) as server:
        async with connect(f"ws://127.0.0.1:{server.port}/chat", compression="deflate") as client:
            for size in (0, 1, 125, 126, 65535, 65536):
                await client.send("a" * size)
                assert await client.recv() == "a" * size
            await (await client.ping())
        assert client.close_code == 1000
        assert client.protocol.extensions == []


async def test_ready_frames_and_sends_keep_their_order() -> None:
    """Ready frames arrive in the order of all writes and sends, also past a full buffer."""
    stage = Stage()
    async with serving(stage) as server:
        peer, actor = await stage.enter(server, HEAD)
        sends = []
        for number in range(300):
            text = f"{number} " + "a" * 60_000
            if number % 3:
                actor.frames.write(encode_text_frame(text))
            else:
                sends.append(asyncio.create_task(actor.text(text)))
                await asyncio.sleep(0)
        assert actor.frames.buffered() > 65536
        assert not all(task.done() for task in sends)
        for number in range(300):
            assert (await peer.frame()).payload.startswith(b"%d " % number)
        await asyncio.gather(*sends)
        assert actor.frames.buffered() == 0
        actor.leave.set()


async def test_ready_frames_are_dropped_where_they_cannot_go() -> None:
    """Before the handshake and after a close a ready frame goes nowhere, in silence."""
    stage = Stage()
    frame = encode_text_frame("lost")
    async with serving(stage) as server:
        peer, actor = await stage.knock(server, HEAD)
        actor.frames.write(frame)
        await actor.say(type="accept")
        assert (await peer.head()).startswith(b"HTTP/1.1 101 ")
        assert not actor.frames.closing()
        await actor.close(4409)
        assert actor.frames.closing()
        actor.frames.write(frame)
        assert (await peer.frame()).code == 4409
        await peer.send(masked_close(4409))
        assert await peer.rest() == b""
        peer.writer.close()
        actor.leave.set()
        await server.empty()
        actor.frames.write(frame)
        assert actor.frames.buffered() == 0


async def flood(sock: socket.socket, frame: bytes, limit: int) -> int:
    """Sends a frame over and over until nobody takes any more; tells how many bytes went."""
    sent = refused = 0
    block = frame * 1000
    while sent < limit and refused < 30:
        try:
            sent += sock.send(block[sent % len(frame) :])
            refused = 0
        except BlockingIOError:
            refused += 1
        await asyncio.sleep(0.005 if refused else 0)
    return sent


async def test_a_ping_flood_does_not_pile_up() -> None:
    """A peer that pings without reading is not read any more, and served again when it reads."""
    ping, pong_length = masked(PING, b"p" * 125), 127
    loop = asyncio.get_running_loop()
    async with serving(Echo()) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.setblocking(False)
            await loop.sock_sendall(sock, HEAD)
            assert (await loop.sock_recv(sock, 4096)).endswith(b"\r\n\r\n")
            before = resident_bytes()
            sent = await flood(sock, ping, limit=100 * MEBIBYTE)
            assert sent < 100 * MEBIBYTE
            assert server.only.transport.get_write_buffer_size() < 2 * 65536
            assert resident_bytes() - before < 4 * MEBIBYTE
            owed = sent // len(ping) * pong_length
            async with asyncio.timeout(PATIENCE):
                while owed:
                    owed -= len(await loop.sock_recv(sock, 65536))


async def test_reading_goes_on_only_when_nobody_waits() -> None:
    """Reading pauses for a busy application and for a peer that does not read, each by itself."""
    stage = Stage()
    async with serving(stage) as server:
        peer, actor = await stage.enter(server, HEAD)
        protocol, transport = server.only, server.only.transport
        assert transport.is_reading()
        await peer.send(masked(TEXT, b"one"))
        await server.until(lambda: not transport.is_reading())
        while protocol.writable.is_set():
            actor.frames.write(encode_text_frame("a" * 100_000))
        peer_reads = asyncio.create_task(peer.reader.read(-1))
        await server.until(protocol.writable.is_set)
        assert not transport.is_reading()
        assert (await actor.hear())["text"] == "one"
        assert transport.is_reading()
        peer_reads.cancel()
        while protocol.writable.is_set():
            actor.frames.write(encode_text_frame("a" * 100_000))
        assert not transport.is_reading()
        actor.leave.set()


async def test_tiny_messages_do_not_fill_the_queue() -> None:
    """A read full of empty messages reaches the application bit by bit, and all of it."""
    stage = Stage()
    count = 100_000
    async with serving(stage) as server:
        peer, actor = await stage.enter(server, HEAD)
        peer.writer.write(masked(TEXT) * count)
        protocol = server.only
        longest = 0
        for _ in range(count):
            assert (await actor.hear())["text"] == ""
            longest = max(longest, protocol.queue.qsize())
        assert longest <= ChatWebSocketProtocol.slice_bytes
        actor.leave.set()


async def test_empty_fragments_have_a_bound() -> None:
    """A message of more than 128 empty fragments closes with 1008; fewer are a message."""
    async with serving(Echo()) as server:
        peer = await server.socket()
        empty = masked(CONTINUATION, fin=False)
        for _ in range(2):
            await peer.send(masked(TEXT, b"a", fin=False) + empty * 128)
            await peer.send(masked(CONTINUATION, b"b"))
            assert (await peer.frame()).payload == b"ab"
        peer.writer.write(masked(TEXT, b"a", fin=False) + empty * 1_000_000)
        assert (await peer.frame()).code == 1008


async def test_many_fragments_cost_no_more_than_their_message() -> None:
    """A message in fragments of one byte arrives, and an endless one is closed with 1009."""
    async with serving(Echo()) as server:
        peer = await server.socket()
        part = masked(CONTINUATION, b"a", fin=False)
        await peer.send(masked(TEXT, fin=False) + part * 65536 + masked(CONTINUATION))
        assert (await peer.frame()).payload == b"a" * 65536
        before = resident_bytes()
        peer.writer.write(masked(TEXT, fin=False) + part * 300_000)
        assert (await peer.frame()).code == 1009
        assert resident_bytes() - before < 8 * MEBIBYTE


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_oversized_messages_are_told_so(opcode: int) -> None:
    """A frame over the limit closes with 1009, which no reset overtakes however much comes."""
    async with serving(Echo(), ws=Brief) as server:
        for _ in range(5):
            peer = await server.socket()
            peer.writer.write(masked(opcode, b"a" * 4_000_000))
            assert (await peer.frame()).code == 1009
            assert await peer.rest() == b""


async def test_binary_messages_are_for_the_application_to_judge() -> None:
    """A binary frame reaches the application, whose close goes out."""
    stage = Stage()
    async with serving(stage) as server:
        peer, actor = await stage.enter(server, HEAD)
        await peer.send(masked(BINARY, b"\xff"))
        assert (await actor.hear())["bytes"] == b"\xff"
        await actor.close(1003, "text only")
        assert await peer.frame() == Frame(CLOSE, b"\x03\xebtext only")
        actor.leave.set()


@pytest.mark.parametrize(
    "frames",
    [
        masked(TEXT, b"\xff"),
        masked(TEXT, b"\xc3"),
        masked(TEXT, b"\xed\xa0\x80"),
        masked(TEXT, b"\xc3", fin=False) + masked(CONTINUATION, b"\x28"),
        masked(TEXT, b"\xff") + masked(PING) + masked(TEXT, b"more") + masked_close(1000),
        masked(TEXT, b"\xff") + b"\xff\xff\xff",
    ],
)
async def test_text_that_is_not_utf8_is_told_so(
    frames: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Text that is not UTF-8 ends the socket, with 1007 where it comes alone, and logs nothing."""
    async with serving(Echo(), ws=Brief) as server:
        peer = await server.socket()
        await peer.send(frames)
        while (frame := await peer.frame()).opcode != CLOSE:
            assert frame.opcode == PONG
        assert frame.code in {1007, 1000, 1002}
        assert frame.code == 1007 or len(frames) > len(masked(TEXT, b"\xff"))
    assert caplog.records == []


async def test_a_character_may_be_cut_by_fragments() -> None:
    """Only whole messages must be UTF-8, not their fragments."""
    async with serving(Echo()) as server:
        peer = await server.socket()
        await peer.send(masked(TEXT, b"\xc3", fin=False) + masked(CONTINUATION, b"\xa9"))
        assert (await peer.frame()).payload == "é".encode()


async def test_a_message_before_a_broken_frame_counts() -> None:
    """What came whole reaches the application, however the network cut the bytes."""
    stage = Stage()
    async with serving(stage, ws=Brief) as server:
        peer, actor = await stage.enter(server, HEAD)
        await peer.send(masked(TEXT, b"whole") + b"\x83\x80\0\0\0\0")
        assert (await peer.frame()).code == 1002
        assert (await actor.hear())["text"] == "whole"
        assert (await actor.hear())["code"] == 1002
        with pytest.raises(ClientDisconnected):
            await actor.text("too late")
        await actor.close(1000)
        actor.leave.set()


async def test_a_close_may_interrupt_a_fragmented_message() -> None:
    """A Close between fragments is echoed with its own code, as Autobahn's case 7.1.5 asks."""
    async with serving(Echo()) as server:
        peer = await server.socket()
        await peer.send(masked(TEXT, b"part", fin=False) + masked_close(1000))
        assert (await peer.frame()).code == 1000
        assert await peer.rest() == b""


async def test_a_head_that_only_websockets_refuses_is_answered() -> None:
    """Behind another HTTP class, what websockets cannot read is answered and not left hanging."""
    async with serving(Echo(), http=HttpToolsProtocol) as server:
        field = b"X: " + b"a" * 9000 + b"\r\n\r\n"
        assert (await server.ask(HEAD[:-2] + field)).startswith(b"HTTP/1.1 431 ")
        body = b"Content-Length: 3\r\n\r\n"
        assert (await server.ask(HEAD[:-2] + body)).startswith(b"HTTP/1.1 400 ")


async def test_a_silent_peer_is_dropped() -> None:
    """A peer that shows no sign of life after a ping is closed with 1011."""
    async with serving(Echo(), ws=Brief, **QUICK_PINGS) as server:
        peer = await server.socket()
        assert (await peer.frame()).opcode == PING
        assert (await peer.frame()).code == 1011
        await server.empty()


async def test_a_peer_that_does_not_read_is_dropped() -> None:
    """A peer that takes nothing is dropped too, though its pongs could not be read."""
    stage = Stage()
    async with serving(stage, ws=Brief, **QUICK_PINGS) as server:
        peer, actor = await stage.enter(server, HEAD)
        await peer.send(masked(TEXT, b"the application is busy as well"))
        await server.until(lambda: server.only.read_paused)
        while server.only.writable.is_set():
            actor.frames.write(encode_text_frame("a" * 1_000_000))
        await server.until(lambda: not server.connections)
        actor.leave.set()


async def test_signs_of_life_keep_a_socket() -> None:
    """A pong keeps a socket, any other frame as well, and so does a busy application."""
    stage = Stage()
    async with serving(stage, ws=Brief, **QUICK_PINGS) as server:
        peer, actor = await stage.enter(server, HEAD)
        for _ in range(5):
            await peer.send(masked(PONG, (await peer.frame()).payload))
        for _ in range(10):
            await peer.send(masked(PONG, b"not asked for"))
            await asyncio.sleep(0.04)
        await peer.send(masked(TEXT, b"hard work"))
        await asyncio.sleep(0.5)
        assert server.only.read_paused
        assert not actor.frames.closing()
        assert (await actor.hear())["text"] == "hard work"
        actor.leave.set()
