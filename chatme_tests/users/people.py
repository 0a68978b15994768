"""Parts for the tests of users: a house with people, engines that count and wait, a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
from bson import ObjectId
from odmantic import AIOEngine
from starlette.applications import Starlette

from chatme.clock import new_id
from chatme.http.endpoint import bind
from chatme.principal import Principal
from chatme.shapes import parse_id
from chatme.storage import atomic
from chatme.users.blocks import BlockService
from chatme.users.models import Block, new_user
from chatme.users.routes import ROUTES
from chatme.users.service import UserService
from chatme_tests.fakes import SOMETIME, FrozenClock


class House:
    """The users' services over one database, and its users."""

    def __init__(self, engine: AIOEngine, limit: int = 1000) -> None:
        self.engine = engine
        self.clock = FrozenClock()
        self.blocks = BlockService(engine, self.clock, limit)
        self.users = UserService(engine, self.clock, self.blocks)

    async def people(self, *names: str) -> list[ObjectId]:
        """Fresh users."""
        users = [new_user(name, f"{name}.{new_id()}@example.org", None, SOMETIME) for name in names]
        await atomic.insert_missing(self.engine, users)
        return [user.id for user in users]

    async def rows(self, blocker: ObjectId) -> list[ObjectId]:
        """Whom the database says a user blocked, a row each."""
        found = await atomic.project(self.engine, Block, {"blocker": blocker}, ["blocked"])
        return [row["blocked"] for row in found]


class CountingEngine:
    """Lends out the collections of an engine, and counts."""

    def __init__(self, engine: AIOEngine) -> None:
        self.engine = engine
        self.used = 0

    def get_collection(self, model: Any) -> Any:
        """A model's collection."""
        self.used += 1
        return self.engine.get_collection(model)


class HeldEngine(CountingEngine):
    """An engine whose inserts are done when they are let go, and then may fail all the same."""

    def __init__(self, engine: AIOEngine, error: Exception | None = None) -> None:
        super().__init__(engine)
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self.done = asyncio.Event()
        self.error = error

    def get_collection(self, model: Any) -> Any:
        """A model's collection."""
        collection = super().get_collection(model)

        async def insert_one(document: Any) -> None:
            self.begun.set()
            await self.let_go.wait()
            await collection.insert_one(document)
            self.done.set()
            if self.error:
                raise self.error

        return SimpleNamespace(
            insert_one=insert_one, find=collection.find, count_documents=collection.count_documents
        )


class Doorkeeper:
    """An Authenticator to whom a user's id is their token."""

    async def authenticate(self, token: str) -> Principal:
        """The caller of that id."""
        user = parse_id(token)
        assert user is not None
        return Principal(user, user, SOMETIME + timedelta(hours=1))

    async def recheck(self, principal: Principal) -> None:
        """Nobody's session ends."""


Ask = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def asking(house: House, caller: ObjectId) -> AsyncIterator[Ask]:
    """Asks the users' routes in a caller's name; the status and the JSON of the answer."""
    app = Starlette(routes=bind([(ROUTES, house.users)], Doorkeeper()))
    headers = {"Authorization": f"Bearer {caller}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://c", headers=headers) as http:

        async def ask(method: str, path: str) -> tuple[int, Any]:
            response = await http.request(method, path)
            return response.status_code, response.json()

        yield ask
