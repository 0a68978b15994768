"""One socket: what is written to it, when it is closed, what is on its screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVarTuple

from bson import ObjectId
from starlette.websockets import WebSocket, WebSocketDisconnect

from chatme.clock import Clock, new_id
from chatme.ports import UNMETERED, Event, Meter
from chatme.principal import Principal
from chatme.realtime.close import Close
from chatme.realtime.commands import TokenExpiring, TokenExpiry
from chatme.realtime.frames import event_frame
from chatme.realtime.outbox import Outbox, Outgoing
from chatme.realtime.session import Session, State

EXPIRY_WARNING = timedelta(seconds=60)

Args = TypeVarTuple("Args")


class Connection:
    """Lives as long as its socket; `aclose` it.

    ``on_open`` is called as somebody signs in, ``on_close`` as the end begins, if they did.
    """

    def __init__(
        self,
        websocket: WebSocket,
        outbox: Outbox,
        clock: Clock,
        on_open: Callable[[Connection], None],
        on_close: Callable[[Connection], None],
        meter: Meter = UNMETERED,
    ) -> None:
        self.id = str(new_id())
        self.open_conversation: ObjectId | None = None
        self.session = Session()
        self.busy = False
        self._websocket = websocket
        self._outbox = outbox
        self._clock = clock
        self._on_open = on_open
        self._on_close = on_close
        self._meter = meter
        self._doom: Close | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._closing: asyncio.Task[None] | None = None
        self._beside: asyncio.Task[None] | None = None

    @property
    def principal(self) -> Principal:
        """Who is signed in; raises `NotAuthenticated` while nobody is."""
        return self.session.principal

    @property
    def held(self) -> int:
        """The bytes that the peer has not taken yet."""
        return self._outbox.held()

    @property
    def closing(self) -> bool:
        """Whether the end has begun."""
        return self.session.state is State.CLOSING

    def sign_in(self, principal: Principal) -> None:
        """Opens the socket for a user, or renews the token of one that is open."""
        if self.closing:
            return  # its end began while the token was looked at
        if self.session.state is State.WAIT_AUTH:
            self.session.open(principal)
            self._on_open(self)
        else:
            self.session.renew(principal)
        left = principal.expires_at - self._clock.now()
        self.close_after(left, Close.NOT_AUTHENTICATED)
        self._timers.append(_call_later(left - EXPIRY_WARNING, self._warn_of_expiry))

    def say(self, event: Event) -> None:
        """Sends an event to this socket alone."""
        if not self.closing:
            self._meter.sent(event.name)
            self.deliver(Outgoing(event_frame(event.name, event.data)))

    async def stream(self, event: Event) -> None:
        """Sends an event as one of many, waiting while the client does not keep up."""
        if not self.closing:
            self._meter.sent(event.name)
            with suppress(WebSocketDisconnect, RuntimeError):  # the peer is gone
                await self._websocket.send_text(event_frame(event.name, event.data))

    def answer(self, text: str | None) -> None:
        """Sends the answer to a frame, if any; a doomed socket closes after it."""
        if text is not None:
            self.deliver(Outgoing(text))
        if self._doom is not None:
            self.close(self._doom)

    def deliver(self, outgoing: Outgoing) -> None:
        """Writes a frame, or closes a socket that reads too slowly; never waits."""
        if not self.closing and not self._outbox.put(outgoing):
            self.close(Close.TOO_SLOW)

    def doom(self, reason: Close) -> None:
        """Closes the socket, after the answer where a frame is being worked."""
        self._doom = reason
        if not self.busy:
            self.close(reason)

    def close(self, reason: Close) -> None:
        """Begins the end, once; never waits."""
        if not self.closing:
            self._begin_end(reason)
            self._closing = asyncio.create_task(self._send_close(reason))

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Does one thing beside the frames, until it is done or the socket is over."""
        self._beside = asyncio.create_task(work)

    def close_after(self, delay: timedelta, reason: Close) -> None:
        """Closes the socket when so much time has gone by; a new call replaces the last."""
        self._cancel_timers()
        self._timers.append(_call_later(delay, self.close, reason))

    async def aclose(self) -> None:
        """Lets go of everything; the socket is over."""
        if not self.closing:
            self._begin_end(None)
        if self._beside is not None:
            self._beside.cancel()
            await asyncio.gather(self._beside, return_exceptions=True)
        await self._outbox.aclose()
        if self._closing is not None:
            await self._closing

    def _begin_end(self, reason: Close | None) -> None:
        self.session.close(reason)
        self._meter.closed("gone" if reason is None else reason.name.lower())
        self._cancel_timers()
        if self.session.signed_in:
            self._on_close(self)

    def _warn_of_expiry(self) -> None:
        self.say(TokenExpiring(TokenExpiry(expires_at=self.principal.expires_at)))

    async def _send_close(self, reason: Close) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the peer was gone first
            await self._websocket.close(reason.code, reason.reason)

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()


def _call_later(
    delay: timedelta, call: Callable[[*Args], object], *args: *Args
) -> asyncio.TimerHandle:
    seconds = max(0.0, delay.total_seconds())
    return asyncio.get_running_loop().call_later(seconds, call, *args)
