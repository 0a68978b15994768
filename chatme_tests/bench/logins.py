"""What a storm of logins does to an open socket: the answer time of a ping, before and during.

Server and load run on the same machine; both figures come from one run, so their ratio says more
than either.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from chatme_tests.client import PASSWORD, Socket, signed_up
from chatme_tests.server import Server

LOGINS = 100
CALM_SECONDS = 5.0
PAUSE = 0.01
PATIENCE = 120
COST = "12"


async def run(*, small: bool) -> None:
    """Measures and prints."""
    logins = 10 if small else LOGINS
    with tempfile.TemporaryDirectory() as folder:
        settings = {"PASSWORD_COST": COST, "WS_RATE": "", "RATE_LIMIT_AUTH": ""}
        with Server(Path(folder) / "data", settings) as server:
            async with signed_up(server.url, "Ada Pings") as (ada,):
                socket = await ada.connect()
                calm = await _pings(socket, asyncio.create_task(asyncio.sleep(CALM_SECONDS)))
                start = time.perf_counter()
                storm = await _pings(
                    socket, asyncio.create_task(_storm(server.url, ada.email, logins))
                )
                seconds = time.perf_counter() - start
    say = sys.stdout.write
    say(f"{logins} logins at once (cost {COST}) took {seconds:.1f} s. A ping's answer, in ms:\n")
    say(f"{'':8}{'median':>10}{'p99':>10}{'most':>10}\n")
    for name, spans in (("before", calm), ("during", storm)):
        figures = (statistics.median(spans), statistics.quantiles(spans, n=100)[98], max(spans))
        say(f"{name:8}{''.join(f'{each * 1000:10.1f}' for each in figures)}\n")


async def _pings(socket: Socket, until: asyncio.Task[None]) -> list[float]:
    spans = []
    while not until.done():
        start = time.perf_counter()
        await socket.call("ping")
        spans.append(time.perf_counter() - start)
        socket.frames.clear()
        await asyncio.sleep(PAUSE)
    await until
    return spans


async def _storm(url: str, email: str, logins: int) -> None:
    """All at once from a process of its own: what it costs to ask must not make pings look late."""
    arguments = ("-m", "chatme_tests.bench.logins", url, email, str(logins))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    assert await process.wait() == 0


async def _ask(host: str, port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await reader.readline()
    finally:
        writer.close()


async def storm(url: str, email: str, logins: int) -> None:
    """So many logins of one account at once, each on a connection of its own."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    body = json.dumps({"email": email, "password": PASSWORD}).encode()
    head = (
        f"POST /api/v1/auth/login HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(*(_ask(host, port, request) for _ in range(logins)))
    assert all(each.startswith(b"HTTP/1.1 200 ") for each in answers), answers


if __name__ == "__main__":
    asyncio.run(storm(sys.argv[1], sys.argv[2], int(sys.argv[3])))
