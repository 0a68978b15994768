"""Notifications as callers see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from chatme.http.paging import CursorText, Limit, Page
from chatme.notifications.models import Notification, NotificationType
from chatme.ports import MessageKind
from chatme.shapes import Id, Omittable, Shape, Timestamp

PREVIEW = 100

_SENT: Mapping[MessageKind, str] = {
    "image": "Sent an image",
    "audio": "Sent an audio message",
    "file": "Sent a file",
}


class MessagePayload(Shape):
    """What ``new_message`` carries."""

    conversation_id: Id
    message_id: Id
    sender_id: Id
    sender_name: str
    preview: str


class GroupPayload(Shape):
    """What ``group_added`` and ``group_removed`` carry: which group, and who did it."""

    conversation_id: Id
    name: str
    by_id: Id
    by_name: str


class _OneOfThese:
    """Says in a schema what a payload, which is stored as it is, looks like."""

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        shapes = (MessagePayload, GroupPayload)
        return {"anyOf": [handler(shape.__pydantic_core_schema__) for shape in shapes]}


Payload = Annotated[dict[str, Any], _OneOfThese()]


class NotificationView(Shape):
    """A stored notification."""

    id: Id
    type: NotificationType
    payload: Payload
    is_read: bool
    created_at: Timestamp


class LiveNotification(Shape):
    """A notification as sockets get it; ``id`` is null where it is not stored."""

    id: Id | None
    type: NotificationType
    payload: Payload


class NotificationPage(Page):
    """Unread notifications, newest first."""

    items: list[NotificationView]


class NotificationQuery(Shape):
    """Which part of the list."""

    limit: Limit = 50
    cursor: Omittable[CursorText] = None


class NotificationCount(Shape):
    """How many are unread."""

    count: int


class Updated(Shape):
    """How many were changed."""

    updated: int


def preview(kind: MessageKind, content: str) -> str:
    """A message in a line: the beginning of a text, or what was sent instead of one."""
    return _SENT.get(kind, content[:PREVIEW])


def notification_view(notification: Notification) -> NotificationView:
    """A stored notification as its user sees it."""
    return NotificationView(
        id=notification.id,
        type=notification.type,
        payload=notification.payload,
        is_read=notification.is_read,
        created_at=notification.created_at,
    )
