"""The end of a socket, within a bound, whatever the peer does.

uvicorn's protocol class closes politely and then waits: for the peer to take what is buffered,
or to answer. A peer that does neither holds its socket and its buffer for ever. Here every way of
closing has a timer behind it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, ClassVar, Final

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.server import ServerProtocol

_LONGEST_REASON: Final = 123  # a control frame holds 125 bytes, two of which are the code

# uvicorn writes address and query string at INFO, websockets whole frames at DEBUG: this logger
# takes the place of theirs and lets only faults through, whatever level the root has.
faults = logging.getLogger("chatme.realtime.faults")
faults.setLevel(logging.WARNING)


class _Conversation(ServerProtocol):
    """The framing rules, with one that websockets reads otherwise."""

    def recv_frame(self, frame: Frame) -> None:
        """Takes a Close at any time: also between fragments it is echoed (RFC 6455, 5.4, 5.5.1)."""
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class ClosingInTime(WebSocketsSansIOProtocol, ABC):
    """uvicorn's protocol class, whose every way of closing ends by itself."""

    close_seconds: ClassVar[float] = 5.0
    """From our Close frame, or from closing the connection, until it is cut off."""
    shutdown_seconds: ClassVar[float] = 1.0
    """The same while the server stops."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = faults
        self.app = self._run_application
        self.conn = _Conversation(
            extensions=self.conn.available_extensions, max_size=config.ws_max_size, logger=faults
        )
        self._reaper: asyncio.TimerHandle | None = None
        self._failed = False

    @abstractmethod
    def regulate(self) -> None:
        """Pauses or resumes reading as the state asks."""

    def flush(self) -> None:
        """Writes what the framing layer has ready."""
        self.transport.write(b"".join(self.conn.data_to_send()))

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.close_sent or self.disconnected or self.transport.is_closing()

    def start_close(self, code: int, reason: str, seconds: float) -> None:
        """Sends our Close and waits for the peer's, so long (RFC 6455, 7.1.2)."""
        self.stop_keepalive()
        reason = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            self.transport.close()
            self.reap_if_closing()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.flush()
        self.close_sent = True
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)
        self.read_paused = False
        self.regulate()

    def fail(self, code: CloseCode, reason: str) -> None:
        """Fails the connection for what only we find wrong (RFC 6455, 7.1.7), once: more of it
        may come in the same piece."""
        if self._failed:
            return
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """Answers what breaks the protocol with our Close and the end of our stream, and throws
        away what still comes: closing at once would reset the connection, and the reset may
        overtake the Close (RFC 6455, 7.1.1)."""
        self.stop_keepalive()
        close = self.conn.close_sent or Close(CloseCode.PROTOCOL_ERROR, "")
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": close.code, "reason": close.reason}
        )
        self.flush()
        self.close_sent = self._failed = True
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(self.close_seconds, self.transport.abort)
        if self.transport.can_write_eof():
            with suppress(OSError):  # the peer may have reset the connection a moment ago
                self.transport.write_eof()
        self.regulate()

    def handle_ping(self) -> None:
        """Writes the pong, unless a frame before this one has ended our stream."""
        if not self._failed:
            super().handle_ping()

    def reap_if_closing(self) -> None:
        """Sets the timer behind a closing transport: it waits for its buffer to drain first, for
        ever if nobody reads."""
        if self._reaper is None and self.transport.is_closing():
            self._reaper = self.loop.call_later(self.close_seconds, self.transport.abort)

    def eof_received(self) -> None:
        """The peer has ended: so do we, whatever it still has to read."""
        self.transport.close()
        self.reap_if_closing()

    def keepalive_timeout(self) -> None:
        """Drops a peer that gave no sign of life."""
        super().keepalive_timeout()
        self.reap_if_closing()

    def send_500_response(self) -> None:
        """The application failed: 500 before the handshake, 1011 after it."""
        if self.closed:
            return
        if self.handshake_complete:
            self.start_close(CloseCode.INTERNAL_ERROR, "", self.close_seconds)
        else:
            super().send_500_response()

    async def _run_application(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        try:
            await self.config.loaded_app(scope, receive, send)
        except asyncio.CancelledError:
            # The server stops and has waited long enough: no fault, so no traceback.
            raise ClientDisconnected from None
        if self.close_sent and not self.handshake_complete:
            # The upgrade was refused, and answered: uvicorn would log a fault for it.
            raise ClientDisconnected

    async def run_asgi(self) -> None:
        """Runs the application; the connection ends with it."""
        await super().run_asgi()
        self.reap_if_closing()

    def shutdown(self) -> None:
        """The server stops: 1012, and a short time for the peer's answer."""
        if self.closed:
            return  # a timer runs already
        if self.handshake_complete:
            self.start_close(CloseCode.SERVICE_RESTART, "", self.shutdown_seconds)
        else:
            self.conn.send_response(self.conn.reject(503, "The server restarts.\n"))
            self.flush()
            self.transport.close()
            self.reap_if_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leaves no timer behind; uvicorn cancels its own."""
        if self._reaper is not None:
            self._reaper.cancel()
        super().connection_lost(exc)
