"""Sounds for tests: as much of each kind of file as says how long it lasts."""

from __future__ import annotations

import struct
import wave
from io import BytesIO

OPUS = b"OpusHead\1\2" + struct.pack("<HIHB", 312, 48000, 0, 0)
"""An Opus stream's first packet: 312 samples are skipped (RFC 7845)."""
VORBIS = b"\1vorbis" + struct.pack("<IBI", 0, 2, 44100) + b"\0" * 14
"""A Vorbis stream's first packet: 44,100 samples a second."""


def wav(seconds: float, rate: int = 8000) -> bytes:
    """Silence, as Python writes it."""
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\0" * (4 * int(rate * seconds)))
    return out.getvalue()


def flac(samples: int, rate: int = 44100) -> bytes:
    """A FLAC's first block (RFC 9639, 8.2)."""
    packed = rate << 44 | 1 << 41 | 15 << 36 | samples
    return b"fLaC\x80\0\0\x22" + b"\0" * 10 + packed.to_bytes(8, "big") + b"\0" * 16


def ogg(first: bytes, samples: int) -> bytes:
    """Two pages, the last at a number of samples (RFC 3533)."""
    return _page(2, 0, first) + _page(4, samples, b"x" * 200)


def _page(flags: int, position: int, packet: bytes) -> bytes:
    head = b"OggS" + struct.pack("<BBqIIIB", 0, flags, position, 7, 0, 0, 1)
    return head + bytes([len(packet)]) + packet


def mp4(length: int, unit: int, version: int = 0) -> bytes:
    """An M4A whose movie header stands behind its data (ISO 14496-12)."""
    if version:
        times = struct.pack(">B3xQQIQ", 1, 0, 0, unit, length)
    else:
        times = struct.pack(">B3xIIII", 0, 0, 0, unit, length)
    moov = box(b"moov", box(b"udta", b"") + box(b"mvhd", times + b"\0" * 80))
    wide = struct.pack(">I4sQ", 1, b"mdat", 16 + 500) + b"\0" * 500
    return box(b"ftyp", b"M4A \0\0\0\0") + wide + moov


def box(kind: bytes, content: bytes) -> bytes:
    """One box of an MP4."""
    return struct.pack(">I4s", 8 + len(content), kind) + content
