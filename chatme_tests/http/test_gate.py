"""A shut door says when to come back, to requests and to upgrades."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from chatme.errors import Unavailable
from chatme.http.gate import Gate
from chatme_tests.http.apps import Echo
from chatme_tests.http.fakes import ask
from chatme_tests.serving import HEAD, serving

REQUEST = b"GET %s HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n"


class Line:
    """A `Lifeline` that is there or not, as it is told; it gets lost in the work on demand."""

    def __init__(self, *, ready: bool, gets_lost: bool = False) -> None:
        self.ready = ready
        self.gets_lost = gets_lost

    def is_ready(self) -> bool:
        """As it was told."""
        return self.ready

    async def wait(self) -> None:
        """Nobody waits here."""
        raise NotImplementedError

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Refuses the work before or after it."""
        if not self.ready:
            raise Unavailable.briefly()
        yield
        if self.gets_lost:
            raise Unavailable.briefly()


def _gate(app: Any, line: Line) -> Any:
    """A door to an application, of whichever library's types."""
    return Gate(app, line, ("/health",))


@pytest.mark.parametrize("request_", [REQUEST % b"/api/v1/users", HEAD], ids=["request", "upgrade"])
async def test_a_shut_door_says_when_to_come_back(request_: bytes) -> None:
    """While it is shut everything is answered 503 with Retry-After, and nothing gets behind it."""
    echo = Echo()
    async with serving(_gate(echo, Line(ready=False))) as running:
        peer = await running.peer()
        await peer.send(request_)
        head = await peer.head()

    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in head.lower()
    assert echo.seen == []


async def test_some_paths_are_always_open() -> None:
    """What is exempt goes through a shut door; nothing that only looks like it does."""
    echo = Echo()
    async with serving(_gate(echo, Line(ready=False))) as running:
        answers = await asyncio.gather(
            running.ask(REQUEST % b"/health/live"), running.ask(REQUEST % b"/api/health")
        )

    assert [answer.split(b" ")[1] for answer in answers] == [b"200", b"503"]
    assert echo.seen == ["/health/live"]


async def test_it_opens_again() -> None:
    """It is asked each time: what was shut opens, for requests and for upgrades."""
    echo, line = Echo(), Line(ready=False)
    async with serving(_gate(echo, line)) as running:
        shut = await running.ask(REQUEST % b"/a")
        line.ready = True
        answer = await running.ask(REQUEST % b"/b")
        await running.socket()

    assert [each.split(b" ")[1] for each in (shut, answer)] == [b"503", b"200"]
    assert echo.seen[0] == "/b"


async def test_what_was_begun_is_not_begun_twice() -> None:
    """Where the database gets lost before the answer begins, the answer is a 503; after that the
    connection ends, so that nobody takes half an answer for a whole one."""

    async def silent(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    async def halfway(_scope: Scope, _receive: Receive, send: Send) -> None:
        length = (b"content-length", b"10")
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    lost = Line(ready=True, gets_lost=True)
    early = await ask(Gate(silent, lost, ("/health",)), "GET", "/a")
    assert (early.status_code, early.json()["code"]) == (503, "unavailable")
    with pytest.raises(Unavailable):
        await ask(Gate(halfway, lost, ("/health",)), "GET", "/a")
