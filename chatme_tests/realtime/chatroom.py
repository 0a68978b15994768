"""A small endpoint and all that it needs, for the tests of sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from starlette.responses import Response

from chatme.errors import NotFound
from chatme.realtime.commands import COMMANDS, SocketDoor
from chatme.realtime.dispatcher import Client, Command, Dispatcher
from chatme.realtime.endpoint import ChatEndpoint, SocketLimits
from chatme.realtime.hub import Hub
from chatme.realtime.presence import PresenceTracker
from chatme_tests.fakes import AlwaysThere
from chatme_tests.realtime.fakes import ANN, BOB, Doorkeeper, FrozenClock, Said, Text, principal
from chatme_tests.realtime.peers import Peer, connected, scope

OURS = "https://pages.example"
SOON = timedelta(milliseconds=30)
BEARER: Mapping[str, str] = {"Authorization": "Bearer ann"}
FOREIGN: Sequence[Mapping[str, str]] = (
    *({"Origin": f"{OURS}{end}"} for end in ("/", ":8443", ".evil.example", "@evil.example")),
    *({"Origin": origin} for origin in ("https://evil.example", "null", "", "*")),
    *({"Origin": origin} for origin in ("chat.example", "https://chat.example")),
    {"Origin": "https://evil.example", **BEARER},
    {"Origin": "http://[", "Host": "[::1"},
)
"""Headers of pages that are not ours."""
FAULTY = (
    ("rubbish", None, "bad_frame"),
    ("[]", None, "bad_frame"),
    ('{"id": 5}', 5, "bad_frame"),
    ('{"event": "note", "id": 5, "data": 1}', 5, "validation_failed"),
    ('{"event": "note", "id": 5, "data": {"aText": 1}}', 5, "validation_failed"),
    ('{"event": "nothing", "id": 5}', 5, "unknown_event"),
    ('{"event": "nothing"}', None, "unknown_event"),
    ('{"event": "refuse", "id": 5}', 5, "not_found"),
    ('{"event": "fail", "id": "x"}', "x", "internal_error"),
    ('{"event": "fail"}', None, "internal_error"),
)
"""Frames that fail, their ids, and the codes of their errors."""


class Desk:
    """A service whose handlers wait, refuse or fail."""

    def __init__(self) -> None:
        self.worked: list[str] = []
        self.go = asyncio.Event()


async def note(desk: Desk, _client: Client, data: Text) -> Text:
    """Answers at once."""
    desk.worked.append(data.a_text)
    return data


async def wait(desk: Desk, _client: Client, data: Text) -> Text:
    """Answers when it is told to go."""
    await desk.go.wait()
    desk.worked.append(data.a_text)
    return data


async def refuse(_desk: Desk, _client: Client, data: Text) -> Text:
    """Refuses."""
    raise NotFound(data.a_text)


async def fail(_desk: Desk, _client: Client, data: Text) -> Text:
    """Has a fault of ours."""
    raise ZeroDivisionError(data.a_text)


async def stream(_desk: Desk, client: Client, data: Text) -> Text:
    """Sends many events before it answers."""
    for _ in range(10):
        await client.stream(Said(data))
    return data


class House:
    """An endpoint and all that it needs."""

    def __init__(self) -> None:
        self.door = Doorkeeper(ann=principal(ANN), bob=principal(BOB))
        self.desk = Desk()
        self.hub = Hub()
        self.presence = PresenceTracker(self._came, self._went, FrozenClock(), timedelta())
        self.news: list[tuple[str, ObjectId]] = []
        self.greeted: list[str] = []
        self.not_greeted: list[Exception] = []
        self._dispatcher = Dispatcher(AlwaysThere())
        self._dispatcher.register(COMMANDS, SocketDoor(self.door))
        rows = [Command(each.__name__, each) for each in (note, wait, refuse, fail, stream)]
        self._dispatcher.register(rows, self.desk)

        self.limit()

    def limit(self, **limits: Any) -> None:
        """Builds the endpoint under test anew, with other limits."""
        self.endpoint = ChatEndpoint(
            self.door,
            self._dispatcher,
            self.hub,
            self.presence,
            FrozenClock(),
            SocketLimits(origins=frozenset({OURS}), **limits),
            self._greet,
            lambda error, _scope: Response(error.code, error.status),
        )

    async def aclose(self) -> None:
        """Waits for what is being told."""
        await asyncio.sleep(0)
        await self.presence.aclose()

    def connect(self, **asked: Any) -> AbstractAsyncContextManager[Peer]:
        """A peer that is accepted."""
        return connected(self.endpoint, **asked)

    async def refusal(self, **asked: Any) -> int:
        """The status with which a peer is refused before the upgrade."""
        peer = Peer()
        await self.endpoint(scope(peer, **asked), peer.receive, peer.send)
        message = await peer.heard()
        assert message["type"] == "websocket.http.response.start", message
        status: int = message["status"]
        return status

    async def _greet(self, client: Client) -> None:
        if self.not_greeted:
            raise self.not_greeted.pop()
        self.greeted.append(client.id)

    async def _came(self, user_id: ObjectId) -> None:
        self.news.append(("came", user_id))

    async def _went(self, user_id: ObjectId, _since: datetime) -> None:
        self.news.append(("went", user_id))
