"""Tests for files without metadata: the same picture, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from chatme.images.stripping import MAX_PARTS, MAX_SCANS, Broken, Format, format_of, strip
from chatme_tests.images.gallery import PROFILE, SECRET, moving, photo, quarters, written

KINDS: tuple[Format, ...] = ("jpeg", "png", "webp", "gif")
PHOTOS: dict[Format, bytes] = {
    "jpeg": photo("JPEG"),
    "png": photo("PNG"),
    "webp": photo("WEBP"),
    "gif": photo("GIF"),
}
FILES = [
    *PHOTOS.items(),
    ("jpeg", photo("JPEG", progressive=True)),
    ("jpeg", written(quarters(mode="L"), "JPEG", restart_marker_blocks=2)),
    ("jpeg", written(quarters(mode="CMYK"), "JPEG")),
    ("png", written(quarters(mode="P"), "PNG", transparency=0)),
    ("png", written(quarters(mode="RGBA"), "PNG")),
    ("webp", written(quarters(mode="RGBA"), "WEBP", lossless=True)),
    ("webp", moving("WEBP", exif=b"Exif\0\0" + SECRET, xmp=SECRET)),
    ("gif", moving("GIF", comment=SECRET)),
    ("png", moving("PNG")),
]


def frames(data: bytes) -> list[Image.Image]:
    """Every frame, as it is seen."""
    with Image.open(BytesIO(data)) as image:
        seen = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            seen.append(image.convert("RGBA"))
        return seen


@pytest.mark.parametrize(("kind", "data"), FILES, ids=range(len(FILES)))
def test_the_picture_stays_and_the_rest_goes(kind: Format, data: bytes) -> None:
    """Every frame is the same to the pixel; places, names, comments and what hangs behind go."""
    stripped = strip(data + SECRET + b"PK\3\4<script>", kind)
    pairs = zip(frames(data), frames(stripped), strict=True)

    assert SECRET not in stripped
    assert b"<script>" not in stripped
    assert b"xmp" not in stripped.lower()
    assert all(ImageChops.difference(*pair).getbbox() is None for pair in pairs)
    assert strip(stripped, kind) == stripped


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_colours_stay_true(kind: Format) -> None:
    """A colour profile is a part of the picture."""
    with Image.open(BytesIO(strip(PHOTOS[kind], kind))) as image:
        assert image.info["icc_profile"] == PROFILE
        assert not image.getexif()


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_a_picture_goes_on_moving(kind: Format) -> None:
    """How long each frame is shown, and how often all are, stays."""

    def timing(data: bytes) -> list[object]:
        with Image.open(BytesIO(data)) as image:
            found: list[object] = [image.info.get("loop")]
            for index in range(3):
                image.seek(index)
                image.load()
                found.append(image.info["duration"])
            return found

    data = moving(kind.upper())

    assert timing(strip(data, kind)) == timing(data) == [0, 100, 110, 120]


def test_a_thumbnail_within_goes() -> None:
    """A JPEG's own thumbnail, which may show what was cut off, is dropped."""
    plain = written(quarters(), "JPEG")
    size = 16 + 3 * len(SECRET)
    jfif = b"\xff\xe0" + size.to_bytes(2, "big") + plain[6:18] + bytes((len(SECRET), 1))
    jfxx = b"\xff\xe0" + (8 + len(SECRET)).to_bytes(2, "big") + b"JFXX\0\x10" + SECRET
    data = plain[:2] + jfif + SECRET * 3 + jfxx + plain[20:]

    assert strip(data, "jpeg") == strip(plain, "jpeg")


def test_more_pictures_behind_the_first_go() -> None:
    """What phones hang behind a JPEG (MPO) is cut off with all it tells."""
    data = written(quarters(), "MPO", save_all=True, append_images=[quarters()], comment=SECRET)

    assert len(strip(data, "jpeg")) < len(data) / 2 + 100


def test_junk_between_the_parts_goes() -> None:
    """Bytes of no part, which decoders skip, are not copied."""
    jpeg, gif = written(quarters(), "JPEG"), written(quarters(mode="P"), "GIF")
    first = gif.index(b"\x21\xf9") if b"\x21\xf9" in gif else gif.index(b"\x2c\0\0\0\0")

    assert strip(jpeg[:2] + SECRET + jpeg[2:], "jpeg") == strip(jpeg, "jpeg")
    assert strip(jpeg[:2] + b"\xff\x01\xff\xff\xff" + jpeg[3:], "jpeg") == strip(jpeg, "jpeg")
    assert strip(gif[:first] + b"\0zz" + gif[first:], "gif") == strip(gif, "gif")
    assert strip(gif[:-1], "gif") == gif


