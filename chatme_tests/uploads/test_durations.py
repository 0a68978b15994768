"""How long sounds last: what files say, and nothing where they say nonsense."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatme.images.sniffing import sniff_type
from chatme.uploads.durations import LONGEST, duration
from chatme_tests.uploads.sounds import OPUS, VORBIS, box, flac, mp4, ogg, wav

SOUNDS = {
    "audio/wav": wav(0.25),
    "audio/flac": flac(44100),
    "audio/ogg": ogg(OPUS, 96312),
    "audio/mp4": mp4(3000, 600),
}


def _lasts(content: bytes, media_type: str) -> float | None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        path.write_bytes(content)
        return duration(path, media_type)


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (wav(2.5), 2.5),
        (wav(0.001, 48000), 0.001),
        (wav(1)[:40] + b"\xff\xff\xff\xff" + wav(1)[44:], 1.0),
        (wav(1)[:12] + b"LIST\3\0\0\0abc\0" + wav(1)[12:], 1.0),
        (flac(44100 * 90), 90.0),
        (flac(2**35, 192000), 178956.971),
        (ogg(OPUS, 48000 * 2 + 312), 2.0),
        (ogg(VORBIS, 44100 * 61), 61.0),
        (mp4(90_500, 1000), 90.5),
        (mp4(90_500, 1000, version=1), 90.5),
        (box(b"ftyp", b"M4A ") + b"\0\0\0\0" + mp4(90_500, 1000)[-120:], 90.5),
    ],
)
def test_a_sound_says_how_long_it_lasts(tmp_path: Path, content: bytes, seconds: float) -> None:
    """It is read from where its kind of file says it, to the millisecond."""
    path = tmp_path / "sound"
    path.write_bytes(content)
    media_type, _ = sniff_type(path)

    assert media_type in SOUNDS
    assert duration(path, media_type) == seconds


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", "audio/wav"),
        (wav(1)[:30], "audio/wav"),
        (wav(1)[:28] + b"\0\0\0\0" + wav(1)[32:], "audio/wav"),
        (wav(1)[:12] + b"LIST\0\0\0\0" * 2000 + wav(1)[12:], "audio/wav"),
        (flac(0), "audio/flac"),
        (flac(44100, rate=0), "audio/flac"),
        (ogg(OPUS, -1), "audio/ogg"),
        (ogg(b"Speex   ", 99), "audio/ogg"),
        (ogg(VORBIS, int(44100 * (LONGEST + 1))), "audio/ogg"),
        (mp4(5, 0), "audio/mp4"),
        (mp4(0xFFFFFFFF, 1), "audio/mp4"),
        (mp4(5, 5)[:40], "audio/mp4"),
        (box(b"ftyp", b"M4A "), "audio/mp4"),
        (box(b"moov", box(b"free", b"")), "audio/mp4"),
        (box(b"free", b"") * 2000 + mp4(5, 5), "audio/mp4"),
        (b"\0\0\0\7free", "audio/mp4"),
        (b"\0\0\0\0moov", "audio/mp4"),
        (b"ID3", "audio/mpeg"),
        (b"tea", "text/plain"),
    ],
)
def test_what_says_nothing_sensible_lasts_nobody_knows_how_long(
    content: bytes, media_type: str
) -> None:
    """A file that is cut, empty, endless or of another kind has no duration."""
    assert _lasts(content, media_type) is None


@given(st.sampled_from(sorted(SOUNDS)), st.data())
def test_no_file_breaks_it(media_type: str, data: st.DataObject) -> None:
    """Whatever stands in a sound's place, the answer is a sane number or nothing."""
    content = bytearray(SOUNDS[media_type])
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    found = _lasts(bytes(content[: data.draw(st.integers(0, len(content)))]), media_type)

    assert found is None or 0 <= found <= LONGEST
