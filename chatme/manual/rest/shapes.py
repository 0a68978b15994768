"""Shapes that are written piece by piece, and so stand here only to be described."""

from __future__ import annotations

from chatme.auth.wire import SessionView
from chatme.conversations.wire import HeldMembership
from chatme.messages.wire import HeldMessage, HeldReaction
from chatme.notifications.wire import NotificationView
from chatme.shapes import Shape
from chatme.uploads.wire import HeldUpload
from chatme.users.wire import Oneself, UserView


class Export(Shape):
    """All that is held about the caller."""

    user: Oneself
    sessions: list[SessionView]
    blocked: list[UserView]
    conversations: list[HeldMembership]
    messages: list[HeldMessage]
    reactions: list[HeldReaction]
    uploads: list[HeldUpload]
    notifications: list[NotificationView]
