"""Groups' pictures: uploads of an admin's; the old one's file goes as the new one is shown."""

from __future__ import annotations

from collections.abc import Collection

from bson import ObjectId
from odmantic import AIOEngine

from chatme.conversations.groups import GroupService
from chatme.conversations.models import Conversation
from chatme.conversations.wire import ConversationView, GroupChange
from chatme.storage import atomic
from chatme.uploads.models import Use
from chatme.uploads.service import UploadService

Fields = dict[str, object]


class PictureService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, groups: GroupService, uploads: UploadService) -> None:
        self._engine = engine
        self._groups = groups
        self._uploads = uploads

    async def change(
        self, caller: ObjectId, conversation_id: ObjectId, wanted: GroupChange
    ) -> ConversationView:
        """Gives a group another name, picture, or both at once.

        Raises `NotFound`, `Forbidden`, and `Invalid` where the caller has no such picture.
        """
        picture = await self._picture(caller, conversation_id, wanted)
        if picture is None:
            return await self._groups.rename(caller, conversation_id, wanted.name)
        before: str | None = None

        async def about_to(conversation: Conversation) -> None:
            nonlocal before
            before = conversation.avatar_id
            if before is not None:
                await self._uploads.loosen(before)

        def changed(conversation: Conversation) -> Fields:
            return {**picture, "name": wanted.name or conversation.name}

        view = await self._groups.update(caller, conversation_id, changed, about_to)
        if before not in (None, picture["avatar_id"]):
            await self._uploads.release(before, Use("group", conversation_id))
        return view

    async def wearing(self, public_id: str, ids: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the groups whose picture is an upload."""
        where = {"_id": {"$in": list(ids)}, "avatar_id": public_id}
        found = await atomic.project(self._engine, Conversation, where, ["_id"])
        return {each["_id"] for each in found}

    async def _picture(
        self, caller: ObjectId, conversation_id: ObjectId, wanted: GroupChange
    ) -> Fields | None:
        """What changes of a group's picture; nothing where it is to stay."""
        if "avatar" not in wanted.model_fields_set:
            return None
        if wanted.avatar is None:
            return {"avatar": None, "avatar_id": None}
        found = await self._groups.as_admin(caller, conversation_id)
        if wanted.avatar in (found.avatar, found.avatar_id):
            return None
        use = Use("group", conversation_id)
        upload = await self._uploads.claim(caller, wanted.avatar, "image", use, "avatar")
        return {"avatar": upload.url, "avatar_id": upload.public_id}
