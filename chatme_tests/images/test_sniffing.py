"""Tests for types by content: what is not surely known is plain text or just bytes."""

from __future__ import annotations

import wave
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatme.images.sniffing import TEXT, UNKNOWN, sniff_type
from chatme_tests.images.gallery import hung, photo


def tone() -> bytes:
    """A WAV file."""
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(b"\x80" * 80)
    return out.getvalue()


def archive() -> bytes:
    """A ZIP file."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a", b"b")
    return out.getvalue()


def ogg(codec: bytes) -> bytes:
    """The first page of an Ogg stream."""
    return b"OggS\0\2" + b"\0" * 20 + b"\1" + bytes([len(codec) + 8]) + codec + b"\0" * 8


def matroska(kind: bytes, *codecs: bytes) -> bytes:
    """The beginning of a WebM or Matroska file."""
    return b"\x1aE\xdf\xa3\x9fB\x82\x84" + kind + b"".join(b"\x86\x85" + each for each in codecs)


def iso(brand: bytes, *handlers: bytes) -> bytes:
    """The beginning of an MP4 file."""
    return (
        b"\0\0\0\x18ftyp"
        + brand
        + b"\0\0\2\0"
        + b"".join(b"\0\0\0\x20hdlr\0\0\0\0\0\0\0\0" + each for each in handlers)
    )


@pytest.mark.parametrize(
    ("content", "media_type", "ending"),
    [
        (photo("JPEG"), "image/jpeg", "jpg"),
        (photo("PNG"), "image/png", "png"),
        (photo("WEBP"), "image/webp", "webp"),
        (photo("GIF"), "image/gif", "gif"),
        (tone(), "audio/wav", "wav"),
        (b"ID3\4\0", "audio/mpeg", "mp3"),
        (b"\xff\xfb\x90\x64", "audio/mpeg", "mp3"),
        (b"\xff\xf1\x50\x80", "audio/aac", "aac"),
        (b"fLaC\0\0\0\x22", "audio/flac", "flac"),
        (ogg(b"OpusHead"), "audio/ogg", "ogg"),
        (ogg(b"\x01vorbis"), "audio/ogg", "ogg"),
        (ogg(b"\x80theora"), "video/ogg", "ogv"),
        (b"#!AMR\n", "audio/amr", "amr"),
        (iso(b"M4A "), "audio/mp4", "m4a"),
        (iso(b"isom", b"soun"), "audio/mp4", "m4a"),
        (iso(b"isom", b"vide", b"soun"), "video/mp4", "mp4"),
        (iso(b"mp42"), "video/mp4", "mp4"),
        (iso(b"qt  "), "video/quicktime", "mov"),
        (matroska(b"webm", b"A_OPUS"), "audio/webm", "weba"),
        (matroska(b"webm", b"V_VP9", b"A_OPUS"), "video/webm", "webm"),
        (matroska(b"webm"), "video/webm", "webm"),
        (matroska(b"matroska", b"A_OPUS"), "video/x-matroska", "mkv"),
        (b"%PDF-1.7\n", "application/pdf", "pdf"),
        (archive(), "application/zip", "zip"),
        (b"\x1f\x8b\x08\0", "application/gzip", "gz"),
        (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "7z"),
        (b"hello\tworld\r\n", *TEXT),
        ("naïve 日本".encode(), *TEXT),
        (("x" * 4095 + "é").encode(), *TEXT),
        (b"<!doctype html><script>alert(1)</script>", *TEXT),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', *TEXT),
        (b"", *UNKNOWN),
        (b"MZ\x90\0", *UNKNOWN),
        (b"\xff\xfeh\0i\0", *UNKNOWN),
        (b"OggS\0\2", *UNKNOWN),
        (b"RIFF\0\0\0\0AVI ", *UNKNOWN),
        (b"caf\xe9 au lait", *UNKNOWN),
        (iso(b"heic"), *UNKNOWN),
        (b"\0\0\0\x18ftypevil", *UNKNOWN),
    ],
    ids=range(39),
)
def test_a_type_is_told_by_content(
    tmp_path: Path, content: bytes, media_type: str, ending: str
) -> None:
    """The first bytes tell the type, and never the name; a page is no more than its text."""
    assert sniff_type(hung(tmp_path, content, "file.html")) == (media_type, ending)


@given(st.binary(max_size=300))
def test_no_bytes_are_a_page(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever the bytes, their type is one that no browser runs."""
    media_type, ending = sniff_type(hung(tmp_path_factory.getbasetemp(), content, "any"))

    assert not any(word in media_type for word in ("html", "xml", "script", "svg"))
    assert ending.isalnum()
