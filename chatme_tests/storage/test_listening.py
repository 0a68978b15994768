"""How long MongoDB takes, from pymongo's own events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent

from chatme.storage.listening import CommandTimes
from chatme_tests.fakes import RecordingMeter

HERE = ("127.0.0.1", 27017)


class Stopwatch(RecordingMeter):
    """A meter that keeps how long the database took, too."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def asked(self, operation: str, collection: str, seconds: float) -> None:
        """Keeps the time as well."""
        super().asked(operation, collection, seconds)
        self.seconds.append(seconds)


def _started(command: dict[str, Any], request_id: int = 1) -> CommandStartedEvent:
    return CommandStartedEvent(command, "chatme", request_id, HERE, 0)


@pytest.mark.parametrize(
    ("command", "collection"),
    [
        ({"find": "messages", "filter": {}}, "messages"),
        ({"findAndModify": "watermarks"}, "watermarks"),
        ({"getMore": 4711, "collection": "messages"}, "messages"),
        ({"ping": 1}, ""),
        ({"hello": 1}, ""),
    ],
)
def test_a_command_is_counted(command: dict[str, Any], collection: str) -> None:
    """A command counts under its name and its collection, if it has one, with its time."""
    meter = Stopwatch()
    times = CommandTimes(meter)
    name = next(iter(command))
    times.started(_started(command))
    times.succeeded(
        CommandSucceededEvent(_lasting(1500), {"ok": 1}, name, 1, HERE, 0, database_name="chatme")
    )

    assert meter.told == [("asked", name, collection)]
    assert meter.seconds == [0.0015]


def test_a_failure_is_counted() -> None:
    """A command that fails took its time as well."""
    meter = Stopwatch()
    times = CommandTimes(meter)
    times.started(_started({"insert": "messages"}))
    times.failed(
        CommandFailedEvent(_lasting(10), {"ok": 0}, "insert", 1, HERE, 0, database_name="chatme")
    )

    assert meter.told == [("asked", "insert", "messages")]


def test_commands_cross() -> None:
    """Commands that end in another order keep their collections."""
    meter = Stopwatch()
    times = CommandTimes(meter)
    for at, collection in enumerate(("a", "b")):
        times.started(_started({"find": collection}, at))
    for at in (1, 0):
        times.succeeded(
            CommandSucceededEvent(_lasting(1), {}, "find", at, HERE, 0, database_name="chatme")
        )

    assert meter.told == [("asked", "find", "b"), ("asked", "find", "a")]


def _lasting(micros: int) -> timedelta:
    return timedelta(microseconds=micros)
