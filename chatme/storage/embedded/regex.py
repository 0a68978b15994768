"""MongoDB's regular expressions (PCRE) as Python's, where the two surely mean the same. Pure.

What they read differently is refused by name. Character classes (`\\w \\d \\s \\b`) are ASCII in
MongoDB, so a pattern with them is compiled for ASCII, which also folds case for ASCII only:
together with the option `i` they are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from bson import Regex

from chatme.storage.embedded.errors import BAD_VALUE, Refusal, UnsupportedError

_OPTIONS: Mapping[str, re.RegexFlag] = MappingProxyType(
    {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
)
_CLASS = re.compile(r"\\[wWdDsSbB]")
_FOREIGN = re.compile(r"\\[a-zA-Z]|\[\[?:|\(\*|\(\?[^:=!<)imsx-]|[*+?}]\+")
_KNOWN = frozenset(
    [
        r"\w",
        r"\W",
        r"\d",
        r"\D",
        r"\s",
        r"\S",
        r"\b",
        r"\B",
        r"\n",
        r"\r",
        r"\t",
        r"\f",
        r"\a",
        r"\x",
        r"\A",
    ]
)
_SPECIAL = frozenset("\\^$.|?*+()[]{}")


def compile_regex(value: Regex[str] | str, options: str = "") -> re.Pattern[str]:
    """Compile a pattern with its options.

    Raises:
        Refusal: the pattern or an option is not valid.
        UnsupportedError: the pattern uses what PCRE and Python read differently.
    """
    pattern, flags = _parts(value)
    for option in options:
        if option not in _OPTIONS:
            raise Refusal(BAD_VALUE, f"invalid flag in regex options: {option}")
        flags |= _OPTIONS[option]
    for found in _FOREIGN.findall(pattern.replace("\\\\", "")):
        if found not in _KNOWN:
            raise UnsupportedError(f"{found} in a regular expression")
    if _CLASS.search(pattern.replace("\\\\", "")):
        if flags & re.IGNORECASE:
            raise UnsupportedError("character classes with the option i in a regular expression")
        flags |= re.ASCII
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise Refusal(51091, f"Regular expression is invalid: {error}") from error


def literal_prefix(pattern: re.Pattern[str]) -> str:
    """The text with which every match begins, as an index range can use it; else empty."""
    text = pattern.pattern
    if not text.startswith("^") or pattern.flags & (re.IGNORECASE | re.MULTILINE | re.VERBOSE):
        return ""
    if "|" in text:
        return ""
    prefix: list[str] = []
    place = 1
    while place < len(text):
        character = text[place]
        if character == "\\" and place + 1 < len(text) and not text[place + 1].isalnum():
            place += 1
            character = text[place]
        elif character in _SPECIAL:
            # A repetition sign makes the character before it optional.
            return "".join(prefix[:-1] if character in "?*{" else prefix)
        prefix.append(character)
        place += 1
    return "".join(prefix)


def _parts(value: Regex[str] | str) -> tuple[str, int]:
    if isinstance(value, str):
        return value, 0
    if not isinstance(value.pattern, str):
        raise UnsupportedError("a regular expression of bytes")
    known = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE
    if value.flags & ~(known | re.UNICODE):
        raise UnsupportedError("a regular expression with the option l")
    return value.pattern, value.flags & known
