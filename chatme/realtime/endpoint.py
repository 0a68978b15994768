"""`/chat`: the origin is checked, the socket accepted, run, and always cleaned up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from chatme.clock import Clock
from chatme.errors import ChatMeError, Code, Forbidden, NotAuthenticated, RateLimited, Unavailable
from chatme.ports import Authenticator
from chatme.rates import Rate
from chatme.realtime.budget import FrameBudget, Verdict
from chatme.realtime.close import Close
from chatme.realtime.commands import Connected, ConnectedData, RestartSlot, ServerRestarting
from chatme.realtime.connection import Connection
from chatme.realtime.dispatcher import Client, Dispatcher
from chatme.realtime.frames import FrameFault, error_frame, parse_frame
from chatme.realtime.greeting import Greeter
from chatme.realtime.hub import Hub
from chatme.realtime.outbox import Outbox, QueuedOutbox, ReadyOutbox
from chatme.realtime.presence import PresenceTracker
from chatme.realtime.ready import EXTENSION

log = structlog.stdlib.get_logger("chatme.realtime")

SLOT_MS = 2
FIRST_SLOT_MS = 500
DRAIN_SECONDS = 3.0

Deny = Callable[[ChatMeError, Scope], Response]


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one client, user or address may take of us."""

    origins: frozenset[str] = frozenset()
    auth_deadline: timedelta = timedelta(seconds=10)
    frames: Rate | None = None
    sockets_per_user: int = 10
    strangers_per_address: int = 100


