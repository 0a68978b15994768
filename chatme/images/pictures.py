"""Pictures, by Pillow: what they are, whole and within bounds, without what else they tell.

A picture is what decodes as one to its last pixel; its name and its header say nothing. All here
takes its time: call it in a thread (`studio`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import structlog
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling
from PIL.PngImagePlugin import PngImageFile

from chatme.errors import ChatMeError, StorageFull, TooLarge, UnsupportedType
from chatme.images.stripping import Format, format_of, strip

log = structlog.stdlib.get_logger("chatme.images")

MAX_PIXELS: Final = 50_000_000
"""In one picture, and in all frames of a moving one."""
MAX_FRAMES: Final = 1000
THUMBNAIL: Final = 256

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
# Pillow calls a JPEG with more pictures behind the first, as phones make them, MPO.
_KINDS: Mapping[str, Format] = {
    "JPEG": "jpeg",
    "MPO": "jpeg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
}
_ORIENTATION = 0x0112
_TURNS: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to turn a picture upright, by its orientation; from 5 on width and height change places."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a file shows, as it is seen: turned as the camera was held."""

    format: Format
    width: int
    height: int

    @property
    def media_type(self) -> str:
        """Its type on the web."""
        return f"image/{self.format}"


def examine(path: Path) -> Picture:
    """What picture a file is, after decoding all of it.

    Raises `UnsupportedType` (415) for what is no JPEG, PNG, WebP or GIF, or a broken one, and
    `TooLarge` (413) over 50 megapixels, before they are decoded.
    """
    with _guarded(), _opened(path) as image:
        picture = _picture(image)
        for index in range(MAX_FRAMES + 1):
            if index and not _next_frame(image, picture, index):
                return picture
            _check_size(image, index)
            _make_light(image)
            image.load()
        raise TooLarge(f"A moving picture has at most {MAX_FRAMES} frames.")


def clean(path: Path, out: Path) -> Picture:
    """Writes the picture to ``out`` without metadata, turned as the camera was held.

    Its pixels stay as they are, unless they must be turned. Raises as `examine` does, and
    `StorageFull`; then there may be a part of ``out``.
    """
    with _guarded():
        data = path.read_bytes()
        kind = format_of(data)
        if kind is None:
            raise _no_picture()
        # First of all: it bounds what the decoder will have to go through.
        stripped = strip(data, kind)
        with _opened(path) as image:
            orientation = _orientation(image)
        with _created(out) as file:
            file.write(stripped)
    found = examine(out)
    if orientation == 1 or not _turn(out, orientation):
        return found
    return examine(out)


def thumbnail(path: Path, out: Path, size: int = THUMBNAIL) -> Picture:
    """Writes a small WebP of the picture's first frame, so many pixels at most each way.

    For a picture that was examined; raises as `clean` does.
    """
    with _guarded(), _opened(path) as image:
        _check_size(image, 0)
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        small = image.convert("RGBA" if image.has_transparency_data else "RGB")
        with _created(out) as file:
            small.save(file, "WEBP", quality=80, method=4, icc_profile=profile)
        return Picture("webp", *small.size)


@contextmanager
def _guarded() -> Iterator[None]:
    """Tells a bad picture from a bad disk, whatever it sets off in a decoder."""
    try:
        yield
    except ChatMeError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            if StorageFull.told_by(error):
                raise StorageFull from None
            raise
        raise _no_picture() from None


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with Image.open(path, formats=_FORMATS) as image:
        _check_size(image, 0)
        yield image


@contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        yield file


def _picture(image: Image.Image) -> Picture:
    kind = _KINDS[image.format or ""]
    width, height = image.size
    if _orientation(image) >= 5 and not _moves(image):
        width, height = height, width
    return Picture(kind, width, height)


def _moves(image: Image.Image) -> bool:
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _orientation(image: Image.Image) -> int:
    """How the camera was held (EXIF), 1 to 8; upright where nothing sensible is said."""
    if isinstance(image, PngImageFile):
        # Its EXIF may stand behind the pixels: Pillow decodes them for it, and forgets a fault of
        # theirs that is caught below.
        image.load()
    try:
        value = image.getexif().get(_ORIENTATION)
    except Exception:
        log.debug("a picture's EXIF cannot be read", exc_info=True)
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _next_frame(image: Image.Image, picture: Picture, index: int) -> bool:
    if picture.format == "jpeg":
        return False
    try:
        image.seek(index)
    except EOFError:
        return False
    return True


def _check_size(image: Image.Image, index: int) -> None:
    width, height = image.size
    if width * height * (index + 1) > MAX_PIXELS:
        raise _too_many_pixels()


def _make_light(image: Image.Image) -> None:
    """A JPEG is read to its end and drawn at an eighth of its size, in a fraction of the memory."""
    image.draft(None, (image.width // 8, image.height // 8))


def _no_picture() -> UnsupportedType:
    return UnsupportedType("This is not a picture, or a broken one.")


def _too_many_pixels() -> TooLarge:
    return TooLarge(f"A picture has at most {MAX_PIXELS // 10**6} megapixels.")


def _turn(path: Path, orientation: int) -> bool:
    """Turns a picture in place; not one that moves, which no camera makes."""
    with _guarded():
        found = _turned(path, orientation)
        if found is None:
            return False
        turned, name, options = found
        with _created(path) as file:
            turned.save(file, name, **options)
    return True


def _turned(path: Path, orientation: int) -> tuple[Image.Image, str | None, dict[str, Any]] | None:
    """A turned copy and how to write it; the picture itself and its decoder are let go of."""
    with _opened(path) as image:
        if _moves(image):
            return None
        options = _quality(image)
        turned = image.transpose(_TURNS[orientation])
        turned.info = {k: v for k, v in image.info.items() if k == "transparency"}
        options["icc_profile"] = image.info.get("icc_profile")
        return turned, image.format, options


def _quality(image: Image.Image) -> dict[str, Any]:
    """How to write a picture again so that little is lost."""
    if isinstance(image, JpegImageFile):
        return {"qtables": image.quantization, "subsampling": get_sampling(image)}
    return {"quality": 95} if image.format == "WEBP" else {}
