"""The real server behind plain calls: an event loop in the background does the waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

from chatme_tests.client import Refused, Socket, User, sign_up
from chatme_tests.flows.model import Json

T = TypeVar("T")

PATIENCE = 20


class Stage:
    """An event loop in a thread of its own; `with` it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Does what is asynchronous, and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def together(self, *works: Coroutine[Any, Any, T]) -> list[T]:
        """Does several things at once; what they return, in the order given."""

        async def gathered() -> list[T]:
            return list(await asyncio.gather(*works))

        return self.run(gathered())

    def people(self, *names: str) -> list[User]:
        """Fresh users."""
        return self.together(
            *(sign_up(self._url, name, f"{uuid4()}@example.com") for name in names)
        )

    def connect(self, user: User) -> Socket:
        """A new socket of a user's, which `disconnect` closes."""
        return self.run(user.connect())

    def disconnect(self, user: User, socket: Socket) -> None:
        """Closes a socket; the server knows it when this returns."""
        user.sockets.remove(socket)
        self.run(socket.aclose())

    def close(self, users: list[User]) -> None:
        """Closes all that the users have open."""
        self.together(*(user.aclose() for user in users))

    def ask(self, user: User, method: str, path: str, body: Json | None = None) -> Any:
        """A REST call; raises `Refused` as a socket's call does."""
        return self.run(ask(user, method, path, body))


async def ask(user: User, method: str, path: str, body: Json | None = None) -> Any:
    """The same from inside the loop."""
    response = await user.http.request(method, path, json=body)
    if not response.is_success:
        raise Refused(response.json())
    return response.json() if response.content else None
