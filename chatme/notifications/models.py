"""Notifications as they are stored: one for each user who was not connected when it came.

An unread one stays for good, a read one for thirty days more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from odmantic import Model
from odmantic.config import ODMConfigDict

from chatme.storage.atomic import index

NotificationType = Literal["new_message", "group_added", "group_removed", "missed_call"]

KEPT_AFTER_READING = 30 * 24 * 60 * 60
"""Seconds from the (last) reading of a notification to its end."""

_LEAST_ID = ObjectId("0" * 24)


class Notification(Model):
    """What one user should know. ``payload`` is JSON as it goes over the wire.

    ``conversation``, ``message`` and ``by`` (whose doing it was) repeat what the payload is about,
    to be found by. There is at most one for each message and user, so that a message may be told of
    twice.
    """

    user: ObjectId
    type: NotificationType
    payload: dict[str, Any]
    conversation: ObjectId | None = None
    message: ObjectId | None = None
    by: ObjectId | None = None
    is_read: bool = False
    created_at: datetime
    read_at: datetime | None = None

    model_config = ODMConfigDict(
        collection="notifications",
        indexes=lambda: (
            index("user", "is_read", "-created_at", "-_id", name="unread"),
            # With `is_read`, since the read ones of thirty days are many.
            index("user", "conversation", "is_read", name="conversation"),
            # "$gte" the least id leaves out null, and MongoDB sees that any id is above it.
            index(
                "message",
                "user",
                name="message",
                unique=True,
                partial={"message": {"$gte": _LEAST_ID}},
            ),
            index("by", name="by", partial={"by": {"$gte": _LEAST_ID}}),
            # What is null has no end.
            index("read_at", name="expiry", expire_after=KEPT_AFTER_READING),
        ),
    )
