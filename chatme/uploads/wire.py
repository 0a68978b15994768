"""Uploads as callers see them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chatme.shapes import Id, Shape, Text, Timestamp
from chatme.uploads.models import Upload

MAX_IMAGE_BYTES = 5 * 1024 * 1024
MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_NAME = 2048

UploadName = Annotated[Text, Field(min_length=1, max_length=MAX_NAME)]
"""An upload's public id or its URL."""


class ImageUploaded(Shape):
    """A picture that is now here; ``thumbnailUrl`` is 256 pixels at most each way."""

    url: str
    public_id: str
    width: int
    height: int
    format: str
    size: int
    thumbnail_url: str


class FileUploaded(Shape):
    """A file that is now here."""

    url: str
    public_id: str
    original_name: str
    size: int
    format: str


class HeldUpload(Shape):
    """An upload as its owner takes it along."""

    id: Id
    url: str
    public_id: str
    name: str
    size: int
    mime_type: str
    created_at: Timestamp


def image_uploaded(upload: Upload) -> ImageUploaded:
    """A picture as the answer to its upload."""
    return ImageUploaded(
        url=upload.url,
        public_id=upload.public_id,
        width=upload.width or 0,
        height=upload.height or 0,
        format=upload.format,
        size=upload.size,
        thumbnail_url=upload.thumbnail_url or "",
    )


def file_uploaded(upload: Upload) -> FileUploaded:
    """A file as the answer to its upload."""
    return FileUploaded(
        url=upload.url,
        public_id=upload.public_id,
        original_name=upload.name,
        size=upload.size,
        format=upload.format,
    )


def held_upload(upload: Upload) -> HeldUpload:
    """An upload as its owner takes it along."""
    return HeldUpload(
        id=upload.id,
        url=upload.url,
        public_id=upload.public_id,
        name=upload.name,
        size=upload.size,
        mime_type=upload.media_type,
        created_at=upload.created_at,
    )
