"""The other end of a socket, in memory: an ASGI server and its client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Scope

from chatme.realtime.ready import EXTENSION, encode_text_frame

PATIENCE = 5


class Peer:
    """The server and the client at the other end of an ASGI WebSocket, in memory."""

    def __init__(self) -> None:
        self.to_app: asyncio.Queue[Message] = asyncio.Queue()
        self.to_app.put_nowait({"type": "websocket.connect"})
        self.from_app: asyncio.Queue[Message] = asyncio.Queue()
        self.gone = False
        self.reads = asyncio.Event()
        self.reads.set()
        self.wire = ReadyWire(self)

    async def receive(self) -> Message:
        """The application waits for the client."""
        return await self.to_app.get()

    async def send(self, message: Message) -> None:
        """The application sends; over a lost connection that is an OSError, as the ASGI says."""
        await self.reads.wait()
        if self.gone:
            raise OSError("the client has gone")
        self.from_app.put_nowait(message)
        if message["type"] == "websocket.close":
            self.to_app.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    def text(self, text: str) -> None:
        """The client sends a text frame."""
        self.to_app.put_nowait({"type": "websocket.receive", "text": text})

    def binary(self, data: bytes) -> None:
        """The client sends a binary frame."""
        self.to_app.put_nowait({"type": "websocket.receive", "bytes": data})

    def emit(self, event: str, data: object = None, frame_id: str | int | None = None) -> None:
        """The client sends an event."""
        frame = {"event": event, "data": {} if data is None else data}
        if frame_id is not None:
            frame["id"] = frame_id
        self.text(orjson.dumps(frame).decode())

    def leave(self) -> None:
        """The client goes away."""
        self.gone = True
        self.to_app.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def heard(self) -> Message:
        """The next message of the application."""
        async with asyncio.timeout(PATIENCE):
            return await self.from_app.get()

    async def frame(self) -> dict[str, Any]:
        """The next frame of the application."""
        message = await self.heard()
        assert message["type"] == "websocket.send", message
        found: dict[str, Any] = orjson.loads(message["text"])
        return found

    async def code(self) -> int:
        """The code with which the application closes next."""
        message = await self.heard()
        assert message["type"] == "websocket.close", message
        code: int = message["code"]
        return code

    async def ends(self) -> int:
        """The code with which the application closes, whatever it says before."""
        while (message := await self.heard())["type"] != "websocket.close":
            pass
        code: int = message["code"]
        return code


class ReadyWire:
    """A server's ready frames to a peer; what is stuck is not taken by it."""

    def __init__(self, peer: Peer | None = None) -> None:
        self.peer = peer
        self.written: list[bytes] = []
        self.is_stuck = False
        self._stuck = 0

    def write(self, frame: bytes) -> None:
        """Takes a frame."""
        self.written.append(frame)
        if self.is_stuck:
            self._stuck += len(frame)
        if self.peer is not None:
            text = frame[frame.index(b"{") :].decode()
            assert encode_text_frame(text) == frame
            self.peer.from_app.put_nowait({"type": "websocket.send", "text": text})

    def buffered(self) -> int:
        """What is stuck."""
        return self._stuck

    def closing(self) -> bool:
        """Never."""
        return False


def scope(
    peer: Peer,
    *,
    query: str = "",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    scheme: str = "ws",
    ready: bool = False,
) -> Scope:
    """A WebSocket's scope, as a server makes it."""
    extensions: dict[str, object] = {"websocket.http.response": {}}
    if ready:
        extensions[EXTENSION] = peer.wire
    lines = [("host", "chat.example"), *dict(headers).items()]
    return {
        "type": "websocket",
        "path": "/chat",
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in lines],
        "scheme": scheme,
        "server": ("127.0.0.1", 3000),
        "subprotocols": [],
        "extensions": extensions,
    }


@asynccontextmanager
async def connected(app: ASGIApp, **asked: Any) -> AsyncIterator[Peer]:
    """A peer of a running application, accepted; at the end it leaves and the application ends."""
    peer = Peer()
    running = asyncio.create_task(_run(app, scope(peer, **asked), peer))
    try:
        assert (await peer.heard())["type"] == "websocket.accept"
        yield peer
    finally:
        peer.leave()
        async with asyncio.timeout(PATIENCE):
            await running


async def _run(app: ASGIApp, asked: Scope, peer: Peer) -> None:
    await app(asked, peer.receive, peer.send)
