"""How long MongoDB takes, as pymongo tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from chatme.ports import Meter


class CommandTimes(CommandListener):
    """Counts every command under its name and its collection; called in pymongo's threads."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        # What is on its way: as many as there are connections.
        self._collections: dict[int, str] = {}

    def started(self, event: CommandStartedEvent) -> None:
        """Keeps the collection, which only this event knows."""
        self._collections[event.request_id] = _collection(event.command_name, event.command)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Counts it."""
        self._ended(event)

    def failed(self, event: CommandFailedEvent) -> None:
        """Counts it all the same: it took its time."""
        self._ended(event)

    def _ended(self, event: CommandSucceededEvent | CommandFailedEvent) -> None:
        collection = self._collections.pop(event.request_id, "")
        self._meter.asked(event.command_name, collection, event.duration_micros / 1_000_000)


def _collection(name: str, command: Mapping[str, Any]) -> str:
    """``find`` names it itself, ``getMore`` beside its cursor; ``ping`` and the like name none."""
    for given in (command.get(name), command.get("collection")):
        if isinstance(given, str):
            return given
    return ""
