"""Who is here: this node's open sockets by user, and delivery to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from bson import ObjectId

from chatme.ports import UNMETERED, Meter
from chatme.principal import Principal
from chatme.realtime.backplane.base import Envelope, Parcel, SessionsEnded
from chatme.realtime.close import Close
from chatme.realtime.outbox import Outgoing


class Recipient(Protocol):
    """An open socket, as the hub sees it."""

    @property
    def id(self) -> str:
        """The socket's own id."""
        ...

    @property
    def principal(self) -> Principal:
        """Who is signed in."""
        ...

    @property
    def open_conversation(self) -> ObjectId | None:
        """The conversation on its screen."""
        ...

    def deliver(self, outgoing: Outgoing) -> None:
        """Writes a frame, or closes a socket that reads too slowly; never waits."""
        ...

    def close(self, reason: Close) -> None:
        """Begins the socket's end; never waits."""
        ...


class Hub:
    """Lives as long as the app.

    Each user's sockets stand in the order in which they came, so that the oldest is known.
    """

    def __init__(self, meter: Meter = UNMETERED) -> None:
        self._meter = meter
        self._by_user: dict[ObjectId, dict[Recipient, None]] = {}

    def __len__(self) -> int:
        return sum(len(sockets) for sockets in self._by_user.values())

    def add(self, recipient: Recipient) -> None:
        """A socket is open for its user."""
        self._by_user.setdefault(recipient.principal.user_id, {})[recipient] = None

    def remove(self, recipient: Recipient) -> bool:
        """A socket is gone; whether it was its user's last. One never added is no error."""
        user_id = recipient.principal.user_id
        sockets = self._by_user.get(user_id, {})
        if recipient not in sockets:
            return False
        del sockets[recipient]
        if not sockets:
            del self._by_user[user_id]
        return not sockets

    def of_user(self, user_id: ObjectId) -> tuple[Recipient, ...]:
        """A user's sockets, the oldest first."""
        return tuple(self._by_user.get(user_id, ()))

    def everyone(self) -> Iterator[Recipient]:
        """Every open socket."""
        for sockets in tuple(self._by_user.values()):
            yield from tuple(sockets)

    def connected(self, users: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the users that have an open socket here."""
        present = self._by_user
        # The smaller side is walked: a group of a thousand, or the few users that are here.
        if len(users) <= len(present):
            return {user for user in users if user in present}
        wanted = users if isinstance(users, set | frozenset) else frozenset(users)
        return {user for user in present if user in wanted}

    def on_screens(self) -> set[ObjectId]:
        """The conversations that some open socket here has on its screen."""
        shown = {recipient.open_conversation for recipient in self.everyone()}
        return {each for each in shown if each is not None}

    def receive(self, parcel: Parcel) -> None:
        """What came over the backplane."""
        if isinstance(parcel, SessionsEnded):
            self._end_sessions(parcel)
        else:
            self._deliver(parcel)

    def _deliver(self, envelope: Envelope) -> None:
        outgoing = Outgoing(envelope.text)
        frames = 0
        for user in self.connected(envelope.users):
            for recipient in self.of_user(user):
                if _is_meant(envelope, recipient):
                    recipient.deliver(outgoing)
                    frames += 1
        if frames:
            self._meter.sent(envelope.event, frames)

    def _end_sessions(self, ended: SessionsEnded) -> None:
        for recipient in self.of_user(ended.user_id):
            session_id = recipient.principal.session_id
            if ended.session_ids is None or session_id in ended.session_ids:
                recipient.close(Close.NOT_AUTHENTICATED)


def _is_meant(envelope: Envelope, recipient: Recipient) -> bool:
    if envelope.without is not None and recipient.id == envelope.without:
        return False
    shown = recipient.open_conversation
    if envelope.quiet_in is not None and shown == envelope.quiet_in:
        return False
    return envelope.only_in is None or shown == envelope.only_in
