"""The file of a backup: a tar, compressed by gzip, which says at its end what is in it.

::

    backup.json                       what it is, and since when
    database/<collection>/000001.bson documents, one after the other, some MiB in each
    uploads/…                         files as they lie in the data folder
    manifest.json                     a hash over all before it, and a tally of each collection

It is written and read from beginning to end, a piece at a time. Whoever reads trusts nothing: an
entry of another name or kind ends the reading, and only the manifest says that all was there.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp
from typing import IO, Any, BinaryIO

from chatme.storage.embedded.replacing import sync_folder
from chatme.upkeep.files import Readable

FORMAT = 1
PIECE_BYTES = 4 * 1024 * 1024
_MAX_PIECE = PIECE_BYTES + 17 * 1024 * 1024  # and one document more, at MongoDB's largest
_MAX_FACTS = 1024 * 1024
_BLOCK = 1024 * 1024
_LEVEL = 4
_HEAD, _FOOT = "backup.json", "manifest.json"
_DATABASE = re.compile(r"database/([a-z_]{1,40})/[0-9]{6,9}\.bson", re.ASCII)
_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}"
_UPLOAD = re.compile(rf"uploads/({_PART}(?:/{_PART}){{0,5}})", re.ASCII)

Facts = dict[str, Any]


class BadArchive(Exception):
    """The file is no backup, or not all of it, or not as it was written."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some documents of one collection, one after the other."""

    collection: str
    documents: bytes


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the uploads by its path below them; ``content`` is read before the next entry."""

    path: str
    content: Readable


class ArchiveWriter:
    """Writes one backup, from `writing_archive` to its end."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._hash = sha256()
        self._pieces = 0

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Says what it is; first of all."""
        self._add(_HEAD, json.dumps({"format": FORMAT, **facts}).encode())

    def add_documents(self, collection: str, documents: bytes) -> None:
        """Adds some documents."""
        self._pieces += 1
        self._add(f"database/{collection}/{self._pieces:06}.bson", documents)

    def add_file(self, path: str, file: BinaryIO) -> bool:
        """Adds an open file; whether its name can stand in a backup."""
        name = f"uploads/{path}"
        if _UPLOAD.fullmatch(name) is None:
            return False
        size = os.fstat(file.fileno()).st_size
        self._tar.addfile(_entry(name, size), _Hashing(file, self._named(name, size)))
        return True

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Says what is in it; last of all."""
        manifest = {**facts, "sha256": self._hash.hexdigest()}
        data = json.dumps(manifest).encode()
        self._tar.addfile(_entry(_FOOT, len(data)), io.BytesIO(data))

    def _add(self, name: str, data: bytes) -> None:
        self._tar.addfile(_entry(name, len(data)), io.BytesIO(data))
        self._named(name, len(data)).update(data)

    def _named(self, name: str, size: int) -> Any:
        self._hash.update(f"{name}\0{size}\0".encode())
        return self._hash


class ArchiveReader:
    """Reads one backup, from `reading_archive` to its end.

    ``facts`` are those of its beginning. What `entries` yields is known to be whole only when
    it has ended well; then ``manifest`` is there.
    """

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._hash = sha256()
        self.manifest: Facts = {}
        member = tar.next()
        if member is None or member.name != _HEAD:
            raise BadArchive("it is no backup of ChatMe")
        self.facts = _facts(self._read(member, _MAX_FACTS))
        if self.facts.get("format") != FORMAT:
            raise BadArchive("a newer program wrote it")

    def entries(self) -> Iterator[Piece | StoredFile]:
        """All that is in it, in order, once; raises `BadArchive`."""
        while (member := self._tar.next()) is not None:
            if not member.isreg():
                raise BadArchive(f"{member.name!r} is no plain file")
            if member.name == _FOOT:
                self._check(_facts(self._content(member).read(_MAX_FACTS)))
                return
            if found := _DATABASE.fullmatch(member.name):
                yield Piece(found[1], self._read(member, _MAX_PIECE))
            elif found := _UPLOAD.fullmatch(member.name):
                content = _Hashing(self._content(member), self._named(member))
                yield StoredFile(found[1], content)
                while content.read(_BLOCK):  # what nobody wanted is hashed all the same
                    pass
            else:
                raise BadArchive(f"{member.name!r} does not belong into a backup")
        raise BadArchive("its end is missing")

    def _check(self, manifest: Facts) -> None:
        if self._tar.next() is not None:
            raise BadArchive("there is something behind its end")
        if manifest.get("sha256") != self._hash.hexdigest():
            raise BadArchive("it is not as it was written")
        self.manifest = manifest

    def _read(self, member: tarfile.TarInfo, limit: int) -> bytes:
        if member.size > limit:
            raise BadArchive(f"{member.name!r} is too large")
        data = self._content(member).read()
        self._named(member).update(data)
        return data

    def _content(self, member: tarfile.TarInfo) -> IO[bytes]:
        content = self._tar.extractfile(member)
        if content is None:
            raise BadArchive(f"{member.name!r} is no plain file")
        return content

    def _named(self, member: tarfile.TarInfo) -> Any:
        self._hash.update(f"{member.name}\0{member.size}\0".encode())
        return self._hash


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, file: Readable, digest: Any) -> None:
        self._file = file
        self._digest = digest

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data


@contextmanager
def writing_archive(path: Path) -> Iterator[ArchiveWriter]:
    """A backup of that name, for its owner alone, which is there when the block ends well.

    Until then it has another name; what was begun is removed. Raises `OSError`.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    descriptor, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with (
                gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                yield ArchiveWriter(tar)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def reading_archive(path: Path) -> Iterator[ArchiveReader]:
    """The backup of that name; whatever is wrong with it is a `BadArchive`."""
    with (
        path.open("rb") as file,
        _as_bad_archive(path),
        gzip.GzipFile(fileobj=file, mode="rb") as packed,
    ):
        with tarfile.open(fileobj=packed, mode="r|") as tar:
            yield ArchiveReader(tar)
        while packed.read(_BLOCK):  # to the end, where gzip compares its own sum
            pass


@contextmanager
def _as_bad_archive(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise BadArchive(f"{path} is damaged: {error}") from error
    except BadArchive as error:
        raise BadArchive(f"{path} cannot be used: {error}") from error


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


def _facts(data: bytes) -> Facts:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadArchive("what it says of itself cannot be read")
    return found
