"""A million frames that no client would send, and an innocent client beside them."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chatme_tests.client import Socket, signed_up
from chatme_tests.flows.broken import endings, open_raw, swallow, volley
from chatme_tests.server import Server

ATTACKERS = 4
VOLLEY = 1000
VOLLEYS = 250
ENDINGS = 600
HALF_HANDSHAKES = 200
MEMORY = 16 * 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a limit of frames, which would end the attack too soon."""
    folder = tmp_path_factory.mktemp("hostile") / "data"
    with Server(folder, {"WS_RATE": "", "WS_MAX_PER_USER": "1000"}) as running:
        yield running


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _flood(server: Server, token: str, seed: int, volleys: int) -> None:
    """One attacker: volleys of frames that a socket survives, answers read as they come."""
    url = urlsplit(server.url)
    assert url.hostname is not None
    assert url.port is not None
    reader, writer = await open_raw(url.hostname, url.port, token)
    eater = asyncio.create_task(swallow(reader))
    shots = [volley(seed * 1000 + at, VOLLEY) for at in range(5)]
    for shot in itertools.islice(itertools.cycle(shots), volleys):
        writer.write(shot)
        await writer.drain()
    assert not eater.done(), "the socket did not survive"
    writer.transport.abort()
    await eater


async def _break(server: Server, token: str, seed: int, times: int) -> None:
    """One attacker: sockets that each send one fatal frame and are ended for it."""
    url = urlsplit(server.url)
    assert url.hostname is not None
    assert url.port is not None
    for fatal in itertools.islice(endings(seed), times):
        reader, writer = await open_raw(url.hostname, url.port, token)
        with suppress(ConnectionError):
            writer.write(fatal)
            await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        await swallow(reader)
        writer.transport.abort()


async def _half_handshakes(server: Server, times: int) -> None:
    """Connections that begin an upgrade and go away."""
    url = urlsplit(server.url)
    for at in range(times):
        _, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"[: 10 + at % 50])
        with suppress(ConnectionError):
            await writer.drain()
        writer.transport.abort()


async def _measure(socket: Socket, stop: asyncio.Event) -> list[float]:
    """The innocent client's round trips, one after the other, in seconds."""
    loop = asyncio.get_running_loop()
    took = []
    while not stop.is_set():
        started = loop.time()
        await socket.call("ping")
        took.append(loop.time() - started)
        await asyncio.sleep(0.005)
    return took


async def test_a_million_broken_frames_harm_nobody(server: Server) -> None:
    """Memory stays within 16 MiB of before, nothing is logged as a fault, and a client beside it
    has its answers within 200 ms, 99 times of 100."""
    async with signed_up(server.url, "Innocent", "Attacker") as (innocent, attacker):
        socket = await innocent.connect()
        await _flood(server, attacker.token, 99, 10)
        await _break(server, attacker.token, 99, 32)
        before = _resident(server.pid)
        stop = asyncio.Event()
        pings = asyncio.create_task(_measure(socket, stop))
        await asyncio.gather(
            *(_flood(server, attacker.token, seed, VOLLEYS) for seed in range(ATTACKERS)),
            _break(server, attacker.token, 1, ENDINGS),
            _half_handshakes(server, HALF_HANDSHAKES),
        )
        stop.set()
        took = sorted(await pings)
        after = _resident(server.pid)

    assert after - before < MEMORY
    assert took[len(took) * 99 // 100] < 0.2
    logged = server.read_log()
    assert "Traceback" not in logged
    assert '"level": "error"' not in logged
