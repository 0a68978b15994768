"""Sessions: accepted as ODMantic and Motor use them, without transactions."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NoReturn

from chatme.storage.embedded.errors import UnsupportedError


class EmbeddedSession:
    """What `start_session` gives: a context manager that every operation takes.

    Operations of one client see each other's writes with or without it.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.has_ended = False
        self.in_transaction = False

    async def end_session(self) -> None:
        """End it."""
        self.has_ended = True

    async def __aenter__(self) -> EmbeddedSession:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.end_session()

    def start_transaction(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: every rule rests on single-document writes and unique indexes.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("transactions")

    async def with_transaction(self, *_: Any, **__: Any) -> NoReturn:
        """Refused, as `start_transaction`.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("transactions")

    async def commit_transaction(self) -> NoReturn:
        """Refused, as `start_transaction`.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("transactions")

    async def abort_transaction(self) -> NoReturn:
        """Refused, as `start_transaction`.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("transactions")
