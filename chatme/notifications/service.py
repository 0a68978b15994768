"""The rules for notifications: who is told at once, who later, and when it is over.

A notification is a hint; the message or the membership that it tells of is the truth, and is in
the database before. So a crash may lose a hint and nothing else: messages still count as unread
and groups are still in the list.

What is said of one message must come in the order in which it happened (arrived, edited,
deleted), as it does inside the conversation's `messages.log.MessageLog.turn`: who stores a
preview after the deletion would bring back what must not be seen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Annotated, Any, Literal

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import desc
from pydantic import Field, TypeAdapter

from chatme.clock import Clock, from_epoch, new_id, to_epoch
from chatme.errors import NotFound
from chatme.http.paging import MAX_LIMIT, decode_cursor, encode_cursor
from chatme.notifications.events import Notified
from chatme.notifications.models import Notification, NotificationType
from chatme.notifications.wire import (
    GroupPayload,
    LiveNotification,
    MessagePayload,
    NotificationPage,
    NotificationQuery,
    NotificationView,
    notification_view,
    preview,
)
from chatme.ports import Announcer, MessageKind, Presence
from chatme.shapes import Id
from chatme.storage import atomic

_BY_SOMEBODY: tuple[NotificationType, ...] = ("group_added", "group_removed")
_LAST_MILLISECOND = 253402300799999  # of the year 9999, where datetime ends
_CURSOR = TypeAdapter(tuple[Annotated[int, Field(ge=0, le=_LAST_MILLISECOND)], Id])


class NotificationService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self, engine: AIOEngine, clock: Clock, announcer: Announcer, sockets: Presence
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._announcer = announcer
        self._sockets = sockets

    async def message_arrived(
        self,
        *,
        conversation_id: ObjectId,
        message_id: ObjectId,
        sender_id: ObjectId,
        sender_name: str,
        kind: MessageKind,
        content: str,
        users: Collection[ObjectId],
    ) -> None:
        """Tells these users of a message that is in the database.

        One write stores it for all who are not connected; then the connected hear of it. Cut
        before that, nobody was told; cut within, some were. Told again where it was cut, it is
        stored for those who are missing it, and nobody has it twice.
        """
        payload = MessagePayload(
            conversation_id=conversation_id,
            message_id=message_id,
            sender_id=sender_id,
            sender_name=sender_name,
            preview=preview(kind, content),
        )
        fresh = {user: new_id() for user in users}
        await self._tell("new_message", payload, sender_id, fresh, message_id)

    async def group_changed(
        self,
        *,
        type: Literal["group_added", "group_removed"],
        conversation_id: ObjectId,
        name: str,
        by_id: ObjectId,
        by_name: str,
        users: Mapping[ObjectId, ObjectId],
    ) -> None:
        """Tells these users that they were added to a group, or removed from it.

        Each comes with the id of what is told to them, by which it is stored once however often
        it is said. As `message_arrived` else.
        """
        payload = GroupPayload(
            conversation_id=conversation_id, name=name, by_id=by_id, by_name=by_name
        )
        await self._tell(type, payload, by_id, users)

    async def message_edited(
        self,
        message_id: ObjectId,
        kind: MessageKind,
        content: str,
        users: Collection[ObjectId],
    ) -> None:
        """Lets the stored previews of a message follow its new content; safe to say twice.

        Only those of ``users``, who may see it now: others that were told of the message have left
        since, or block its sender, and new words are not for them.
        """
        await atomic.update_all(
            self._engine,
            Notification,
            {"message": message_id, "user": {"$in": list(users)}},
            {"$set": {"payload.preview": preview(kind, content)}},
        )

    async def message_deleted(self, message_id: ObjectId) -> None:
        """Removes what was stored of a message, read or not; safe to say twice.

        Cut halfway, some users still see the preview: who deletes a message again, since the
        first time was not acked, must get here again.
        """
        await self._engine.remove(Notification, Notification.message == message_id)

    async def conversation_read(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        """All that a user was told of a conversation is read; safe to say twice.

        What comes while this runs may stay unread until the conversation is opened again.
        """
        await self._read_unread({"user": user_id, "conversation": conversation_id})

    async def conversation_cleared(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        """Removes what one user was told of a conversation's messages; safe to say twice.

        For who deletes a conversation from their list: what was said is never shown again.
        """
        await self._engine.remove(
            Notification,
            {"user": user_id, "conversation": conversation_id, "type": "new_message"},
        )

    async def held(self, user_id: ObjectId) -> AsyncIterator[NotificationView]:
        """All that a user was told and that is still kept, unread and read."""
        for is_read in (False, True):
            query = NotificationQuery(limit=MAX_LIMIT)
            while True:
                page = await self.page(user_id, query, is_read=is_read)
                for each in page.items:
                    yield each
                if page.next is None:
                    break
                query = NotificationQuery(limit=MAX_LIMIT, cursor=page.next)

    async def user_erased(self, user_id: ObjectId, name: str) -> None:
        """Removes all that one user was told, and their name where others were told of them.

        Safe to say twice.
        """
        await self._engine.remove(Notification, {"user": user_id})
        for types, field in ((("new_message",), "senderName"), (_BY_SOMEBODY, "byName")):
            told = {"by": user_id, "type": {"$in": list(types)}}
            change = {"$set": {f"payload.{field}": name}}
            await atomic.update_all(self._engine, Notification, told, change)

    async def page(
        self, caller: ObjectId, query: NotificationQuery, *, is_read: bool = False
    ) -> NotificationPage:
        """The caller's unread notifications (or those that are read), newest first.

        A page begins right after the last item of the one before, whatever was read or came in
        between.
        """
        wanted: dict[str, Any] = {"user": caller, "is_read": is_read}
        if query.cursor is not None:
            milliseconds, last_id = decode_cursor(query.cursor, _CURSOR)
            moment = from_epoch(milliseconds / 1000)
            # The bound is where the index begins; the alternatives part those of one moment.
            wanted["created_at"] = {"$lte": moment}
            wanted["$or"] = [{"created_at": {"$lt": moment}}, {"_id": {"$lt": last_id}}]
        found = await self._engine.find(
            Notification,
            wanted,
            sort=(desc(Notification.created_at), desc(Notification.id)),
            limit=query.limit + 1,
        )
        shown = found[: query.limit]
        return NotificationPage(
            items=[notification_view(each) for each in shown],
            next=_cursor(shown[-1]) if len(found) > query.limit else None,
        )

    async def count(self, caller: ObjectId) -> int:
        """How many notifications the caller has not read."""
        return await atomic.count(self._engine, Notification, {"user": caller, "is_read": False})

    async def read(self, caller: ObjectId, notification_id: ObjectId) -> NotificationView:
        """One of the caller's notifications is read; raises `NotFound`.

        Said again, it changes nothing but how long the notification is kept.
        """
        found = await atomic.update_and_get(
            self._engine,
            Notification,
            {"_id": notification_id, "user": caller},
            self._reading(),
        )
        if found is None:
            raise NotFound
        return notification_view(found)

    async def read_all(self, caller: ObjectId) -> int:
        """All of the caller's notifications are read; how many were not before.

        Cut halfway, some are read; of two at once, each counts those that it marked itself.
        """
        return await self._read_unread({"user": caller})

    async def _tell(
        self,
        type: NotificationType,
        payload: MessagePayload | GroupPayload,
        by: ObjectId,
        users: Mapping[ObjectId, ObjectId],
        message_id: ObjectId | None = None,
    ) -> None:
        """Each user is asked for once whether they are connected, and so told in one way only.

        The connected are told last: where the write fails nobody was, and all of it can be said
        again.
        """
        plain = payload.to_plain()
        connected = self._sockets.connected(users)
        now = self._clock.now()
        await atomic.insert_missing(
            self._engine,
            [
                Notification(
                    id=id_,
                    user=user,
                    type=type,
                    payload=plain,
                    conversation=payload.conversation_id,
                    message=message_id,
                    by=by,
                    created_at=now,
                )
                for user, id_ in users.items()
                if user not in connected
            ],
        )
        if connected:
            live = LiveNotification(id=None, type=type, payload=plain)
            self._announcer.publish(Notified(live), connected, quiet_in=payload.conversation_id)

    async def _read_unread(self, whose: dict[str, ObjectId]) -> int:
        return await atomic.update_all(
            self._engine, Notification, {**whose, "is_read": False}, self._reading()
        )

    def _reading(self) -> dict[str, Any]:
        return {"$set": {"is_read": True, "read_at": self._clock.now()}}


def _cursor(notification: Notification) -> str:
    return encode_cursor([round(to_epoch(notification.created_at) * 1000), str(notification.id)])
