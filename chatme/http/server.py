"""uvicorn's HTTP protocol class, with deadlines, limits and strict heads.

Give it to ``uvicorn.Config(http=ChatHttpProtocol)``. What it changes, and why:

- A head, a body and a reader each have a deadline; uvicorn waits for ever.
- A head is parsed once it is whole, bounded in size, and only if no other parser could read it
  differently (`head`). Requests on one connection are worked one after the other: the next one is
  parsed when the last one is answered, so that pipelined requests cannot pile up.
- What is refused here is answered in ChatMe's error envelope, and the connection ends so that the
  client can read the answer (RFC 9112, 9.6).
- Frames that come in one packet with a WebSocket's head reach the WebSocket.
- No log line here names an address or a query string, which may hold a token.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from chatme.errors import BadRequest, ChatMeError
from chatme.http import head
from chatme.http.ending import EndingInTime


class _Phase(Enum):
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()  # the request is here, its answer is not complete


class ChatHttpProtocol(EndingInTime):
    """One HTTP/1.1 connection, until it ends or becomes a WebSocket.

    A subclass may set other `limits`.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._phase = _Phase.HEAD
        self._scanned = 0
        self._body = head.BodyMeter(0, 0)
        self._fault: ChatMeError | None = None

    def data_received(self, data: bytes) -> None:
        """Parses what was read; what belongs to a later request waits, reading paused."""
        if not self._over:
            self._inbox += data
            self._advance()

    def _advance(self) -> None:
        """Parses what has come, but only one request until its answer is complete."""
        if self.transport.is_closing():
            self._inbox.clear()
        while self._inbox and self._phase is not _Phase.ANSWER:
            piece = self._next_head() if self._phase is _Phase.HEAD else self._next_body()
            if not piece:
                break
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade:
                self._upgrade()
            except httptools.HttpParserError:
                self.refuse(self._fault or BadRequest())
        if self._inbox:
            self.holding_flow.held = self._phase is _Phase.ANSWER
            if self.holding_flow.held:
                self.flow.pause_reading()

    def _next_head(self) -> bytes:
        """Cuts the next head off the inbox, once it is whole and no fault is seen in it."""
        self.url, self.headers = b"", []
        self._unset_keepalive_if_required()
        if self._deadline is None:
            self.set_deadline(self.limits.head_seconds, self.head_is_late)
        inbox = self._inbox
        while inbox.startswith(b"\r\n"):
            del inbox[:2]  # RFC 9112, 2.2
        end = inbox.find(head.END, max(0, self._scanned - len(head.END) + 1))
        whole = end >= 0
        size = end + len(head.END) if whole else len(inbox)
        fault: ChatMeError | None
        if size > self.limits.head_bytes:
            fault = head.HeadersTooLarge()
        elif whole:
            fault = head.fault_in_lines(inbox[:size], self.limits)
        else:
            fault = head.fault_so_far(inbox, self._scanned)
        if fault is not None:
            self.refuse(fault)
            return b""
        self._scanned = 0 if whole else size
        if not whole:
            return b""
        self.cancel_deadline()
        piece = bytes(inbox[:size])
        del inbox[:size]
        return piece

    def _next_body(self) -> bytes:
        """Cuts off the inbox what belongs to the body."""
        if self._body.wasteful:
            self.refuse(BadRequest("The body is mostly chunk framing."))
            return b""
        return self._body.take(self._inbox)

    # The parser's calls

    def on_message_begin(self) -> None:
        """Forgets the request before."""
        super().on_message_begin()
        self._fault = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a field of the head. Trailers are dropped: nothing that comes after the head may
        pass for a part of it (RFC 9110, 6.5.1)."""
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Starts the application, unless the head is ambiguous."""
        self._fault = self._fault_in_head()
        if self._fault is not None:
            raise httptools.HttpParserError
        if self.parser.get_http_version() == "1.0":
            self.expect_100_continue = False  # RFC 9110, 10.1.1
        length = head.body_length(self.headers)
        self._body = head.BodyMeter(length, self.limits.head_bytes)
        self._phase = _Phase.BODY
        super().on_headers_complete()
        if length != 0:
            self.set_deadline(self.limits.body_seconds, self.body_is_late)
        if self.parser.should_upgrade() and not self._should_upgrade():
            self.cycle.keep_alive = False

    def _fault_in_head(self) -> ChatMeError | None:
        version = self.parser.get_http_version()
        fault = head.fault_in_fields(version, self.url, self.headers)
        if fault is not None or not self.parser.should_upgrade():
            return fault
        if self._should_upgrade():
            method = self.parser.get_method()
            return head.fault_in_handshake(method, version, self.url, self.headers)
        # Another protocol: we go on in HTTP/1.1 (RFC 9110, 7.8), but the parser skips the body.
        return BadRequest() if head.body_length(self.headers) != 0 else None

    def _get_upgrade(self) -> bytes | None:
        return b"websocket" if head.upgrades_to_websocket(self.headers) else None

    def on_body(self, body: bytes) -> None:
        """Hands a part of the body to the application."""
        self._body.delivered += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        self.cancel_deadline()
        if self.cycle is not None and not self.cycle.response_complete:
            self._phase = _Phase.ANSWER
        else:
            # Answered before its end: uvicorn set no timer for what comes next.
            self._phase = _Phase.HEAD
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    # The application's calls

    def on_response_complete(self) -> None:
        """Goes on to the next request, which may have come already."""
        self.holding_flow.held = False
        super().on_response_complete()
        if self.transport.is_closing():
            self.watch_closing()
        elif self._phase is _Phase.BODY:
            self._unset_keepalive_if_required()
            self.set_deadline(self.limits.discard_seconds, self.hang_up)
        elif self._phase is _Phase.ANSWER:
            self._phase = _Phase.HEAD
            if self._inbox:
                self._unset_keepalive_if_required()
                self.loop.call_soon(self._advance)

    def _upgrade(self) -> None:
        if not self._should_upgrade():
            return
        early = bytes(self._inbox)
        self.finish()
        self.handle_websocket_upgrade()
        del self.parser  # it and this object hold each other
        if early:
            cast("asyncio.Protocol", self.transport.get_protocol()).data_received(early)
