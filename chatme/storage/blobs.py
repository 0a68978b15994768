"""Uploaded bytes in a folder of our own, under names that nobody can guess.

A file's type and name stand in a second file beside it, whose name begins with a dot and so is
nobody's id. It is written first and removed last.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from chatme.errors import StorageFull
from chatme.ports import Blobs, Shelf, StoredFile
from chatme.settings import Settings
from chatme.storage.cloudinary import CloudinaryAccount, CloudinaryBlobs

PATH: Final = "/uploads"
"""Where the files are served."""

_ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- to listen at; no browser goes there
_ID = re.compile(r"[A-Za-z0-9_-]{16,128}(?:\.[a-z0-9]{1,8})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stores:
    """Where new files go, and what finds those that are here."""

    blobs: Blobs
    shelf: Shelf


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """The stores that the settings name, until the block ends.

    Files that were kept here before Cloudinary was configured are served and removed here.
    """
    local = LocalBlobs(settings.data_dir / "uploads", _base(settings))
    account = _account(settings)
    if account is None:
        yield Stores(local, local)
        return
    cloud = CloudinaryBlobs(account)
    try:
        yield Stores(MovedBlobs(cloud, local), local)
    finally:
        await cloud.aclose()


class MovedBlobs:
    """A store for new files, beside an earlier one whose files are still there."""

    def __init__(self, new: Blobs, old: Blobs) -> None:
        self._new = new
        self._old = old

    async def put(self, public_id: str, source: Path, media_type: str, name: str) -> str:
        """Puts the file into the new store."""
        return await self._new.put(public_id, source, media_type, name)

    async def delete(self, public_id: str) -> None:
        """Removes the file from both."""
        await self._old.delete(public_id)
        await self._new.delete(public_id)


def _account(settings: Settings) -> CloudinaryAccount | None:
    name, key = settings.cloudinary_cloud_name, settings.cloudinary_api_key
    secret = settings.cloudinary_api_secret
    if name is None or key is None or secret is None:
        return None
    return CloudinaryAccount(name, key, secret.get_secret_value(), settings.cloudinary_api_url)


def _base(settings: Settings) -> str:
    """Where browsers reach this server; while it is developed, where it listens."""
    if settings.public_url is not None or settings.production or not settings.port:
        return settings.public_url or ""
    host = "localhost" if settings.host in _ANYWHERE else settings.host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{settings.port}"


class LocalBlobs:
    """A store and a shelf over one folder; holds no state of its own.

    ``base`` is where browsers reach this server; without one, URLs are relative to it.
    """

    def __init__(self, folder: Path, base: str = "") -> None:
        self._folder = folder
        self._base = base

    async def put(self, public_id: str, source: Path, media_type: str, name: str) -> str:
        """Moves the file into the folder, whole or not at all; its URL."""
        if not _ID.fullmatch(public_id):
            raise ValueError(f"not an id: {public_id!r}")
        await asyncio.to_thread(self._put, public_id, source, media_type, name)
        return f"{self._base}{PATH}/{public_id}"

    async def delete(self, public_id: str) -> None:
        """Removes the file, if there is one."""
        if _ID.fullmatch(public_id):
            await asyncio.to_thread(self._delete, public_id)

    async def find(self, public_id: str) -> StoredFile | None:
        """The file of that id, and what was said of it."""
        if not _ID.fullmatch(public_id):
            return None
        return await asyncio.to_thread(self._find, public_id)

    def _put(self, public_id: str, source: Path, media_type: str, name: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        about = orjson.dumps({"type": media_type, "name": name})
        try:
            _write(self._about(public_id), about)
            source.chmod(0o600)
            _sync(source)
            source.replace(self._folder / public_id)
            _sync(self._folder)
        except OSError as error:
            self._delete(public_id)
            if StorageFull.told_by(error):
                raise StorageFull from None
            raise
        finally:
            source.unlink(missing_ok=True)

    def _delete(self, public_id: str) -> None:
        (self._folder / public_id).unlink(missing_ok=True)
        self._about(public_id).unlink(missing_ok=True)

    def _find(self, public_id: str) -> StoredFile | None:
        path = self._folder / public_id
        try:
            about = orjson.loads(self._about(public_id).read_bytes())
            return StoredFile(path, path.stat(), str(about["type"]), str(about["name"]))
        except FileNotFoundError:
            return None

    def _about(self, public_id: str) -> Path:
        return self._folder / f".{public_id}.json"


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
