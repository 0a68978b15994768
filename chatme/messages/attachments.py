"""Messages that show uploads: how a draft becomes one, and what becomes of its file."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import Clock, new_id
from chatme.errors import Invalid
from chatme.messages.models import Attachment, Message
from chatme.messages.wire import MessageDraft
from chatme.storage import atomic
from chatme.uploads.models import Upload, Use
from chatme.uploads.service import UploadService


class Attachments:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, clock: Clock, uploads: UploadService) -> None:
        self._engine = engine
        self._clock = clock
        self._uploads = uploads

    async def message(
        self,
        sender: ObjectId,
        conversation_id: ObjectId,
        draft: MessageDraft,
        withheld_from: Sequence[ObjectId],
    ) -> Message:
        """The message that a draft becomes, not stored, its upload claimed for it.

        Raises `Invalid` where the draft names no fitting upload of the sender's.
        """
        message_id = new_id()
        attachment = await self._claimed(sender, message_id, draft)
        return Message(
            id=message_id,
            conversation=conversation_id,
            seq=0,
            rev=0,
            first_rev=0,
            revs=[],
            client_id=draft.client_id,
            sender=sender,
            type=draft.type,
            content="" if _only_names(draft, attachment) else draft.content,
            attachments=[attachment] if attachment else [],
            reply_to=draft.reply_to,
            withheld_from=list(withheld_from),
            created_at=self._clock.now(),
        )

    async def give_back(self, message: Message) -> None:
        """The message was not sent."""
        for each in message.attachments:
            await self._uploads.unclaim(each.public_id, _use(message))

    async def loosen(self, message: Message) -> None:
        """Say this before a message is deleted, and `release` after."""
        for each in message.attachments:
            await self._uploads.loosen(each.public_id)

    async def release(self, message: Message) -> None:
        """The message, as it stood before, was deleted: its file goes if it was the last."""
        for each in message.attachments:
            await self._uploads.release(each.public_id, _use(message))

    async def showing(self, public_id: str, ids: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the messages that show an upload."""
        where = {"_id": {"$in": list(ids)}, "attachments.public_id": public_id}
        found = await atomic.project(self._engine, Message, where, ["_id"])
        return {each["_id"] for each in found}

    async def _claimed(
        self, sender: ObjectId, message_id: ObjectId, draft: MessageDraft
    ) -> Attachment | None:
        if draft.type == "text":
            return None
        # Clients that know no attachments send the address as the content.
        name = draft.attachment.public_id if draft.attachment else draft.content
        use = Use("message", message_id)
        return _attachment(await self._uploads.claim(sender, name, draft.type, use, "attachment"))


def check_draft(draft: MessageDraft) -> None:
    """Raises `Invalid` for a text without words or with an attachment, and the other way round."""
    if draft.type == "text":
        if draft.attachment is not None:
            raise Invalid.field("attachment", "goes with a type of image, audio or file")
        if not draft.content.strip():
            raise Invalid.field("content", "must not be empty or only white space")
    elif draft.attachment is None and not draft.content.strip():
        raise Invalid.field("attachment", "must name an upload of yours")


def _only_names(draft: MessageDraft, attachment: Attachment | None) -> bool:
    """Whether the content is no caption but says once more which upload is meant: nobody is to
    read an address, or to find a message by it."""
    if attachment is None:
        return False
    return draft.attachment is None or draft.content in (attachment.url, attachment.public_id)


def _use(message: Message) -> Use:
    return Use("message", message.id)


def _attachment(upload: Upload) -> Attachment:
    return Attachment(
        url=upload.url,
        public_id=upload.public_id,
        name=upload.name,
        size=upload.size,
        mime_type=upload.media_type,
        width=upload.width,
        height=upload.height,
        duration=upload.duration,
        thumbnail_url=upload.thumbnail_url,
    )
