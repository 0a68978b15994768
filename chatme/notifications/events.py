"""Notifications, as sockets hear of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chatme.notifications.wire import LiveNotification


@dataclass(frozen=True, slots=True)
class Notified:
    """Something happened that the user should know."""

    name: ClassVar[str] = "notification"
    data: LiveNotification


EVENTS = (Notified,)
