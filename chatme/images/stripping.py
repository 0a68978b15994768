"""A picture's file without what its makers wrote beside the picture. No I/O here.

Only the parts that draw are copied, as they are, so that no quality is lost: places, times, names,
thumbnails of an uncropped original and comments go, and so does whatever hangs behind the
picture's end. Colour profiles stay. What the parts hold is for a decoder to judge, but not how many
there are: a decoder takes its time over each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final, Literal

Format = Literal["jpeg", "png", "webp", "gif"]

MAX_PARTS: Final = 20_000
MAX_SCANS: Final = 50
"""Each scan of a JPEG goes over the whole picture; cameras and editors make about ten."""

_MAGIC: Final[tuple[tuple[bytes, Format], ...]] = (
    (rb"\xff\xd8\xff", "jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "png"),
    (rb"RIFF....WEBP", "webp"),
    (rb"GIF8[79]a", "gif"),
)
_PNG_KEPT: Final = frozenset(
    b"IHDR PLTE tRNS IDAT IEND gAMA cHRM sRGB iCCP cICP sBIT bKGD pHYs acTL fcTL fdAT".split()
)
_WEBP_KEPT: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_FRAME: Final = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_METADATA: Final = 0x04 | 0x08  # XMP, EXIF
_GIF_LOOPS: Final = frozenset({b"NETSCAPE2.0", b"ANIMEXTS1.0"})
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_JFIF, _PROFILE, _ADOBE = 0xE0, 0xE2, 0xEE
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")


class Broken(Exception):
    """The file is not built as its format says."""


def format_of(data: bytes) -> Format | None:
    """What a file's first bytes say that it is."""
    for pattern, kind in _MAGIC:
        if re.match(pattern, data, re.DOTALL):
            return kind
    return None


def strip(data: bytes, kind: Format) -> bytes:
    """The file with nothing but the picture; raises `Broken`."""
    try:
        return _joined(_STRIPPERS[kind](data))
    except IndexError:
        raise Broken from None


def _joined(pieces: Iterator[bytes]) -> bytes:
    """All pieces, a dropped one being empty, if they are not too many."""
    joined = list(islice(pieces, MAX_PARTS + 1))
    if len(joined) > MAX_PARTS:
        raise Broken
    return b"".join(joined)


def _take(data: bytes, start: int, size: int) -> bytes:
    piece = data[start : start + size]
    if len(piece) != size:
        raise Broken
    return piece


def _jpeg(data: bytes) -> Iterator[bytes]:
    yield _take(data, 0, 2)
    place, scans = 2, 0
    while (found := _MARKER.search(data, place)) is not None:
        # What lies before it is of no scan: decoders skip it.
        marker = data[found.end() - 1]
        place = found.end()
        if marker == _EOI:
            yield bytes((0xFF, _EOI))
            return
        if marker == _SOI:
            raise Broken
        if marker in _BARE:
            yield b""
            continue
        size = int.from_bytes(_take(data, place, 2), "big")
        if size < 2:
            raise Broken
        segment = _take(data, place, size)
        place += size
        drawing = _draws(marker, segment[2:])
        yield bytes((0xFF, marker)) + _without_thumbnail(marker, segment) if drawing else b""
        if marker == _SOS:
            scans += 1
            if scans > MAX_SCANS:
                raise Broken
            following = _MARKER.search(data, place)
            end = following.start() if following else len(data)
            yield data[place:end]
            place = end
    raise Broken


def _draws(marker: int, content: bytes) -> bool:
    """Whether a segment tells something of how the picture looks."""
    if marker == _JFIF:
        return content.startswith(b"JFIF\0")
    if marker == _PROFILE:
        return content.startswith(b"ICC_PROFILE\0")
    if marker == _ADOBE:
        return content.startswith(b"Adobe")
    return not 0xE0 <= marker <= 0xEF and marker != _COM


def _without_thumbnail(marker: int, segment: bytes) -> bytes:
    if marker != _JFIF:
        return segment
    return b"\0\x10" + _take(segment, 2, 12) + b"\0\0"


def _png(data: bytes) -> Iterator[bytes]:
    yield _take(data, 0, 8)
    place = 8
    kind = b""
    while kind != b"IEND":
        size = int.from_bytes(_take(data, place, 4), "big")
        chunk = _take(data, place, size + 12)
        place += len(chunk)
        kind = chunk[4:8]
        yield chunk if kind in _PNG_KEPT else b""


def _webp(data: bytes) -> Iterator[bytes]:
    end = 8 + int.from_bytes(_take(data, 4, 4), "little")
    chunks = _joined(_webp_chunks(_take(data, 0, end), 12, _WEBP_KEPT))
    yield b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks


def _webp_chunks(data: bytes, place: int, kept: frozenset[bytes]) -> Iterator[bytes]:
    while place < len(data):
        kind = _take(data, place, 4)
        size = int.from_bytes(_take(data, place + 4, 4), "little")
        content = _take(data, place + 8, size)
        place += 8 + size + size % 2
        if kind not in kept:
            yield b""
            continue
        if kind == b"VP8X":
            content = bytes((content[0] & ~_WEBP_METADATA,)) + content[1:]
        if kind == b"ANMF":  # 16 bytes on its place and time, then the frame's own chunks
            frame = _joined(_webp_chunks(content, 16, _WEBP_FRAME))
            content = _take(content, 0, 16) + frame
        yield kind + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def _gif(data: bytes) -> Iterator[bytes]:
    yield _take(data, 0, 13)
    place = 13
    colours = _colours(data[10])
    yield _take(data, place, colours)
    place += colours
    while place < len(data) and (opener := data[place]) != 0x3B:
        if opener == 0x2C:
            head = 11 + _colours(data[place + 9])
            end = _end_of_blocks(data, place + head)
            yield data[place:end]
        elif opener == 0x21:
            end = _end_of_blocks(data, place + 2)
            yield _gif_extension(data[place:end])
        else:
            end = place + 1  # decoders skip it
            yield b""
        place = end
    yield b"\x3b"


def _colours(flags: int) -> int:
    """How many bytes a table of colours takes."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _end_of_blocks(data: bytes, place: int) -> int:
    while size := data[place]:
        place += size + 1
    return place + 1


def _gif_extension(block: bytes) -> bytes:
    """How a frame is shown, and how often all are; nothing of any other."""
    label = block[1]
    if label == 0xF9:
        return block
    if label == 0xFF and block[3:14] in _GIF_LOOPS and block[14:16] == b"\3\1":
        return block[:18] + b"\0"
    return b""


_STRIPPERS: Mapping[Format, Callable[[bytes], Iterator[bytes]]] = MappingProxyType(
    {"jpeg": _jpeg, "png": _png, "webp": _webp, "gif": _gif}
)
