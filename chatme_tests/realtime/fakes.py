"""Small parts for the tests of sockets: a clock, a doorkeeper, a handler's client, a peer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from bson import ObjectId

from chatme.errors import NotAuthenticated
from chatme.ports import Event
from chatme.principal import Principal
from chatme.realtime.close import Close
from chatme.realtime.outbox import Outgoing
from chatme.shapes import Shape

NOON = datetime(2026, 1, 31, 12)
ANN, BOB = ObjectId("a" * 24), ObjectId("b" * 24)


class FrozenClock:
    """A clock that stands."""

    def now(self) -> datetime:
        """Always noon."""
        return NOON


def principal(user: ObjectId = ANN, lasts: timedelta = timedelta(hours=1)) -> Principal:
    """A signed-in user, with a new session."""
    return Principal(user, ObjectId(), NOON + lasts)


class Doorkeeper:
    """An Authenticator that knows the tokens it is given; it may take its time, or break."""

    def __init__(self, **known: Principal) -> None:
        self.known = known
        self.open = asyncio.Event()
        self.open.set()
        self.broken: Exception | None = None
        self.ended: set[ObjectId] = set()

    async def authenticate(self, token: str) -> Principal:
        """The caller behind a token, when the door is open."""
        await self.open.wait()
        if self.broken is not None:
            raise self.broken
        if token not in self.known:
            raise NotAuthenticated
        return self.known[token]

    async def recheck(self, principal: Principal) -> None:
        """Looks whether the session was put among the ended ones."""
        if principal.session_id in self.ended:
            raise NotAuthenticated


class Text(Shape):
    """Some data."""

    a_text: str = ""


@dataclass(frozen=True)
class Said:
    """Something happened."""

    name: ClassVar[str] = "said"
    data: Text


class HandlersClient:
    """A socket as a handler sees it, that remembers what it was asked to do."""

    def __init__(self, who: Principal | None = None) -> None:
        self.id = "1"
        self.open_conversation: ObjectId | None = None
        self.who = who
        self.said: list[Event] = []
        self.doomed: list[Close] = []
        self.refuses = False

    @property
    def principal(self) -> Principal:
        """Who is signed in."""
        if self.who is None:
            raise NotAuthenticated
        return self.who

    def say(self, event: Event) -> None:
        """Remembers an event."""
        self.said.append(event)

    async def stream(self, event: Event) -> None:
        """Remembers an event of many."""
        self.said.append(event)

    def sign_in(self, principal: Principal) -> None:
        """Remembers the user."""
        if self.refuses:
            raise NotAuthenticated
        self.who = principal

    def doom(self, reason: Close) -> None:
        """Remembers the end."""
        self.doomed.append(reason)


class Listener:
    """A Recipient that remembers what it got, and may do something then."""

    def __init__(
        self,
        who: Principal,
        shows: ObjectId | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = str(ObjectId())
        self.principal = who
        self.open_conversation = shows
        self.heard: list[Outgoing] = []
        self.closed: list[Close] = []
        self._then = then

    def deliver(self, outgoing: Outgoing) -> None:
        """Takes a frame."""
        self.heard.append(outgoing)
        self._then()

    def close(self, reason: Close) -> None:
        """Takes note of the end."""
        self.closed.append(reason)
