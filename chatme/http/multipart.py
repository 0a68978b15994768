"""Uploads: the one file of a multipart/form-data body, on the disk as it arrives.

Nothing is kept in memory but the piece that is next to be written, and nothing is read beyond a
limit. What a client says about its file is a name to be cleaned; the content is looked at later.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from chatme.errors import BadRequest, Invalid, StorageFull, TooLarge, UnsupportedType
from chatme.http.body import declared_length
from chatme.http.filenames import clean_name, file_name, parameters_of

OVERHEAD: Final = 64 * 1024
"""What a body may hold beside its file: boundaries, the parts' heads, other fields."""

_PIECE = 256 * 1024
_PART_HEAD = 20 * 1024  # one line; a name of 4,000 characters fits in any script
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")  # RFC 2046
_PLAIN = frozenset({b"binary", b"8bit", b"7bit"})
_DRAFT = ".upload-"

# It warns of each malformed body, which is the client's affair and answered with a 400.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Upload:
    """What a route takes: a file in this field of a form, of at most so many bytes."""

    field: str
    limit: int


@dataclass(frozen=True, slots=True)
class Received:
    """A file that arrived whole; it is removed unless somebody moves it away."""

    path: Path
    name: str
    size: int


@asynccontextmanager
async def receive(request: Request, upload: Upload, folder: Path) -> AsyncIterator[Received]:
    """The file of a form, in ``folder`` as long as the block runs.

    Raises `UnsupportedType` (415) for another content type, `TooLarge` (413) over the limit,
    without reading on, `BadRequest` (400) for what is malformed or breaks off, `Invalid` (422)
    where the field is missing, empty or not the only file, `StorageFull` (507) on a full disk.
    """
    form = _Form(upload, _boundary(request))
    if declared_length(request) > upload.limit + OVERHEAD:
        raise TooLarge
    draft = Draft(folder)
    try:
        await _save(request, form, draft)
        yield Received(draft.path, clean_name(form.file_name), form.file_size)
    finally:
        # Shielded: a request that is cancelled must not leave its file behind.
        await asyncio.shield(asyncio.to_thread(draft.discard))


def _boundary(request: Request) -> bytes:
    media_type, parameters = parse_options_header(request.headers.get("content-type", ""))
    if media_type != b"multipart/form-data":
        raise UnsupportedType("The body must be a form: multipart/form-data.")
    boundary = parameters.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise BadRequest("The form's boundary is missing or malformed.")
    return boundary


async def _save(request: Request, form: _Form, draft: Draft) -> None:
    try:
        async for chunk in request.stream():
            form.feed(chunk)
            if len(form.pending) >= _PIECE:
                await asyncio.to_thread(draft.write, form.take())
    except ClientDisconnect:
        raise BadRequest("The body did not arrive whole.") from None
    except FormParserError:
        raise BadRequest("The form is malformed.") from None
    form.check()
    await asyncio.to_thread(draft.write, form.take())


class _Form:
    """Tells the file in a form's bytes from all the rest."""

    def __init__(self, upload: Upload, boundary: bytes) -> None:
        self.pending = bytearray()
        self.file_name = ""
        self.file_size = 0
        self._upload = upload
        self._seen = 0
        self._whole = False
        self._found = False
        self._in_file = False
        self._head: dict[bytes, bytes] = {}
        self._name = bytearray()
        self._value = bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._head_ends,
                "on_part_data": self._data,
                "on_end": self._ends,
            },
            max_header_size=_PART_HEAD,
        )

    def feed(self, chunk: bytes) -> None:
        """Takes what came; raises as soon as it is too much or wrong."""
        self._seen += len(chunk)
        self._parser.write(chunk)
        # What the parser still holds back is shorter than a boundary, and counted as overhead.
        if self._seen - self.file_size > OVERHEAD:
            raise TooLarge

    def take(self) -> bytes:
        """What of the file is to be written next."""
        piece = bytes(self.pending)
        self.pending.clear()
        return piece

    def check(self) -> None:
        """Raises where the form, which came to its end, is not whole or has no file."""
        if not self._whole:
            raise BadRequest("The body did not arrive whole.")
        if not self._found:
            raise Invalid.field(self._upload.field, "is missing: it must be a file")
        if not self.file_size:
            raise Invalid.field(self._upload.field, "is empty")

    # The parser's calls

    def _part_begins(self) -> None:
        self._head = {}
        self._in_file = False

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        self._head[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _head_ends(self) -> None:
        kind, _, _ = self._head.get(b"content-disposition", b"").partition(b";")
        if kind.strip().lower() != b"form-data":
            raise BadRequest("A part of the form has no name.")
        parameters = parameters_of(self._head[b"content-disposition"])
        name = file_name(parameters)
        if name is None:
            return
        field = self._upload.field
        if self._found or parameters.get(b"name") != field.encode():
            raise Invalid.field(field, "must be the form's only file")
        if self._head.get(b"content-transfer-encoding", b"binary").lower() not in _PLAIN:
            raise BadRequest("A file must be sent as it is (RFC 7578, 4.7).")
        self._found = self._in_file = True
        self.file_name = name

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._in_file:
            return
        self.file_size += end - start
        if self.file_size > self._upload.limit:
            raise TooLarge
        self.pending += memoryview(data)[start:end]

    def _ends(self) -> None:
        self._whole = True


class Draft:
    """A file that is being written, in threads; once it is discarded, late writes are lost.

    Nothing is buffered: what was written can be moved away and read at once.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{_DRAFT}{secrets.token_hex(16)}"
        self._lock = Lock()
        self._file: FileIO | None = None
        self._discarded = False

    def write(self, piece: bytes) -> None:
        """Appends; raises `StorageFull`."""
        with self._lock:
            if self._discarded:
                return
            try:
                if self._file is None:
                    self._file = self._open()
                rest = memoryview(piece)
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                if StorageFull.told_by(error):
                    raise StorageFull from None
                raise

    def _open(self) -> FileIO:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileIO(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")

    def discard(self) -> None:
        """Removes it, unless it was moved away."""
        with self._lock:
            self._discarded = True
            if self._file is not None:
                self._file.close()
                self.path.unlink(missing_ok=True)
