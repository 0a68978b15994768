"""The table of commands: which handler works which event, and what its data must be.

A handler is ``async def handler(service, client, data)``: the annotation of ``data`` is the shape
that is checked before it runs, what it returns goes into the ack.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from bson import ObjectId
from pydantic import ValidationError

from chatme.errors import ChatMeError, Code
from chatme.ports import UNMETERED, Event, Lifeline, Meter
from chatme.principal import Principal
from chatme.realtime.close import Close
from chatme.realtime.frames import ClientFrame, FrameId, ack_frame, error_frame
from chatme.shapes import Shape
from chatme.wording import invalid

UNKNOWN = "unknown"
"""What an event that is in no table is counted as."""


class Client(Protocol):
    """One open socket, as a handler sees it.

    ``open_conversation`` is the conversation that is on its screen.
    """

    id: str
    open_conversation: ObjectId | None

    @property
    def principal(self) -> Principal:
        """Who is signed in."""
        ...

    async def stream(self, event: Event) -> None:
        """Sends an event as one of many, waiting while the client does not keep up."""
        ...

    def say(self, event: Event) -> None:
        """Sends an event to this socket alone."""
        ...

    def sign_in(self, principal: Principal) -> None:
        """Opens the socket for a user, or renews the token of one that is open.

        Raises `NotAuthenticated` where the token is another user's.
        """
        ...

    def doom(self, reason: Close) -> None:
        """Closes the socket after the frame that is being worked has its answer."""
        ...


Handler = Callable[..., Awaitable[Shape]]


@dataclass(frozen=True)
class Command:
    """One row: an event's name, what handles it, whether it needs no sign-in, or no database."""

    event: str
    handler: Handler
    public: bool = False
    offline: bool = False

    @cached_property
    def shape(self) -> type[Shape]:
        """The shape of the data, from the handler's signature."""
        signature = inspect.signature(self.handler, eval_str=True)
        shape: type[Shape] = signature.parameters["data"].annotation
        return shape


class Dispatcher:
    """Lives as long as the app; filled at its start."""

    def __init__(self, lifeline: Lifeline, meter: Meter = UNMETERED) -> None:
        self.lifeline = lifeline
        self.meter = meter
        self._rows: dict[str, tuple[Command, object]] = {}

    def register(self, commands: Iterable[Command], service: object) -> None:
        """Adds a feature's commands, bound to its service."""
        for command in commands:
            if command.event in self._rows:
                raise ValueError(f"two commands for {command.event}")
            self._rows[command.event] = (command, service)

    async def dispatch(self, client: Client, frame: ClientFrame) -> str | None:
        """Works one frame and returns the frame to answer with, if any."""
        started = time.perf_counter()
        try:
            answer = await self._work(client, frame)
        except ChatMeError as error:
            self._count(frame, started, error.code)
            self.meter.sent("error")
            return error_frame(frame.id, error)
        except Exception:
            self._count(frame, started, Code.INTERNAL)
            raise
        self._count(frame, started, None)
        if frame.id is None:
            return None
        self.meter.sent("ack")
        return ack_frame(frame.id, answer)

    def refuse(self, frame_id: FrameId, error: ChatMeError) -> str:
        """The frame that answers one that is not worked at all."""
        self.meter.refused("socket", error.code.value)
        self.meter.sent("error")
        return error_frame(frame_id, error)

    def _count(self, frame: ClientFrame, started: float, code: Code | None) -> None:
        # Only a known event has a name of its own: a client may say anything.
        event = frame.event if frame.event in self._rows else UNKNOWN
        took = time.perf_counter() - started
        self.meter.worked(event, took, None if code is None else code.value)

    async def _work(self, client: Client, frame: ClientFrame) -> Shape:
        row = self._rows.get(frame.event)
        if row is None:
            raise ChatMeError("There is no such event.", code=Code.UNKNOWN_EVENT)
        command, service = row
        if not command.public:
            _ = client.principal  # raises where nobody is signed in
        try:
            data: Any = command.shape.model_validate(frame.data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise invalid(error) from None
        if command.offline:
            return await command.handler(service, client, data)
        async with self.lifeline.guard():
            return await command.handler(service, client, data)
