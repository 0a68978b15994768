"""The backplane: how an event reaches the nodes that have a socket concerned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bson import ObjectId


@dataclass(frozen=True, slots=True)
class Envelope:
    """One encoded frame, the users it goes to, and which of their sockets are left out.

    ``event`` is the frame's event, for who counts frames.
    """

    users: frozenset[ObjectId]
    text: str
    without: str | None = None
    quiet_in: ObjectId | None = None
    only_in: ObjectId | None = None
    event: str = ""


@dataclass(frozen=True, slots=True)
class SessionsEnded:
    """Sessions of a user that ended; None for all of them."""

    user_id: ObjectId
    session_ids: frozenset[ObjectId] | None


Parcel = Envelope | SessionsEnded
Receiver = Callable[[Parcel], None]


class Backplane(Protocol):
    """Carries parcels to every node, this one included.

    Those of one conversation arrive on each node in the order in which they were published here;
    one may be lost when the network is, for the database is the truth. `publish` never waits and
    never fails.
    """

    def publish(self, parcel: Parcel) -> None:
        """Sends a parcel to all nodes."""
        ...

    def subscribe(self, receiver: Receiver) -> None:
        """Hands every parcel that arrives to the receiver; one receiver a node."""
        ...
