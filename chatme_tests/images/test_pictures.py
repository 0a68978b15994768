"""Tests for pictures: what decodes whole and within bounds, upright, and tells nothing else."""

from __future__ import annotations

import os
import resource
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence
from PIL.JpegImagePlugin import JpegImageFile

from chatme.errors import ChatMeError, StorageFull, TooLarge, UnsupportedType
from chatme.images.pictures import MAX_FRAMES, Picture, clean, examine, thumbnail
from chatme.images.stripping import Format
from chatme_tests.images.gallery import (
    COLOURS,
    PROFILE,
    SECRET,
    hung,
    moving,
    photo,
    png,
    quarters,
    written,
)

# Pillow warns of EXIF that makes no sense, and goes on.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

KINDS: tuple[Format, ...] = ("jpeg", "png", "webp", "gif")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>x()</script></svg>'


def frames(path: Path) -> int:
    """How many frames a picture has."""
    with Image.open(path) as image:
        return len(list(ImageSequence.all_frames(image)))


def corners(path: Path) -> list[int]:
    """Which of the four colours is in each corner, clockwise from the top left."""
    with Image.open(path) as image:
        seen = image.convert("RGB")
        right, bottom = seen.width - 9, seen.height - 9
        found = [seen.getpixel(at) for at in ((8, 8), (right, 8), (right, bottom), (8, bottom))]
    assert all(isinstance(each, tuple) for each in found)

    def distance(one: object, other: tuple[int, ...]) -> int:
        assert isinstance(one, tuple)
        return sum(abs(a - b) for a, b in zip(one, other, strict=True))

    return [min(range(4), key=lambda i: distance(each, COLOURS[i])) for each in found]


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_known_by_its_content(tmp_path: Path, kind: Format) -> None:
    """Format, size and type come from the content, whatever the file is called."""
    picture = examine(hung(tmp_path, photo(kind.upper()), "picture.html"))

    assert picture == Picture(kind, 64, 48)
    assert picture.media_type == f"image/{kind}"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_picture_is_turned_upright(tmp_path: Path, kind: Format, orientation: int) -> None:
    """A picture looks without its EXIF as it did with it, and its size is as it is seen."""
    turned = [
        *([0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]),
        *([0, 3, 2, 1], [3, 0, 1, 2], [2, 1, 0, 3], [1, 2, 3, 0]),
    ]
    source = hung(tmp_path, photo(kind.upper(), orientation=orientation))
    picture = clean(source, out := tmp_path / "out")

    assert picture == examine(source) == examine(out)
    assert (picture.width, picture.height) == ((64, 48) if orientation < 5 else (48, 64))
    assert corners(out) == turned[orientation - 1]
    assert SECRET not in out.read_bytes()
    with Image.open(out) as image:
        assert image.info["icc_profile"] == PROFILE
        assert not image.getexif()


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "I;16"])
def test_every_kind_of_png_is_kept(tmp_path: Path, mode: str, orientation: int) -> None:
    """Grey, transparent and 16-bit pictures stay what they are."""
    image = quarters(mode="RGB" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.frombytes("I;16", (64, 48), bytes(range(256)) * 24)
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = hung(tmp_path, written(image, "PNG", exif=exif))
    clean(source, out := tmp_path / "out")
    small = thumbnail(out, tmp_path / "small")

    with Image.open(out) as cleaned:
        assert cleaned.mode == mode
    assert small.format == "webp"


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_a_turned_jpeg_keeps_its_quality(tmp_path: Path, mode: str) -> None:
    """Turning a JPEG writes it with the tables it had."""
    data = photo("JPEG", orientation=6, mode=mode, quality=97, subsampling=0)
    clean(hung(tmp_path, data), out := tmp_path / "out")

    with Image.open(BytesIO(data)) as before, Image.open(out) as after:
        assert isinstance(before, JpegImageFile)
        assert isinstance(after, JpegImageFile)
        assert after.quantization == before.quantization
        assert (after.mode, after.layer) == (mode, before.layer)


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_picture_goes_on_moving(tmp_path: Path, kind: Format) -> None:
    """Every frame of a moving picture is kept."""
    source = hung(tmp_path, moving(kind.upper()))

    assert clean(source, tmp_path / "out") == Picture(kind, 32, 32)
    assert frames(tmp_path / "out") == 3


def test_a_moving_picture_is_not_turned(tmp_path: Path) -> None:
    """No camera makes moving pictures: what their EXIF says is dropped and no frame is lost."""
    exif = Image.Exif()
    exif[0x0112] = 6
    source = hung(tmp_path, moving("WEBP", exif=exif.tobytes()))

    assert clean(source, tmp_path / "out") == Picture("webp", 32, 32)
    assert frames(tmp_path / "out") == 3


def test_a_phones_picture_is_a_jpeg(tmp_path: Path) -> None:
    """A JPEG with more pictures behind the first is that first one."""
    data = written(quarters(), "MPO", save_all=True, append_images=[quarters(8, 8)])

    assert clean(hung(tmp_path, data), tmp_path / "out") == Picture("jpeg", 64, 48)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        SVG,
        b"<!doctype html><script>x()</script>",
        b"GIF89a<script>x()</script>",
        b"\xff\xd8\xff" + SVG,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
        b"RIFF\0\0\0\0WEBP",
        b"%PDF-1.7\n" + b"x" * 100,
        written(quarters(), "BMP"),
        written(quarters(), "TIFF"),
        written(quarters(), "ICO"),
        png(64, 64, b"\0" * 65)[:-20],
        png(0, 64),
        png(2**31 - 1, 0),
        SVG + photo("PNG"),
        b"PK\3\4" + photo("JPEG"),
    ],
    ids=range(17),
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    """SVG, HTML, other formats and mere beginnings are a 415, however they are dressed up."""
    path = hung(tmp_path, content, "picture.png")

    with pytest.raises(UnsupportedType):
        examine(path)
    with pytest.raises(UnsupportedType):
        clean(path, tmp_path / "out")


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_picture_is_refused(tmp_path: Path, kind: Format) -> None:
    """A picture that lacks its end is broken, wherever it was cut."""
    data = photo(kind.upper())
    with Image.open(BytesIO(data)) as image:
        image.load()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        path = hung(tmp_path, data[: int(len(data) * share)])
        with pytest.raises(UnsupportedType):
            examine(path)
        with pytest.raises(UnsupportedType):
            clean(path, tmp_path / "out")


