"""The end of an HTTP connection, within a bound, whatever the client does.

uvicorn waits for ever for the rest of a request and for a client to read its answer. Here every
wait has a timer behind it, and what is refused is answered in ChatMe's error envelope.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, cast
from uuid import uuid4

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from chatme.errors import ChatMeError
from chatme.http import head
from chatme.http.replies import PROTECTION, envelope

_PROTECTION = tuple((name.lower().encode(), value.encode()) for name, value in PROTECTION.items())

_log = logging.getLogger("chatme.http.refused")
# Takes the place of uvicorn's, which names addresses; faults of the application come through.
_faults = logging.getLogger("chatme.http.faults")
_faults.setLevel(logging.WARNING)


class HoldingFlow(FlowControl):
    """uvicorn's, with a hold: an application that awaits its body must not let the next request
    in."""

    held = False

    def resume_reading(self) -> None:
        """Reads again, unless held."""
        if not self.held:
            super().resume_reading()


class EndingInTime(HttpToolsProtocol):
    """uvicorn's protocol class, whose every wait ends by itself."""

    limits: ClassVar[head.HttpLimits] = head.HttpLimits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _faults
        self.access_log = False
        self.url = b""
        self.headers = []
        self._over = False
        self._inbox = bytearray()
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first head's time begins."""
        transport = cast("asyncio.Transport", transport)
        super().connection_made(transport)
        self.flow = self.holding_flow = HoldingFlow(transport)
        self.set_deadline(self.limits.head_seconds, self.head_is_late)

    def eof_received(self) -> None:
        """The client has ended: so do we, whatever it still has to read."""
        self.transport.close()
        self.watch_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leaves no timer and no bytes behind."""
        self.finish()
        self._cancel_stall()
        super().connection_lost(exc)

    # Deadlines for the client to send

    def set_deadline(self, seconds: float, late: Callable[[], None]) -> None:
        """The one deadline that runs; a new one takes the old one's place."""
        self.cancel_deadline()
        self._deadline = self.loop.call_later(seconds, late)

    def cancel_deadline(self) -> None:
        """What was awaited is here."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def head_is_late(self) -> None:
        """Half a head is answered, silence is not."""
        if self._inbox:
            self.refuse(head.RequestTimeout())
        else:
            self.transport.close()
            self.watch_closing()

    def body_is_late(self) -> None:
        """The application, which may be awaiting the body, is told that the client has gone."""
        self.refuse(head.RequestTimeout())

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more was asked."""
        super().timeout_keep_alive_handler()
        self.watch_closing()

    def shutdown(self) -> None:
        """The server stops."""
        super().shutdown()
        self.watch_closing()

    # Deadlines for the client to read

    def pause_writing(self) -> None:
        """The client does not take what we send: it has so long to begin again."""
        super().pause_writing()
        self._watch_writes()

    def resume_writing(self) -> None:
        """The client reads again."""
        if not self.transport.is_closing():
            self._cancel_stall()
        super().resume_writing()

    def watch_closing(self) -> None:
        """A transport that closes first waits for its buffer to drain: for ever, if nobody
        reads."""
        if self._stall is None and self.transport.is_closing():
            self._watch_writes()

    def _watch_writes(self) -> None:
        self._cancel_stall()
        buffered = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self.limits.stall_seconds, self._check_writes, buffered)

    def _check_writes(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._watch_writes()
        else:
            self.transport.abort()

    def _cancel_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    # Refusing

    def refuse(self, error: ChatMeError) -> None:
        """Answers in the application's stead, unless it has begun to, and hangs up."""
        started = False
        if self.cycle is not None and not self.cycle.response_complete:
            started = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
            self.flow.resume_writing()
        if not started and not self.transport.is_closing():
            self.transport.write(self._answer(error))
        self.hang_up()

    def _answer(self, error: ChatMeError) -> bytes:
        request_id = head.sane_request_id(self.headers) or uuid4().hex
        path = self.url.partition(b"?")[0].decode("latin-1")
        body = orjson.dumps(envelope(error, path, request_id))
        _log.info("refused with %d %s, request %s", error.status, error.code.value, request_id)
        lines = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *_PROTECTION,
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
            *head.extra_fields(error),
        ]
        fields = b"".join(b"%b: %b\r\n" % line for line in lines)
        return STATUS_LINE[error.status] + fields + b"\r\n" + body

    def hang_up(self) -> None:
        """Ends our stream and throws away what still comes: closing at once would reset the
        connection, and the reset may overtake the answer (RFC 9112, 9.6)."""
        self.finish()
        self.holding_flow.held = False
        self.flow.resume_reading()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            with suppress(OSError):  # the client may have reset the connection a moment ago
                self.transport.write_eof()
        self.set_deadline(self.limits.linger_seconds, self.transport.abort)

    def finish(self) -> None:
        """Nothing is parsed any more, and nothing awaited."""
        self._over = True
        self._inbox.clear()
        self.cancel_deadline()
        self._unset_keepalive_if_required()
