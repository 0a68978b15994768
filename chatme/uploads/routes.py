"""Uploads over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatme.errors import Code
from chatme.http.endpoint import Call, Endpoint
from chatme.http.multipart import Upload
from chatme.uploads.avatars import AvatarService
from chatme.uploads.intake import Intake
from chatme.uploads.wire import (
    MAX_FILE_BYTES,
    MAX_IMAGE_BYTES,
    FileUploaded,
    ImageUploaded,
    file_uploaded,
    image_uploaded,
)
from chatme.users.wire import Oneself


@dataclass(frozen=True, slots=True)
class UploadDoor:
    """What these routes need, and the folder in which files arrive."""

    intake: Intake
    avatars: AvatarService
    incoming: Path


async def image(door: UploadDoor, call: Call) -> ImageUploaded:
    """Uploads a picture: JPEG, PNG, WebP or GIF, at most 5 MB and 50 megapixels."""
    owner = call.caller.user_id
    await door.intake.admit(owner)
    async with call.received(door.incoming) as received:
        return image_uploaded(await door.intake.image(owner, received))


async def file(door: UploadDoor, call: Call) -> FileUploaded:
    """Uploads a file of at most 20 MB."""
    owner = call.caller.user_id
    await door.intake.admit(owner)
    async with call.received(door.incoming) as received:
        return file_uploaded(await door.intake.file(owner, received))


async def put_on(door: UploadDoor, call: Call) -> Oneself:
    """Gives the caller another picture: JPEG, PNG or WebP, at most 5 MB."""
    owner = call.caller.user_id
    await door.intake.admit(owner)
    async with call.received(door.incoming) as received:
        return await door.avatars.put_on(owner, await door.intake.avatar(owner, received))


async def take_off(door: UploadDoor, call: Call) -> Oneself:
    """Takes the caller's picture away."""
    return await door.avatars.take_off(call.caller.user_id)


_IMAGE = Upload("file", MAX_IMAGE_BYTES)
_FILE = Upload("file", MAX_FILE_BYTES)
_AVATAR = Upload("avatar", MAX_IMAGE_BYTES)
# What keeping a file may end in, and what showing it as oneself may.
_KEPT = (Code.CONFLICT, Code.RATE_LIMITED, Code.STORAGE_FULL)
_WORN = (Code.NOT_FOUND,)

ROUTES = (
    Endpoint("POST", "/upload/image", image, 201, codes=_KEPT, upload=_IMAGE),
    Endpoint("POST", "/upload/file", file, 201, codes=_KEPT, upload=_FILE),
    Endpoint("PATCH", "/users/me/avatar", put_on, codes=(*_KEPT, *_WORN), upload=_AVATAR),
    Endpoint("DELETE", "/users/me/avatar", take_off, codes=_WORN),
)
