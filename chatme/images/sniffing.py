"""What a file is by its first bytes: a small table, and whatever is not in it is just bytes."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final

UNKNOWN: Final = ("application/octet-stream", "bin")
TEXT: Final = ("text/plain", "txt")

_HEAD = 4096
# Each of these begins a file; a dot stands for any byte.
_MAGIC: Final = tuple(
    (re.compile(pattern, re.DOTALL), media_type, ending)
    for pattern, media_type, ending in (
        (rb"\xff\xd8\xff", "image/jpeg", "jpg"),
        (rb"\x89PNG\r\n\x1a\n", "image/png", "png"),
        (rb"GIF8[79]a", "image/gif", "gif"),
        (rb"RIFF....WEBP", "image/webp", "webp"),
        (rb"RIFF....WAVE", "audio/wav", "wav"),
        (rb"ID3|\xff[\xf2\xf3\xfa\xfb]", "audio/mpeg", "mp3"),
        (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac", "aac"),
        (rb"fLaC", "audio/flac", "flac"),
        (rb"OggS.{22,280}(?:OpusHead|\x01vorbis|\x7fFLAC|Speex   )", "audio/ogg", "ogg"),
        (rb"OggS.{22,280}\x80theora", "video/ogg", "ogv"),
        (rb"#!AMR", "audio/amr", "amr"),
        (rb"....ftypM4[AB]", "audio/mp4", "m4a"),
        (rb"....ftypqt  ", "video/quicktime", "mov"),
        (rb"....ftyp(?:isom|iso[2-9]|mp4[12]|avc1|M4V |dash|MSNV|3gp|3g2)", "video/mp4", "mp4"),
        (rb"\x1aE\xdf\xa3", "video/webm", "webm"),
        (rb"%PDF-", "application/pdf", "pdf"),
        (rb"PK(?:\x03\x04|\x05\x06)", "application/zip", "zip"),
        (rb"\x1f\x8b\x08", "application/gzip", "gz"),
        (rb"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "7z"),
    )
)
# Which track a Matroska or MP4 file has is told further in.
_WEBM_VIDEO = (b"V_VP8", b"V_VP9", b"V_AV1", b"V_MPEG4")
_WEBM_AUDIO = (b"A_OPUS", b"A_VORBIS")
_TRACKS = 65536
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def sniff_type(path: Path) -> tuple[str, str]:
    """A file's media type and the ending that goes with it, by its content alone.

    Text is plain text whatever it says, HTML and SVG included: nothing here is to be run.
    """
    with path.open("rb") as file:
        head = file.read(_TRACKS)
    for pattern, media_type, ending in _MAGIC:
        if pattern.match(head):
            return _without_video(head, media_type, ending)
    return TEXT if _is_text(head[:_HEAD]) else UNKNOWN


def _without_video(head: bytes, media_type: str, ending: str) -> tuple[str, str]:
    """Sound alone in a container that may hold video, as browsers record it."""
    if media_type == "video/webm":
        if b"webm" not in head[:64]:
            return "video/x-matroska", "mkv"
        if any(codec in head for codec in _WEBM_AUDIO) and not any(
            codec in head for codec in _WEBM_VIDEO
        ):
            return "audio/webm", "weba"
    if media_type == "video/mp4" and b"hdlr" in head:
        handlers = {head[at.end() + 8 : at.end() + 12] for at in re.finditer(b"hdlr", head)}
        if b"soun" in handlers and b"vide" not in handlers:
            return "audio/mp4", "m4a"
    return media_type, ending


def _is_text(head: bytes) -> bool:
    """Whether it reads as UTF-8 without controls; the last character may be cut."""
    if not head or _NOT_TEXT.search(head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
