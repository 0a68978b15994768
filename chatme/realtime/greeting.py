"""What a sign-in sets off on a socket, now or as soon as the database is there for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from chatme.errors import NotAuthenticated, Unavailable
from chatme.ports import Authenticator, Lifeline
from chatme.realtime.close import Close
from chatme.realtime.connection import Connection
from chatme.realtime.dispatcher import Client

log = structlog.stdlib.get_logger("chatme.realtime")

AGAIN_SECONDS = 1.0


class Greeter:
    """Lives as long as the app; ``on_connected`` is awaited once for each socket."""

    def __init__(
        self,
        authenticator: Authenticator,
        lifeline: Lifeline,
        on_connected: Callable[[Client], Awaitable[None]],
    ) -> None:
        self._authenticator = authenticator
        self._lifeline = lifeline
        self._on_connected = on_connected

    async def greet(self, connection: Connection) -> None:
        """Greets a socket that the hub knows.

        While the database is away the socket stays open, its frames go on, and it is greeted
        beside them when the database is back.
        """
        if not await self._greets(connection):
            connection.beside(self._greet_later(connection))

    async def _greets(self, connection: Connection) -> bool:
        """Whether it could be done.

        The session is looked at again: one that ended between the token's check and the hub's
        knowing would otherwise never be told.
        """
        try:
            async with self._lifeline.guard():
                await self._authenticator.recheck(connection.principal)
                await self._on_connected(connection)
        except NotAuthenticated:
            connection.close(Close.NOT_AUTHENTICATED)
        except Unavailable:
            return False
        return True

    async def _greet_later(self, connection: Connection) -> None:
        try:
            greeted = False
            while not greeted:
                await asyncio.sleep(AGAIN_SECONDS)
                await self._lifeline.wait()
                greeted = await self._greets(connection)
        except Exception:
            log.exception("a socket failed", connection=connection.id)
            connection.close(Close.FAULT)
