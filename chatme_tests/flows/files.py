"""What flows do with files: send them up, look at them, and let a day pass."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin

import httpx
from bson import ObjectId

from chatme.clock import SystemClock
from chatme.depot import open_depot
from chatme.storage.engine import open_engine
from chatme.uploads.models import Upload, UseKind
from chatme.uploads.sweeper import Check, Sweeper
from chatme_tests.client import Json, User
from chatme_tests.fakes import FrozenClock, settings_of
from chatme_tests.images.gallery import photo
from chatme_tests.server import Server


async def upload(user: User, kind: str, content: bytes, name: str = "tea.png") -> Json:
    """Uploads a file; the answer, which must be a success."""
    answer = await user.http.post(f"/upload/{kind}", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def picture(user: User) -> Json:
    """Uploads a picture."""
    return await upload(user, "image", photo("PNG"))


async def fetch(server: Server, url: str, **headers: str) -> httpx.Response:
    """What anybody gets at an address that the server gave."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        return await browser.get(urljoin(server.url, url), headers=headers)


def kept(folder: Path) -> set[str]:
    """The names of all files that the stopped or running server keeps, or has begun to."""
    places = (folder / "uploads", folder / "incoming")
    return {each.name for place in places for each in place.glob("*") if each.is_file()}


async def sweep_later(folder: Path, days: int) -> int:
    """Sweeps the data of a stopped server as it does so many days from now, when no message, user
    or group shows anything; how many uploads are left."""
    settings = settings_of(folder)
    clock = FrozenClock(SystemClock().now() + timedelta(days=days))

    async def nobody(_public_id: str, _ids: Collection[ObjectId]) -> set[ObjectId]:
        return set()

    async with open_engine(settings) as engine, open_depot(engine, clock, settings) as depot:
        checks: dict[UseKind, Check] = {"message": nobody, "user": nobody, "group": nobody}
        sweeper = Sweeper(engine, clock, depot.remover, checks, depot.incoming)
        await sweeper.sweep()
        return await engine.count(Upload)
