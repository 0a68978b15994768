"""The one assembly: all is there, bound to one database, and let go of at the end."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from odmantic import Model

import chatme
from chatme.app import create_app
from chatme.clock import timestamp
from chatme.settings import Settings
from chatme.storage.engine import DatabaseError, open_engine
from chatme.wiring import MODELS, Services, open_services
from chatme_tests.fakes import SOMETIME, FrozenClock, settings_of
from chatme_tests.serving import PATIENCE

PASSWORD = "Correct-Horse-7"


@asynccontextmanager
async def _caller(settings: Settings, services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who calls the application that stands on the services."""
    transport = httpx.ASGITransport(create_app(settings, services))
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.test/api/v1") as http:
        yield http


async def _register(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """A new account; the answer to it."""
    body = {"displayName": name, "email": f"{name}@example.com", "password": PASSWORD}
    found: dict[str, Any] = (await http.post("/auth/register", json=body)).json()
    return found


def test_every_model_is_prepared() -> None:
    """Each stored model of the package is in the list, so that it gets its indexes."""
    for module in pkgutil.walk_packages(chatme.__path__, "chatme."):
        if module.name.endswith(".models"):
            importlib.import_module(module.name)
    known = {each for each in Model.__subclasses__() if each.__module__.startswith("chatme.")}

    assert set(MODELS) == known
    assert len({each.model_config["collection"] for each in MODELS}) == len(MODELS)


async def test_the_services_share_one_database(tmp_path: Path) -> None:
    """What one service makes the others find, at the time that the given clock tells."""
    settings = settings_of(tmp_path)
    async with (
        open_services(settings, FrozenClock()) as services,
        _caller(settings, services) as http,
    ):
        ada, bob = await _register(http, "ada"), await _register(http, "bob")
        http.headers["Authorization"] = f"Bearer {ada['accessToken']}"
        wanted = {"name": "Tea", "memberIds": [bob["user"]["id"]]}
        group = (await http.post("/conversations/group", json=wanted)).json()
        path = f"/messages/{group['id']}"
        message = (await http.post(path, json={"content": "Hello."})).json()
        listed = (await http.get("/conversations")).json()

    now = timestamp(SOMETIME)
    assert [ada["user"]["createdAt"], group["createdAt"], message["createdAt"]] == [now] * 3
    assert [each["lastMessage"]["id"] for each in listed["items"]] == [message["id"]]


async def test_all_is_let_go_of(tmp_path: Path) -> None:
    """At the end no thread is left, and the database can be opened again, with all in it."""
    settings = settings_of(tmp_path)
    before = set(threading.enumerate())
    async with open_services(settings) as services, _caller(settings, services) as http:
        await _register(http, "ada")
        assert set(threading.enumerate()) - before
    left = set(threading.enumerate()) - before
    for thread in left:
        if not thread.name.startswith("asyncio_"):  # asyncio keeps its own until the loop ends
            await asyncio.to_thread(thread.join, PATIENCE)
    async with open_services(settings) as services, _caller(settings, services) as http:
        credentials = {"email": "ada@example.com", "password": PASSWORD}
        assert (await http.post("/auth/login", json=credentials)).status_code == 200

    alive = [each.name for each in left if each.is_alive()]
    assert [name for name in alive if not name.startswith("asyncio_")] == []


async def test_a_fault_lets_go_too(tmp_path: Path) -> None:
    """An error inside the block closes all that was opened, and comes through."""
    settings = settings_of(tmp_path)
    with pytest.raises(ZeroDivisionError):
        async with open_services(settings):
            raise ZeroDivisionError
    async with open_services(settings):
        pass


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """What a newer program has changed is not touched by this one."""
    settings = settings_of(tmp_path)
    applied = [{"name": f"change {at}"} for at in range(1000)]
    async with open_engine(settings) as engine:
        await engine.database["schema"].insert_one({"_id": "schema", "applied": applied})
    with pytest.raises(DatabaseError, match="use the newer program"):
        async with open_services(settings):
            raise AssertionError("opened")


async def test_one_assembly_for_one_database(tmp_path: Path) -> None:
    """A second assembly over the same folder is refused, and the first goes on."""
    settings = settings_of(tmp_path, mongodb_uri=None)
    async with open_services(settings) as services:
        with pytest.raises(DatabaseError):
            async with open_services(settings):
                raise AssertionError("opened twice")
        assert (await services.health.report()).status == "ok"
