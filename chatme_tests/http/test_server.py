"""Tests for the HTTP protocol class, over real sockets."""

from __future__ import annotations

import logging

import orjson
import pytest

from chatme.http.head import HttpLimits
from chatme.http.server import ChatHttpProtocol
from chatme_tests.http.apps import Echo, Gate
from chatme_tests.serving import (
    CLOSE,
    HEAD,
    TEXT,
    Peer,
    masked,
    masked_close,
    serving,
)

BOTH_LOOPS = True

HOST = b"Host: chat\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
INNOCENT = b"GET /next HTTP/1.1\r\nHost: chat\r\n\r\n"


class Narrow(ChatHttpProtocol):
    """With small limits."""

    limits = HttpLimits(head_bytes=2000, header_fields=5, linger_seconds=0.1)


async def response(peer: Peer) -> tuple[int, dict[str, object]]:
    """Status and JSON body of one response."""
    head = await peer.head()
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head.split()[1]), orjson.loads(await peer.exactly(length))


async def test_requests_on_one_connection_follow_each_other() -> None:
    """A connection serves one request after the other, HEAD without a body."""
    async with serving(Echo()) as server:
        peer = await server.peer()
        for path in ("/a", "/b"):
            await peer.send(b"GET %b HTTP/1.1\r\nHost: chat\r\n\r\n" % path.encode())
            status, body = await response(peer)
            assert (status, body["path"]) == (200, path)
        await peer.send(b"HEAD /c HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n")
        assert (await peer.rest()).endswith(b"\r\n\r\n")


