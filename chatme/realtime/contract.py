"""What goes over the socket, as its document is made from it: rows of frames, and words. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from chatme.errors import Code
from chatme.realtime.close import ComeBack
from chatme.realtime.dispatcher import Command
from chatme.realtime.samples import Samples
from chatme.realtime.schemas import Json, plain
from chatme.shapes import Shape


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a client's life; frames as they go, ``>`` to the server, ``<`` from it."""

    name: str
    text: str
    frames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound, its value for people, and what happens beyond it."""

    name: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """What is said for people. ``effects`` is by the name of a command or an event."""

    title: str
    summary: str
    description: str
    security: Mapping[str, Json]
    come_back: Mapping[ComeBack, str]
    codes: Mapping[Code, str]
    effects: Mapping[str, str] = field(default_factory=dict)
    life: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """All that goes over the socket. ``stand_ins`` as in `Schemas`."""

    version: str
    commands: Sequence[Command]
    events: Sequence[type[Any]]
    limits: Sequence[Limit]
    stand_ins: Mapping[type[Shape], type[Shape]]
    words: Words
    samples: Samples


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of frame: its name on the wire, the room it is from, what it says, its data."""

    name: str
    room: str
    text: str
    shape: type[Shape]


@dataclass(frozen=True, slots=True)
class CommandRow(Row):
    """A frame from the client, and what its ack carries."""

    ack: type[Shape]


def command_row(command: Command) -> CommandRow:
    """A command, as its handler's signature and docstring say."""
    handler = command.handler
    ack = get_type_hints(handler)["return"]
    return CommandRow(command.event, _room(handler), _doc(handler), command.shape, ack)


def event_row(event: type[Any]) -> Row:
    """An event, as its class says."""
    return Row(event.name, _room(event), _doc(event), get_type_hints(event)["data"])


def _room(thing: Any) -> str:
    return str(thing.__module__).split(".")[1]


def _doc(thing: Any) -> str:
    return plain((inspect.getdoc(thing) or "").partition("\n\n")[0])