@pytest.mark.parametrize(
    "content",
    [
        png(50_001, 1000),
        png(7072, 7072, b"\0" * 7072),
        png(100_000, 100_000, b"\0" * 10_000_000),
        png(2**31 - 1, 2**31 - 1),
        png(30_000, 30_000, depth=1),
        b"GIF89a\xff\xff\xff\xff\0\0\0\x2c" + b"\0" * 9 + b"\2\2\x4c\1\0;",
    ],
    ids=range(6),
)
def test_too_many_pixels_are_never_decoded(tmp_path: Path, content: bytes) -> None:
    """Over 50 megapixels the answer is a 413, before their memory is taken."""
    path = hung(tmp_path, content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for look in (examine, lambda path: clean(path, path), lambda path: thumbnail(path, path)):
        with pytest.raises(TooLarge):
            look(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 * 1024


def test_fifty_megapixels_are_allowed(tmp_path: Path) -> None:
    """A picture of exactly the limit is taken."""
    rows = b"\0" * (1000 * (50_000 // 8 + 1))

    assert examine(hung(tmp_path, png(50_000, 1000, rows, depth=1))).width == 50_000


def test_a_large_jpeg_takes_little_memory(tmp_path: Path) -> None:
    """All of a JPEG's data is read, but its pixels are not all drawn to see that it is whole."""
    grey = hung(tmp_path, written(Image.new("L", (7000, 7000), 99), "JPEG"))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory("VmRSS")

    assert examine(grey) == Picture("jpeg", 7000, 7000)
    assert _memory("VmHWM") - before < 16 * 1024


def _memory(what: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{what}:")[2].split()[0])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_frames_of_a_moving_picture_count_together(tmp_path: Path, kind: str) -> None:
    """Small files of many large frames are a 413: every frame must be decoded by somebody."""
    side, frames = 2500, 9
    images = [Image.new("1", (side, side), i % 2) for i in range(frames)]
    data = written(images[0], kind, save_all=True, append_images=images[1:], duration=50)

    with pytest.raises(TooLarge):
        examine(hung(tmp_path, data))


def test_frames_without_end_are_refused(tmp_path: Path) -> None:
    """A file of countless tiny frames is a 413."""
    one = written(Image.new("P", (1, 1)), "GIF")
    start = 13 + (3 << (one[10] & 7) + 1)
    many = one[:start] + one[start:-1] * (MAX_FRAMES + 1) + b";"
    most = one[:start] + one[start:-1] * MAX_FRAMES + b";"

    assert examine(hung(tmp_path, most)).format == "gif"
    with pytest.raises(TooLarge):
        examine(hung(tmp_path, many))


def test_a_frame_larger_than_its_screen_is_counted(tmp_path: Path) -> None:
    """A frame that leaves the size that the GIF names does not get around the limit."""
    small, large = written(Image.new("P", (1, 1)), "GIF"), bytearray(b"\x2c\0\0\0\0")
    large += b"\xff\xff\xff\xff\0\2\2\x4c\1\0"
    path = hung(tmp_path, small[:-1] + bytes(large) + b";")

    with pytest.raises(ChatMeError) as caught:
        clean(path, tmp_path / "out")
    assert caught.value.status in (413, 415)


@pytest.mark.parametrize("kind", KINDS)
def test_a_polyglot_ends_with_its_picture(tmp_path: Path, kind: Format) -> None:
    """What is hung behind a picture, an archive or a page, is cut off."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("evil.class", b"x" * 100)
    source = hung(tmp_path, photo(kind.upper()) + b"<script>x()</script>" + archive.getvalue())

    assert zipfile.is_zipfile(source)
    clean(source, out := tmp_path / "out")
    assert not zipfile.is_zipfile(out)
    assert b"<script>" not in out.read_bytes()


@pytest.mark.parametrize("bad", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"x" * 30])
def test_broken_exif_breaks_no_picture(tmp_path: Path, bad: bytes) -> None:
    """EXIF that makes no sense is dropped like any other."""
    segment = b"\xff\xe1" + (len(bad) + 2).to_bytes(2, "big") + bad
    plain = written(quarters(), "JPEG")

    assert clean(hung(tmp_path, plain[:2] + segment + plain[2:]), tmp_path / "out").width == 64
    assert (tmp_path / "out").read_bytes() == plain


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_thumbnail_is_small(tmp_path: Path, kind: Format, mode: str) -> None:
    """A thumbnail is a WebP of at most 256 pixels each way, in the picture's proportions."""
    source = hung(tmp_path, written(quarters(1024, 256, mode), kind.upper()))
    found = thumbnail(source, out := tmp_path / "small")

    assert found == examine(out) == Picture("webp", 256, 64)
    assert corners(out) == [0, 1, 2, 3] if mode == "RGB" else out.stat().st_size < 2000
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_thumbnail_has_the_size_that_is_asked_for(tmp_path: Path) -> None:
    """A larger one is made where it is asked for, and never larger than the picture."""
    source = hung(tmp_path, written(quarters(1024, 256), "PNG"))

    assert thumbnail(source, tmp_path / "small", 512) == Picture("webp", 512, 128)
    assert thumbnail(source, tmp_path / "small", 4096) == Picture("webp", 1024, 256)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK"])
def test_a_thumbnail_keeps_what_is_seen(tmp_path: Path, mode: str) -> None:
    """Transparency stays, inks become light, and small pictures are not blown up."""
    image = quarters(mode=mode)
    if mode.endswith("A"):
        image.putalpha(99)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    thumbnail(hung(tmp_path, written(image, kind)), out := tmp_path / "small")

    with Image.open(out) as small:
        assert (small.size, small.has_transparency_data) == ((64, 48), mode.endswith("A"))


def test_a_thumbnail_of_a_wide_gamut_stays_true(tmp_path: Path) -> None:
    """The colour profile goes along, where it still fits."""
    thumbnail(hung(tmp_path, photo("JPEG")), out := tmp_path / "small")

    with Image.open(out) as image:
        assert image.info["icc_profile"] == PROFILE


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk with so little room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_from_a_bad_picture(tmp_path: Path) -> None:
    """Where there is no room the picture is not to blame, nor where there is no file."""
    noise = Image.frombytes("RGB", (256, 256), os.urandom(256 * 256 * 3))
    source = hung(tmp_path, written(noise, "JPEG"))

    with files_of_at_most(1000):
        with pytest.raises(StorageFull):
            clean(source, tmp_path / "out")
        with pytest.raises(StorageFull):
            thumbnail(source, tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        examine(tmp_path / "missing")


def test_broken_pixels_are_found_whatever_is_asked_before(tmp_path: Path) -> None:
    """A PNG whose pixels are damaged is refused, though its EXIF, asked for first, decoded them."""
    whole = photo("PNG")
    at = whole.index(b"IEND") - 12
    bad = hung(tmp_path, whole[:at] + b"\0" + whole[at + 1 :], "bad")
    with pytest.raises(UnsupportedType):
        examine(bad)
    with pytest.raises(UnsupportedType):
        clean(bad, tmp_path / "out")


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(KINDS), st.data())
def test_any_damage_is_told(
    tmp_path_factory: pytest.TempPathFactory, kind: Format, data: st.DataObject
) -> None:
    """Whatever is wrong with a picture, it is taken, a 413 or a 415, and what is taken decodes."""
    folder = tmp_path_factory.getbasetemp()
    bad, taken = bytearray(photo(kind.upper())), []
    for at in data.draw(st.lists(st.integers(0, len(bad) - 1), min_size=1, max_size=5)):
        bad[at : at + 1] = data.draw(st.binary(min_size=0, max_size=3))
    with suppress(TooLarge, UnsupportedType):
        picture = clean(hung(folder, bytes(bad), "bad"), folder / "out")
        taken.append(picture)
    for picture in taken:
        assert examine(folder / "out") == picture
        assert thumbnail(folder / "out", folder / "small").format == "webp"
