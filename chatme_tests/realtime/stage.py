"""An ASGI application that a test plays itself."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

from chatme.realtime.ready import EXTENSION, ReadyFrames
from chatme_tests.serving import PATIENCE, Peer, Running


class Actor:
    """One socket from the application's side."""

    def __init__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self.scope = cast("dict[str, Any]", scope)
        self._receive = receive
        self._send = send
        self.leave = asyncio.Event()

    @property
    def frames(self) -> ReadyFrames:
        """The socket's extension."""
        return cast("ReadyFrames", self.scope["extensions"][EXTENSION])

    async def hear(self) -> dict[str, Any]:
        """The next event."""
        async with asyncio.timeout(PATIENCE):
            return cast("dict[str, Any]", await self._receive())

    async def say(self, **message: Any) -> None:
        """Sends an event, its type without ``websocket.``."""
        message["type"] = f"websocket.{message['type']}"
        async with asyncio.timeout(PATIENCE):
            await self._send(cast("ASGISendEvent", message))

    async def text(self, text: str) -> None:
        """Sends a text."""
        await self.say(type="send", text=text)

    async def close(self, code: int, reason: str = "") -> None:
        """Closes."""
        await self.say(type="close", code=code, reason=reason)


class Stage:
    """Waits with each socket until the test has played its part."""

    def __init__(self) -> None:
        self._entrances: list[asyncio.Future[Actor]] = []

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """One socket."""
        actor = Actor(scope, receive, send)
        self._entrances.pop(0).set_result(actor)
        await actor.leave.wait()

    async def knock(self, server: Running, head: bytes) -> tuple[Peer, Actor]:
        """A socket whose handshake is not answered yet."""
        entrance = asyncio.get_running_loop().create_future()
        self._entrances.append(entrance)
        peer = await server.peer()
        await peer.send(head)
        actor = await asyncio.wait_for(entrance, PATIENCE)
        assert (await actor.hear())["type"] == "websocket.connect"
        return peer, actor

    async def enter(self, server: Running, head: bytes) -> tuple[Peer, Actor]:
        """An open socket, from both its sides."""
        peer, actor = await self.knock(server, head)
        await actor.say(type="accept")
        assert (await peer.head()).startswith(b"HTTP/1.1 101 ")
        return peer, actor