class ChatEndpoint:
    """An ASGI application for one path; lives as long as the app.

    ``deny`` makes the answer of an upgrade that is refused. ``on_connected`` is awaited when a
    user's socket opened, before its frames are worked unless the database is away.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        dispatcher: Dispatcher,
        hub: Hub,
        presence: PresenceTracker,
        clock: Clock,
        limits: SocketLimits,
        on_connected: Callable[[Client], Awaitable[None]],
        deny: Deny,
    ) -> None:
        self._authenticator = authenticator
        self._dispatcher = dispatcher
        self._hub = hub
        self._presence = presence
        self._clock = clock
        self._limits = limits
        self._greeter = Greeter(authenticator, dispatcher.lifeline, on_connected)
        self._deny = deny
        self._strangers: Counter[str] = Counter()
        self._emptied: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        address = websocket.client.host if websocket.client else ""
        if not self._is_known_origin(websocket):
            refusal: ChatMeError = Forbidden("Not from this origin.", code=Code.FOREIGN_ORIGIN)
            await websocket.send_denial_response(self._deny(refusal, scope))
        elif self._strangers[address] >= self._limits.strangers_per_address:
            refusal = RateLimited("Too many sockets without a sign-in.", retry_after=10)
            await websocket.send_denial_response(self._deny(refusal, scope))
        else:
            await self._run(websocket, address)

    def strangers(self) -> int:
        """How many sockets wait for a sign-in."""
        return self._strangers.total()

    def held(self) -> tuple[int, int]:
        """The bytes that signed-in sockets have not taken yet: of all, and of the slowest."""
        sizes = [each.held for each in self._hub.everyone() if isinstance(each, Connection)]
        return sum(sizes), max(sizes, default=0)

    async def drain(self) -> None:
        """Tells every socket when to come back, and closes it after the frame it is at."""
        connections = [each for each in self._hub.everyone() if isinstance(each, Connection)]
        for at, connection in enumerate(connections):
            slot = RestartSlot(reconnect_in=FIRST_SLOT_MS + at * SLOT_MS)
            connection.say(ServerRestarting(slot))
            connection.doom(Close.RESTART)
        if len(self._hub):
            self._emptied = asyncio.Event()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), DRAIN_SECONDS)

    async def _run(self, websocket: WebSocket, address: str) -> None:
        self._strangers[address] += 1
        try:
            await websocket.accept()
        except (WebSocketDisconnect, RuntimeError, OSError):
            self._forget_stranger(address)
            return

        def on_open(connection: Connection) -> None:
            self._forget_stranger(address)
            self._welcome(connection)

        connection = Connection(
            websocket,
            _outbox(websocket),
            self._clock,
            on_open,
            self._farewell,
            self._dispatcher.meter,
        )
        try:
            await self._serve(websocket, connection)
        except WebSocketDisconnect:
            pass
        except Exception:
            log.exception("a socket failed", connection=connection.id)
            connection.close(Close.FAULT)
        finally:
            if not connection.session.signed_in:
                self._forget_stranger(address)
            await connection.aclose()

    def _is_known_origin(self, websocket: WebSocket) -> bool:
        """Browsers name the page's origin; other clients name none (RFC 6455, 10.2)."""
        origin = websocket.headers.get("origin")
        if origin is None or origin in self._limits.origins:
            return True
        scheme = "https" if websocket.scope.get("scheme") == "wss" else "http"
        return origin == f"{scheme}://{websocket.headers.get('host', '')}"

    def _forget_stranger(self, address: str) -> None:
        self._strangers[address] -= 1
        if self._strangers[address] <= 0:
            del self._strangers[address]

    def _welcome(self, connection: Connection) -> None:
        """The socket is open: from here on it hears of everything."""
        user_id = connection.principal.user_id
        self._hub.add(connection)
        self._presence.connected(user_id)
        for oldest in self._hub.of_user(user_id)[: -self._limits.sockets_per_user]:
            oldest.close(Close.REPLACED)
        connection.say(
            Connected(
                ConnectedData(
                    user_id=user_id,
                    connection_id=connection.id,
                    server_time=self._clock.now(),
                )
            )
        )

    def _farewell(self, connection: Connection) -> None:
        """The socket's end begins: nothing more is sent to it, so it does not count as here."""
        self._hub.remove(connection)
        self._presence.disconnected(connection.principal.user_id)
        if self._emptied is not None and not len(self._hub):
            self._emptied.set()

    async def _serve(self, websocket: WebSocket, connection: Connection) -> None:
        """Works the socket's frames one after the other, until its end."""
        connection.close_after(self._limits.auth_deadline, Close.NO_AUTH_IN_TIME)
        token = _handshake_token(websocket)
        if token is not None:
            try:
                async with self._dispatcher.lifeline.guard():
                    principal = await self._authenticator.authenticate(token)
                connection.sign_in(principal)
            except NotAuthenticated:
                connection.close(Close.NOT_AUTHENTICATED)
            except Unavailable as away:
                # Who it is cannot be said now; an auth frame may ask again until the deadline.
                connection.answer(error_frame(None, away))
        loop = asyncio.get_running_loop()
        budget = FrameBudget(self._limits.frames, loop.time)
        greeted = False
        while True:
            if connection.session.signed_in and not greeted:
                greeted = True
                await self._greeter.greet(connection)
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect" or connection.closing:
                return
            text = message.get("text")
            verdict = budget.spend()
            if verdict is Verdict.HOPELESS:
                connection.close(Close.TOO_MANY_FRAMES)
            elif text is None:
                connection.close(Close.BINARY)
            else:
                error = None
                if verdict is Verdict.REFUSED:
                    error = RateLimited("Too many frames.", retry_after=budget.retry_after)
                await self._work(connection, text, error)

    async def _work(self, connection: Connection, text: str, refusal: ChatMeError | None) -> None:
        try:
            frame = parse_frame(text)
        except FrameFault as fault:
            connection.answer(self._dispatcher.refuse(fault.frame_id, refusal or fault.error))
            return
        if refusal is not None:
            connection.answer(self._dispatcher.refuse(frame.id, refusal))
            return
        connection.busy = True
        try:
            answer = await self._dispatcher.dispatch(connection, frame)
        except Exception:
            # The client's callback is answered and the socket lives, whatever we did wrong.
            log.exception("a command failed", event_name=frame.event, connection=connection.id)
            answer = error_frame(frame.id, ChatMeError())
        connection.busy = False
        connection.answer(answer)


def _outbox(websocket: WebSocket) -> Outbox:
    frames = websocket.scope.get("extensions", {}).get(EXTENSION)
    return QueuedOutbox(websocket.send_text) if frames is None else ReadyOutbox(frames)


def _handshake_token(websocket: WebSocket) -> str | None:
    """The token of the ``Authorization`` header, else of the query."""
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return websocket.query_params.get("token")
