"""Users' pictures of themselves: the old one's file goes as the new one is shown."""

from __future__ import annotations

from bson import ObjectId

from chatme.errors import NotFound, Unavailable
from chatme.uploads.models import Upload, Use
from chatme.uploads.service import UploadService
from chatme.users.service import UserService
from chatme.users.wire import Oneself, oneself

ATTEMPTS = 20


class AvatarService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, users: UserService, uploads: UploadService) -> None:
        self._users = users
        self._uploads = uploads

    async def put_on(self, user_id: ObjectId, upload: Upload) -> Oneself:
        """Shows a user by an upload that counts as used by them; raises `NotFound`."""
        try:
            return await self._change(user_id, upload.url, upload.public_id)
        except NotFound:
            await self._uploads.release(upload.public_id, Use("user", user_id))
            raise

    async def take_off(self, user_id: ObjectId) -> Oneself:
        """Shows a user without a picture; raises `NotFound`."""
        return await self._change(user_id, None, None)

    async def _change(self, user_id: ObjectId, url: str | None, public_id: str | None) -> Oneself:
        for _ in range(ATTEMPTS):
            user = await self._users.by_id(user_id)
            if user is None or not user.is_active:
                raise NotFound
            before = user.avatar_id
            if before is not None:
                await self._uploads.loosen(before)
            changed = await self._users.change_avatar(user_id, before, url, public_id)
            if changed is None:
                continue  # another request of theirs was faster
            if before is not None:
                await self._uploads.release(before, Use("user", user_id))
            return oneself(changed)
        raise Unavailable(retry_after=1)
