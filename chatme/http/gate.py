"""A door that is shut while what is behind it cannot be used."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatme.errors import Unavailable
from chatme.http.paths import Paths
from chatme.http.replies import refuse
from chatme.ports import Lifeline


class Gate:
    """Answers 503 `unavailable` in the application's place while the database cannot be used.

    An upgrade to a WebSocket is only let in or not: what happens on it guards itself. What is
    ``exempt``, paths and all below them, always goes through.
    """

    def __init__(self, app: ASGIApp, lifeline: Lifeline, exempt: Iterable[str]) -> None:
        self._app = app
        self._lifeline = lifeline
        self._exempt = Paths(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in self._exempt:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._guard(scope, receive, send)
        elif self._lifeline.is_ready():
            await self._app(scope, receive, send)
        else:
            await refuse(Unavailable.briefly(), scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with self._lifeline.guard():
                await self._app(scope, receive, send_watched)
        except Unavailable as error:
            if started:
                raise
            await refuse(error, scope, receive, send)
