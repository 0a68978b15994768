"""The backplane of a single node: what is published arrives at once."""

from __future__ import annotations

from chatme.realtime.backplane.base import Parcel, Receiver


class MemoryBackplane:
    """Lives as long as the app."""

    def __init__(self) -> None:
        self._receiver: Receiver | None = None

    def publish(self, parcel: Parcel) -> None:
        """Hands the parcel to this node's receiver."""
        if self._receiver is not None:
            self._receiver(parcel)

    def subscribe(self, receiver: Receiver) -> None:
        """Names the one receiver."""
        self._receiver = receiver
