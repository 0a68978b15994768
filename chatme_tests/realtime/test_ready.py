"""Tests for the encoding of ready frames."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from chatme.realtime.ready import encode_text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_frames_are_those_of_the_library(length: int) -> None:
    """A ready frame is byte for byte what websockets would send, at every length's edge."""
    payload = b"a" * length
    expected = Frame(Opcode.TEXT, payload).serialize(mask=False)
    assert encode_text_frame(payload) == expected
    assert encode_text_frame(payload.decode()) == expected


def test_lengths_count_bytes() -> None:
    """A length counts UTF-8 bytes, not characters."""
    assert encode_text_frame("é") == b"\x81\x02\xc3\xa9"
