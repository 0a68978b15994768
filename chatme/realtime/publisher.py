"""Tells sockets what happened: encoded once, however many they are."""

from __future__ import annotations

from collections.abc import Collection

from bson import ObjectId

from chatme.ports import Event
from chatme.realtime.backplane.base import Backplane, Envelope, SessionsEnded
from chatme.realtime.frames import event_frame


class Publisher:
    """An `Announcer` and `SocketCloser` over a backplane; lives as long as the app."""

    def __init__(self, backplane: Backplane) -> None:
        self._backplane = backplane

    def publish(
        self,
        event: Event,
        users: Collection[ObjectId],
        *,
        without: str | None = None,
        quiet_in: ObjectId | None = None,
        only_in: ObjectId | None = None,
    ) -> None:
        """Sends the event to the open sockets of these users, on every node."""
        if users:
            text = event_frame(event.name, event.data)
            self._backplane.publish(
                Envelope(frozenset(users), text, without, quiet_in, only_in, event.name)
            )

    def end_sessions(
        self, user_id: ObjectId, session_ids: Collection[ObjectId] | None = None
    ) -> None:
        """Closes the sockets of these sessions of a user, or of all of them, on every node."""
        ended = None if session_ids is None else frozenset(session_ids)
        self._backplane.publish(SessionsEnded(user_id, ended))