def test_a_gif_says_no_more_than_how_often() -> None:
    """Of a GIF's extensions only those stay that draw, and of these only what is meant."""
    plain = written(quarters(mode="P"), "GIF")
    start = 13 + (3 << (plain[10] & 7) + 1)  # after the colours
    loop = b"\x21\xff\x0bNETSCAPE2.0\3\1\5\0"
    text = b"\x21\x01\x0c" + b"0" * 12 + bytes([len(SECRET)]) + SECRET + b"\0"
    other = b"\x21\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\0"
    loaded = plain[:start] + loop + b"\x10" + SECRET + b"\0" + text + other + plain[start:]

    assert strip(plain, "gif") == plain
    assert strip(loaded, "gif") == plain[:start] + loop + b"\0" + plain[start:]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_short_is_broken(kind: Format) -> None:
    """A file that ends within a part is broken, and no fault of ours."""
    data = PHOTOS[kind]
    lengths = range(len(data) - 2) if kind != "gif" else range(13)
    for length in lengths:
        with pytest.raises(Broken):
            strip(data[:length], kind)


def test_parts_without_end_are_broken() -> None:
    """A file of countless small parts, or scans, would keep a decoder busy: it is refused."""
    jpeg, gif = PHOTOS["jpeg"], written(Image.new("P", (1, 1)), "GIF")
    start = 13 + (3 << (gif[10] & 7) + 1)
    scan = written(quarters(), "JPEG")
    scan = scan[scan.index(b"\xff\xda") : -2]
    bombs: tuple[tuple[Format, bytes], ...] = (
        ("jpeg", jpeg[:2] + b"\xff\xfe\0\2" * MAX_PARTS + jpeg[2:]),
        ("jpeg", jpeg[:2] + b"\xff\x01" * MAX_PARTS + jpeg[2:]),
        ("jpeg", jpeg[:-2] + scan * MAX_SCANS + jpeg[-2:]),
        ("png", PHOTOS["png"][:33] + b"\0\0\0\0tEXtxxxx" * MAX_PARTS + PHOTOS["png"][33:]),
        ("gif", gif[:start] + b"\0" * MAX_PARTS + gif[start:]),
        ("gif", gif[:start] + b"\x21\xfe\0" * MAX_PARTS + gif[start:]),
    )
    for kind, bomb in bombs:
        with pytest.raises(Broken):
            strip(bomb, kind)
    with pytest.raises(Broken):
        strip(webp(PHOTOS["webp"][12:] + b"JUNK\0\0\0\0" * (MAX_PARTS + 1)), "webp")


def webp(chunks: bytes) -> bytes:
    """A WebP file of these chunks."""
    return b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks


def test_frames_within_frames_go() -> None:
    """A frame holds a picture and no other frames, however deep they are nested."""
    nested = b""
    for _ in range(3000):
        nested = b"ANMF" + (len(nested) + 16).to_bytes(4, "little") + b"\0" * 16 + nested

    assert strip(webp(nested), "webp") == webp(b"ANMF\x10\0\0\0" + b"\0" * 16)


@pytest.mark.parametrize("segment", [b"\xff\xfe\0\1", b"\xff\xd8", b"\xff\xfe\xff\xff"])
def test_a_segment_that_cannot_be_is_broken(segment: bytes) -> None:
    """A segment shorter than its own length, a second beginning, and one beyond the end."""
    with pytest.raises(Broken):
        strip(PHOTOS["jpeg"][:2] + segment + PHOTOS["jpeg"][2:], "jpeg")


@pytest.mark.parametrize("kind", KINDS)
def test_a_format_is_told_by_its_first_bytes(kind: Format) -> None:
    """A file says what it is, or is nothing."""
    assert format_of(PHOTOS[kind]) == kind
    assert format_of(b" " + PHOTOS[kind]) is None
    assert format_of(b"") is None


@given(st.sampled_from(KINDS), st.data())
def test_any_bytes_are_stripped_or_broken(kind: Format, data: st.DataObject) -> None:
    """Whatever the bytes, the answer is a file or `Broken`."""
    good = PHOTOS[kind]
    bad = bytearray(good[: data.draw(st.integers(0, len(good)))])
    for at in data.draw(st.lists(st.integers(0, max(0, len(bad) - 1)), max_size=5)):
        bad[at : at + 1] = data.draw(st.binary(min_size=1, max_size=2))
    with suppress(Broken):
        assert len(strip(bytes(bad), kind)) <= len(bad) + 20
