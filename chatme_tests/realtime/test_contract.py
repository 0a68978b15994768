"""Rows of the contract: what signatures and docstrings say."""

from __future__ import annotations

from chatme.realtime.contract import CommandRow, Row, command_row, event_row
from chatme_tests.realtime.toy import CONTRACT, Bottle, BottleFound, Found


def test_a_command_is_read_from_its_handler() -> None:
    """A handler's signature says what comes and what the ack carries, its docstring the rest."""
    (command,) = CONTRACT.commands

    assert command_row(command) == CommandRow(
        "throw_bottle", "realtime", "Throws a bottle.", Bottle, Found
    )


def test_an_event_is_read_from_its_class() -> None:
    """An event's first paragraph is its text, its annotation the shape of its data."""
    assert event_row(BottleFound) == Row(
        "bottle_found", "realtime", "Somebody found a bottle.", Found
    )
