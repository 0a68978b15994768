"""How long a sound lasts, by what its file says of itself: WAV, FLAC, Ogg and MP4.

Read from the file's ends and its table of contents, never whole. It is what players show before
they play: a file may lie, and of one that says nothing sensible nobody knows. MP3, AAC, AMR, and
WebM as browsers record it, say nothing unless they are read to their end.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

LONGEST = 7 * 24 * 3600.0
"""Seconds; what claims to be longer is not believed."""

_END = 65536  # an Ogg page is no longer, and the last one tells
_BOXES = 1000


def duration(path: Path, media_type: str) -> float | None:
    """The seconds that a sound lasts, to the millisecond; nothing where it does not say."""
    read = _READERS.get(media_type)
    if read is None:
        return None
    try:
        with path.open("rb") as file:
            seconds = read(file)
    except (struct.error, ValueError, ZeroDivisionError, OverflowError):
        return None
    return round(seconds, 3) if seconds is not None and 0 < seconds <= LONGEST else None


def _wav(file: BinaryIO) -> float | None:
    """The data's length by the bytes of a second (RIFF)."""
    end = file.seek(0, 2)
    file.seek(12)
    per_second = 0
    for kind, size in _chunks(file):
        if kind == b"fmt ":
            per_second = _number("<8xI", file.read(12))
        elif kind == b"data":
            # A recorder that was cut leaves the largest number there is.
            return min(size, end - file.tell()) / per_second
    return None


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    for _ in range(_BOXES):
        head = file.read(8)
        kind, size = head[:4], _number("<4xI", head)
        start = file.tell()
        yield kind, size
        file.seek(start + size + size % 2)


def _flac(file: BinaryIO) -> float | None:
    """All samples by those of a second, both in the first block (RFC 9639, 8.2)."""
    file.seek(8 + 10)
    packed = _number(">Q", file.read(8))
    return (packed & (1 << 36) - 1) / (packed >> 44)


def _ogg(file: BinaryIO) -> float | None:
    """The position of the last page by the samples of a second (RFC 3533, RFC 7845)."""
    head = file.read(_END)
    skipped, rate = 0, 0
    if (at := head.find(b"OpusHead")) >= 0:
        skipped, rate = _number("<10xH", head[at : at + 12]), 48000
    elif (at := head.find(b"\x01vorbis")) >= 0:
        rate = _number("<12xI", head[at : at + 16])
    file.seek(max(0, file.seek(0, 2) - _END))
    tail = file.read(_END)
    position = _number("<6xq", tail[tail.rindex(b"OggS") :][:14])
    return (position - skipped) / rate


def _mp4(file: BinaryIO) -> float | None:
    """The movie header's length by its units of a second (ISO 14496-12, 8.2.2)."""
    end = file.seek(0, 2)
    file.seek(0)
    # The first of them only: a file of a thousand movies would be read for long.
    movie = next((each for each in _boxes(file, end) if each[0] == b"moov"), None)
    if movie is None:
        return None
    _, start, stop = movie
    file.seek(start)
    for kind, _, _ in _boxes(file, stop):
        if kind == b"mvhd":
            head = file.read(32)
            form = ">20xIQ" if head[:1] == b"\1" else ">12xII"
            unit, length = struct.unpack_from(form, head)
            return float(length / unit)
    return None


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each box's kind, where its content begins and where it ends."""
    at = file.tell()
    for _ in range(_BOXES):
        if at >= end:
            return
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            size = _number(">Q", file.read(8))
        elif size == 0:
            size = end - at
        if size < 8:
            return
        yield kind, file.tell(), at + size
        at += size


def _number(form: str, data: bytes) -> int:
    return int(struct.unpack(form, data)[0])


_READERS: Mapping[str, Callable[[BinaryIO], float | None]] = {
    "audio/wav": _wav,
    "audio/flac": _flac,
    "audio/ogg": _ogg,
    "audio/mp4": _mp4,
}
