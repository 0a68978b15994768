"""What clients call their files, read in every way that they write it, and made harmless."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

MAX_NAME: Final = 255
NAMELESS: Final = "file"

_PARAMETER = re.compile(rb';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*+"|[^;]*+)', re.DOTALL)
_EXTENDED = re.compile(rb"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE | re.DOTALL)  # RFC 8187
_KEPT_MARKS = "\u200c\u200d"  # Persian and family emoji need the joiners


def parameters_of(disposition: bytes) -> Mapping[bytes, bytes]:
    """The parameters of a part's ``Content-Disposition``, names in lower case."""
    found = {}
    for name, value in _PARAMETER.findall(disposition):
        text = value.strip()
        if text.startswith(b'"'):
            text = text[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")
        found[name.lower()] = text
    return found


def file_name(parameters: Mapping[bytes, bytes]) -> str | None:
    """What the client calls the file; nothing where the part is no file."""
    extended = _EXTENDED.fullmatch(parameters.get(b"filename*", b""))
    if extended:
        return unquote_to_bytes(extended[2]).decode(extended[1].decode(), "replace")
    if b"filename" not in parameters:
        return None
    # Browsers escape these three and nothing else.
    name = parameters[b"filename"].decode(errors="replace")
    return name.replace("%22", '"').replace("%0D", "").replace("%0A", "")


def clean_name(name: str) -> str:
    """A file's name fit to be shown and saved: no folders, no control or bidi characters, at most
    255 characters, its ending kept."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    kept = "".join(each for each in name if each in _KEPT_MARKS or _is_shown(each)).strip()
    if not kept.strip("." + _KEPT_MARKS):
        return NAMELESS
    if len(kept) <= MAX_NAME:
        return kept
    stem, dot, ending = kept.rpartition(".")
    ending = dot + ending if stem and len(ending) <= 16 else ""
    return kept[: MAX_NAME - len(ending)] + ending


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
