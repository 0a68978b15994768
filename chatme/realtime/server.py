"""uvicorn's WebSocket protocol class, hardened, and with ready-frame writes.

Give it to ``uvicorn.Config(ws=ChatWebSocketProtocol)``. What it changes, and why:

- It reads only while nothing waits: a peer that floods us with pings and does not read the pongs
  is not read either, so its pongs cannot pile up.
- Input is parsed in slices with the event loop's other work in between: one read full of tiny
  frames neither holds up the others nor fills the application's queue.
- A message in many fragments costs its size, however many or empty they are.
- Every way of closing ends within a bound (`closing`).
- Nothing of a peer is logged: no address, no query string (it may hold a token), no frame.

It relies on internals of uvicorn and websockets, which is why both are pinned.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final, cast, final

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent, WebSocketSendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from chatme.realtime.closing import ClosingInTime
from chatme.realtime.ready import EXTENSION

_BARE_400: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@final
class SocketFrames:
    """`ready.ReadyFrames` of one socket: straight to its transport, past the framing layer."""

    __slots__ = ("_socket", "_transport")

    def __init__(self, socket: ChatWebSocketProtocol) -> None:
        self._socket = socket
        self._transport = socket.transport

    def write(self, frame: bytes) -> None:
        """Hands one whole frame to the transport of an open socket."""
        socket, transport = self._socket, self._transport
        # `closed`, without the call: this runs once for each socket and frame.
        if socket.handshake_complete and not socket.close_sent and not transport.is_closing():
            transport.write(frame)

    def buffered(self) -> int:
        """Bytes that the peer has not taken yet; 0 once the socket is gone."""
        return 0 if self._socket.disconnected else self._transport.get_write_buffer_size()

    def closing(self) -> bool:
        """Whether a write would be dropped because the socket is closing or gone."""
        return self._socket.closed


class ChatWebSocketProtocol(ClosingInTime):
    """One WebSocket. A subclass may set other limits."""

    slice_bytes: ClassVar[int] = 8192
    """How much is parsed before others have their turn."""
    max_empty_fragments: ClassVar[int] = 128
    """Fragments without a byte in one message: more close it with 1008."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._inbox = bytearray()
        self._parsing: asyncio.Handle | None = None
        self._fragments = bytearray()
        self._empty_fragments = 0
        self._heard = False

    # Reading

    def data_received(self, data: bytes) -> None:
        """Takes what was read; what cannot be parsed now waits in the inbox, reading paused."""
        self._heard = True
        if self._failed:
            return
        if not self.handshake_initiated:
            self._take_head(data)
        elif self._inbox or len(data) > self.slice_bytes or not self._may_parse():
            self._inbox += data
            self.regulate()
        else:
            self._parse(data)

    def pause_writing(self) -> None:
        """The peer does not take what we send: do not take what it sends."""
        super().pause_writing()
        self.regulate()

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        self.regulate()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leaves nothing behind."""
        if self._parsing is not None:
            self._parsing.cancel()
        self._inbox.clear()
        self._fragments.clear()
        super().connection_lost(exc)

    def _may_parse(self) -> bool:
        # Frames that came before our 101 must not be answered before it either.
        return self.handshake_complete and not self.read_paused and self.writable.is_set()

    def regulate(self) -> None:
        """Reads from the network only while neither the application, nor the peer, nor our own
        inbox holds us up. The one place that pauses and resumes."""
        if self._failed:
            self._inbox.clear()
        if self._failed or not (self.read_paused or self._inbox or not self.writable.is_set()):
            self.transport.resume_reading()
            return
        self.transport.pause_reading()
        if self._inbox and self._parsing is None and self._may_parse():
            self._parsing = self.loop.call_soon(self._parse_slice)

    def _parse_slice(self) -> None:
        self._parsing = None
        if self.transport.is_closing():
            self._inbox.clear()
        elif self._may_parse():
            piece = bytes(self._inbox[: self.slice_bytes])
            del self._inbox[: self.slice_bytes]
            self._parse(piece)
            self.regulate()

    def _parse(self, data: bytes) -> None:
        self.conn.receive_data(data)
        # What came whole before a broken frame counts, however the network cut the bytes.
        self.handle_events()
        if self.conn.parser_exc is not None and not self._failed:
            self.handle_parser_exception()
        self.reap_if_closing()

    def _take_head(self, head: bytes) -> None:
        super().data_received(head)
        if not self.handshake_initiated:
            # websockets could not read it; its answer, if any, waits to be written.
            self.transport.write(b"".join(self.conn.data_to_send()) or _BARE_400)
            self.transport.close()
        self.reap_if_closing()

    def handle_connect(self, event: Request) -> None:
        """Offers ready frames to the application, which starts in the loop's next turn."""
        super().handle_connect(event)
        if not self.close_sent:
            extensions = cast("dict[str, object]", self.scope["extensions"])
            extensions[EXTENSION] = SocketFrames(self)

    def handle_cont(self, event: Frame) -> None:
        """Gathers fragments in one buffer, which `ws_max_size` bounds."""
        if event.data:
            self._fragments += event.data
        elif not event.fin:
            self._empty_fragments += 1
            if self._empty_fragments > self.max_empty_fragments:
                self.fail(CloseCode.POLICY_VIOLATION, "too many empty fragments")
                return
        if event.fin:
            self.frames.append(bytes(self._fragments))
            self._fragments.clear()
            self._empty_fragments = 0
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        """Queues a whole message; text that is not UTF-8 closes with 1007 (RFC 6455, 8.1)."""
        data = b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "bytes":
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        else:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self.fail(CloseCode.INVALID_DATA, "not UTF-8")
                return
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
        self.read_paused = True
        self.regulate()

    async def receive(self) -> ASGIReceiveEvent:
        """The next event; reading goes on when the application has taken them all."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self.regulate()
        return message

    # Writing

    async def send(self, message: ASGISendEvent) -> None:
        """Writes at once and waits afterwards, so that sends and ready frames keep their order,
        and a Close gets through to a peer that does not read."""
        if not self.handshake_complete or self.initial_response is not None:
            if not self.transport.is_closing():
                await super().send(message)
                self.regulate()
                self.reap_if_closing()
        elif message["type"] == "websocket.send":
            self._send_data(message)
            await self.writable.wait()
        elif self.closed:
            return  # nobody is left to accept, to refuse or to close
        elif message["type"] == "websocket.close":
            code, reason = message.get("code", 1000), message.get("reason") or ""
            self.start_close(code, reason, self.close_seconds)
        else:
            raise RuntimeError(f"Unexpected ASGI message '{message['type']}'.")

    def _send_data(self, message: WebSocketSendEvent) -> None:
        if self.closed:
            raise ClientDisconnected
        data, text = message.get("bytes"), message.get("text")
        if data is not None:
            self.conn.send_binary(data)
        elif text is not None:
            self.conn.send_text(text.encode())
        self.flush()

    # Keeping alive

    def send_keepalive_ping(self) -> None:
        """From here on the peer has to show a sign of life."""
        self._heard = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Drops a silent peer: not one that sends, nor one whom we did not listen to because the
        application was busy."""
        if self._heard or (self.read_paused and self.writable.is_set()):
            self.pong_timer = None
            self.pending_ping_payload = None
            self.schedule_ping()
        else:
            super().keepalive_timeout()
