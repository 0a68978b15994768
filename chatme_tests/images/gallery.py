"""Pictures for tests, good and bad."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin
from PIL.ExifTags import GPS, IFD, Base

SECRET = b"52-Secret-Street"
"""What no stripped file may hold."""
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))


def quarters(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """Red, green, blue and yellow, clockwise from the top left."""
    image = Image.new("RGB", (width, height))
    half, middle = width // 2, height // 2
    for colour, place in zip(
        COLOURS,
        ((0, 0), (half, 0), (half, middle), (0, middle)),
        strict=True,
    ):
        image.paste(colour, (*place, place[0] + half, place[1] + middle))
    return image.convert(mode)


def secrets(orientation: int = 1) -> bytes:
    """EXIF with a place, a maker and how the camera was held."""
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    exif[Base.Make] = SECRET.decode()
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSAreaInformation] = SECRET
    return exif.tobytes()


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as a file."""
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def photo(kind: str, *, orientation: int = 1, mode: str = "RGB", **options: Any) -> bytes:
    """A picture with all that a camera or an editor writes beside it."""
    if kind == "GIF":
        return written(quarters(mode="P"), kind, comment=SECRET)
    options["exif"] = secrets(orientation)
    if mode == "RGB":
        options["icc_profile"] = PROFILE
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Author", SECRET.decode())
        options["pnginfo"].add_itxt("Place", SECRET.decode())
    else:
        options["xmp"] = b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"
    if kind == "JPEG":
        options["comment"] = SECRET
    return written(quarters(mode=mode), kind, **options)


def moving(kind: str, frames: int = 3, size: int = 32, **options: Any) -> bytes:
    """A picture that moves."""
    images = [Image.new("RGB", (size, size), (40 * i, 255 - 20 * i, 90)) for i in range(frames)]
    durations = [100 + 10 * i for i in range(frames)]
    return written(
        images[0],
        kind,
        save_all=True,
        append_images=images[1:],
        duration=durations,
        loop=0,
        **options,
    )


def png(width: int, height: int, lines: bytes = b"", depth: int = 8, colour: int = 0) -> bytes:
    """A PNG that says that it is so large, whatever it holds."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(lines, 9)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def hung(folder: Path, content: bytes, name: str = "picture") -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content)
    return path
