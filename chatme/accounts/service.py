"""The rules for an account's end, and for all that is held about somebody.

What there is to erase and to show belongs to the features; `wiring` lists it. Each step is safe to
repeat: an erasure that was cut goes on when the server starts again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

import structlog
from bson import ObjectId
from odmantic import AIOEngine

from chatme.accounts.models import Erasure
from chatme.auth.service import AuthService
from chatme.clock import Clock
from chatme.errors import Unavailable
from chatme.principal import Principal
from chatme.shapes import Shape
from chatme.storage import atomic
from chatme.storage.engine import DatabaseError
from chatme.storage.errands import Errand, Errands
from chatme.users.service import UserService

log = structlog.stdlib.get_logger("chatme.accounts")

PIECE_BYTES = 64 * 1024

Step = Callable[[ObjectId], Awaitable[object]]
Section = Callable[[ObjectId], AsyncIterator[Shape]]


class AccountService:
    """Lives as long as the app; holds no state of its own.

    ``steps`` erase what features hold about a user; ``sections`` show it, under these names.
    """

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        users: UserService,
        auth: AuthService,
        errands: Errands,
        steps: Sequence[Step],
        sections: Mapping[str, Section],
    ) -> None:
        self._errands = errands
        self._engine = engine
        self._clock = clock
        self._users = users
        self._auth = auth
        self._steps = tuple(steps)
        self._sections = dict(sections)

    async def erase(self, principal: Principal, password: str | None) -> None:
        """Ends the caller's account: they are out everywhere, and their messages are nobody's.

        Asks for the password or a fresh login (`AuthService.prove`). Once it is begun it goes on
        to its end, whether the caller waits or not, and when the database comes back if it is away:
        after the first step nobody could ask for the rest of it any more.
        """
        user = await self._auth.prove(principal, password)
        begun = Erasure(id=user.id, begun_at=self._clock.now())
        await atomic.insert_missing(self._engine, [begun])
        await self._see_through(user.id)

    async def finish_erasures(self) -> None:
        """Goes on with the erasures that were cut.

        One that fails is logged, holds up no other, and is left to the next start; one that the
        database's absence cuts goes on when that is over.
        """
        try:
            cut = await self._engine.find(Erasure)
        except DatabaseError:
            log.exception("erasures that were cut could not be looked up")
            return
        for erasure in cut:
            try:
                await self._see_through(erasure.id)
            except Unavailable:
                continue  # the errand goes on by itself
            except Exception:
                log.exception("an erasure is not finished", user=str(erasure.id))

    async def export(self, user_id: ObjectId) -> AsyncIterator[bytes]:
        """All that is held about a user, as the pieces of one JSON object."""
        piece = b'{"user":' + (await self._users.oneself(user_id)).to_json()
        for name, section in self._sections.items():
            piece += f',"{name}":['.encode()
            separator = b""
            async for shape in section(user_id):
                piece += separator + shape.to_json()
                separator = b","
                if len(piece) > PIECE_BYTES:
                    yield piece
                    piece = b""
            piece += b"]"
        yield piece + b"}"

    async def _see_through(self, user_id: ObjectId) -> None:
        await self._errands.begin(partial(self._erase_surely, user_id), AsyncExitStack())

    async def _erase_surely(self, user_id: ObjectId, errand: Errand) -> None:
        await errand.surely(lambda: self._erase(user_id))

    async def _erase(self, user_id: ObjectId) -> None:
        # First nobody can sign in as them any more; then the rest goes, in any order.
        await self._users.erase(user_id)
        await self._auth.shut_out(user_id)
        for step in self._steps:
            await step(user_id)
        await self._engine.remove(Erasure, Erasure.id == user_id)