async def test_an_old_client_is_served() -> None:
    """HTTP/1.0 needs no Host and gets its connection closed."""
    async with serving(Echo()) as server:
        assert (await server.ask(b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("step", [1, 3, 1000])
async def test_bodies_arrive_whole(step: int) -> None:
    """A body, counted or chunked, arrives as it was sent, wherever the network cuts it."""
    counted = b"POST /a HTTP/1.1\r\nHost: chat\r\nContent-Length: 7\r\n\r\n\r\n\r\nabc"
    chunks = b"4;x=y\r\n\r\n\r\n\r\n3\r\nabc\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
    chunked = b"POST /b HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n" + chunks
    stream = counted + chunked + b"\r\n\r\n" + INNOCENT
    async with serving(Echo()) as server:
        peer = await server.peer()
        for start in range(0, len(stream), step):
            await peer.send(stream[start : start + step])
        answers = [(await response(peer))[1] for _ in range(3)]
    assert [answer["path"] for answer in answers] == ["/a", "/b", "/next"]
    assert [answer["body"] for answer in answers] == ["\r\n\r\nabc", "\r\n\r\nabc", ""]
    assert answers[1]["fields"] == ["host", "transfer-encoding"]
    assert answers[2]["fields"] == ["host"]


async def test_a_large_body_passes() -> None:
    """Bodies may be larger than every limit on heads."""
    body = b"a" * 1_000_000
    async with serving(Echo(), http=Narrow) as server:
        for frame in (
            b"Content-Length: 1000000\r\n\r\n" + body,
            CHUNKED + b"\r\nF4240\r\n" + body + b"\r\n0\r\n\r\n",
        ):
            peer = await server.peer()
            await peer.send(b"POST / HTTP/1.1\r\n" + HOST + frame)
            assert (await response(peer))[1]["body"] == body.decode()


async def test_a_body_may_wait_for_our_word() -> None:
    """Expect: 100-continue is answered as soon as the application wants the body."""
    async with serving(Echo()) as server:
        peer = await server.peer()
        await peer.send(
            b"POST / HTTP/1.1\r\nHost: chat\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert await peer.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await peer.send(b"hi")
        assert (await response(peer))[1]["body"] == "hi"


async def test_an_old_client_is_not_told_to_go_on() -> None:
    """HTTP/1.0 knows no 100-continue, so its expectation is ignored."""
    async with serving(Echo()) as server:
        answer = await server.ask(
            b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"
        )
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests that come at once are worked one at a time, in order."""
    app = Echo()
    paths = [f"/{number}" for number in range(100)]
    async with serving(app) as server:
        peer = await server.peer()
        requests = [b"GET %b HTTP/1.1\r\nHost: chat\r\n\r\n" % path.encode() for path in paths]
        await peer.send(b"\r\n".join(requests))
        assert [(await response(peer))[1]["path"] for _ in paths] == paths
    assert app.most_at_once == 1


async def test_pipelined_requests_do_not_pile_up() -> None:
    """While an answer is awaited, a flood of further requests stays with its sender."""
    app = Gate()
    async with serving(app) as server:
        peer = await server.peer()
        peer.writer.write(INNOCENT * 1_000_000)
        await app.started.wait()
        flow = server.only.flow
        await server.until(lambda: flow.read_paused)
        waiting = peer.writer.transport.get_write_buffer_size()
        flow.resume_reading()
        assert flow.read_paused
        assert waiting > len(INNOCENT) * 1_000_000 - 8 * 2**20
        assert len(server.server.server_state.tasks) == 1
        app.open.set()
        assert (await peer.head()).startswith(b"HTTP/1.1 200")


BAD_REQUESTS = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GARBAGE\r\n\r\n",
    b"FOO / HTTP/1.1\r\nHost: chat\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT chat:80 HTTP/1.1\r\nHost: chat\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: chat\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: chat\r\nHost: chat\r\n\r\n",
    b"GET / HTTP/1.1\nHost: chat\n\n",
    b"GET / HTTP/1.1\r\nHost: chat\r\nX: a\r\n b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: chat\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: chat\r\nContent-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: chat\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.0\r\nHost: chat\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: chat\r\n" + UPGRADE + b"Content-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: chat\r\n" + UPGRADE + b"\r\n",
    b"POST / HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 32\r\n\r\n" + INNOCENT,
]


@pytest.mark.parametrize("request_bytes", BAD_REQUESTS)
async def test_ambiguous_requests_end_the_connection(
    request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that a proxy could read differently is a 400, and nothing after it is read."""
    app = Echo()
    async with serving(app) as server:
        answer = await server.ask(request_bytes + INNOCENT)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert orjson.loads(body)["code"] == "bad_request"
    assert app.seen == []
    assert caplog.records == []


BAD_CHUNKS = [
    b"1\na\n0\n\n",
    b"1 \r\na\r\n0\r\n\r\n",
    b"-1\r\na\r\n0\r\n\r\n",
    b"0x1\r\na\r\n0\r\n\r\n",
    b"ffffffffffffffffff\r\na\r\n0\r\n\r\n",
    b"1\r\nab\r\n0\r\n\r\n",
    b"1;" + b"x" * 200_000 + b"\r\na\r\n0\r\n\r\n",
    b"0\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
]


@pytest.mark.parametrize("chunks", BAD_CHUNKS)
async def test_broken_chunks_end_the_connection(chunks: bytes) -> None:
    """A body whose chunks are malformed, or mostly framing, is a 400 to whoever awaits it."""
    async with serving(Echo(), http=Narrow) as server:
        peer = await server.peer()
        await peer.send(b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n")
        await server.until(lambda: bool(server.server.server_state.tasks))
        for start in range(0, len(chunks), 10_000):
            peer.writer.write(chunks[start : start + 10_000])
        answer = await peer.rest()
        assert answer.count(b"HTTP/1.1 ") == 1
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        await server.empty()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 3000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 300_000,
        b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 5 + b"\r\n",
    ],
)
async def test_large_heads_are_refused(request_bytes: bytes) -> None:
    """A head over its size or number of fields is a 431, also while it still grows."""
    app = Echo()
    async with serving(app, http=Narrow) as server:
        answer = await server.ask(request_bytes)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "headers_too_large"
    assert app.seen == []


async def test_a_head_may_be_as_large_as_promised() -> None:
    """64 KiB of head are served."""
    padding = b"X: " + b"a" * (65536 - len(INNOCENT) - 5) + b"\r\n"
    async with serving(Echo()) as server:
        peer = await server.peer()
        await peer.send(INNOCENT[:-2] + padding + b"\r\n")
        assert (await response(peer))[0] == 200
        assert (await server.ask(INNOCENT[:-2] + b"Y" + padding + b"\r\n")).startswith(
            b"HTTP/1.1 431 "
        )


async def test_early_frames_reach_the_socket() -> None:
    """Frames in one packet with the handshake are answered, after the handshake."""
    async with serving(Echo()) as server:
        peer = await server.socket(masked(TEXT, b"one") + masked(TEXT, b"two"))
        assert (await peer.frame()).payload == b"one"
        assert (await peer.frame()).payload == b"two"
        await peer.send(masked_close(1000))
        assert (await peer.frame()).code == 1000
        assert await peer.rest() == b""


async def test_early_pings_wait_for_the_handshake() -> None:
    """Nothing is written before the 101, not even the pong to an early ping."""
    async with serving(Echo()) as server:
        peer = await server.peer()
        await peer.send(HEAD + masked(9, b"hi") + masked_close(1000))
        assert (await peer.head()).startswith(b"HTTP/1.1 101 ")
        assert (await peer.frame()).payload == b"hi"
        assert (await peer.frame()).opcode == CLOSE


async def test_another_version_of_websocket_is_told_ours() -> None:
    """A handshake with another version is a 426 that names version 13."""
    async with serving(Echo()) as server:
        answer = await server.ask(HEAD.replace(b"Version: 13", b"Version: 8"))
    assert answer.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"\r\nsec-websocket-version: 13\r\n" in answer


async def test_another_protocol_is_not_spoken() -> None:
    """A request to upgrade to something else is served in HTTP/1.1, once."""
    async with serving(Echo()) as server:
        answer = await server.ask(
            b"GET /a HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
            + INNOCENT
        )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_no_log_line_names_the_peer_or_the_query(caplog: pytest.LogCaptureFixture) -> None:
    """Neither an address nor a query string is logged, also where everything is."""
    caplog.set_level(logging.DEBUG)
    names = ("uvicorn.error", "uvicorn.access", "chatme")
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        async with serving(Echo(), http=Narrow) as server:
            await server.ask(b"GET /a?token=secret HTTP/1.0\r\n\r\n")
            await server.ask(b"GET /a?token=secret HTTP/1.1\r\n\r\n")
            peer = await server.socket(masked(TEXT, b"secret") + masked(TEXT, b"\xff"))
            port = str(peer.writer.get_extra_info("sockname")[1])
            await peer.rest()
            peer.writer.close()
            await server.empty()
    finally:
        for name in names:
            logging.getLogger(name).setLevel(logging.NOTSET)
    assert "secret" not in caplog.text
    assert port not in caplog.text
