"""The words of REST's manual are about what there is."""

from __future__ import annotations

from chatme import errors
from chatme.errors import Code
from chatme.manual.rest import words

# What only frames are answered with.
OF_SOCKETS = {Code.BAD_FRAME, Code.UNKNOWN_EVENT}


def test_every_code_has_its_status() -> None:
    """Each code that HTTP answers with has a status: that of its error where it has one."""
    assert set(words.STATUSES) == set(Code) - OF_SOCKETS
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.ChatMeError):
            assert words.STATUSES[kind.code] == kind.status


def test_meanings_are_those_of_rest() -> None:
    """What a code means over HTTP is a sentence that speaks of no socket and no prefix."""
    for code in words.STATUSES:
        text = words.meaning(code)

        assert text.endswith(".")
        assert text[0].isupper()
        assert not text.startswith("Over ")
        assert "socket" not in text
        assert "frame" not in text


def test_headers_are_known() -> None:
    """Every header that comes by itself is described."""
    assert {
        *words.ALWAYS,
        *words.LIMITED,
        *(name for names in words.BY_STATUS.values() for name in names),
    } <= set(words.HEADERS)
    assert set(words.SEGMENTS.values()) <= set(words.TAGS)
