"""The AsyncAPI document of this server: its commands, its events, its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatme import __version__
from chatme.conversations.events import EVENTS as CONVERSATION_EVENTS
from chatme.conversations.routes import COMMANDS as CONVERSATION_COMMANDS
from chatme.conversations.wire import MessageInList
from chatme.manual.words import SAMPLES, WORDS
from chatme.messages.events import EVENTS as MESSAGE_EVENTS
from chatme.messages.routes import COMMANDS as MESSAGE_COMMANDS
from chatme.messages.wire import MessageView
from chatme.notifications.events import EVENTS as NOTIFICATION_EVENTS
from chatme.realtime import asyncapi
from chatme.realtime.budget import PATIENCE
from chatme.realtime.commands import COMMANDS as SOCKET_COMMANDS
from chatme.realtime.commands import EVENTS as SOCKET_EVENTS
from chatme.realtime.commands import HEARTBEAT_SECONDS
from chatme.realtime.contract import Contract, Limit
from chatme.realtime.endpoint import SocketLimits
from chatme.realtime.frames import MAX_FRAME_BYTES, MAX_ID_LENGTH
from chatme.settings import Settings
from chatme.shapes import Shape

COMMANDS = (*SOCKET_COMMANDS, *CONVERSATION_COMMANDS, *MESSAGE_COMMANDS)
EVENTS = (*SOCKET_EVENTS, *CONVERSATION_EVENTS, *MESSAGE_EVENTS, *NOTIFICATION_EVENTS)

# What is only the base of what really is sent, and what that is.
STAND_INS: Mapping[type[Shape], type[Shape]] = {MessageInList: MessageView}


def realtime_document(settings: Settings) -> dict[str, Any]:
    """The AsyncAPI document of this server, with the limits that are set."""
    return asyncapi.build(
        Contract(
            version=__version__,
            commands=COMMANDS,
            events=EVENTS,
            limits=_limits(settings),
            stand_ins=STAND_INS,
            words=WORDS,
            samples=SAMPLES,
        )
    )


def _limits(settings: Settings) -> tuple[Limit, ...]:
    limits, rate = SocketLimits(), settings.ws_rate
    pace = (
        "none" if rate is None else f"{rate.per_second:g} a second, {2 * rate.per_second:g} at once"
    )
    return (
        Limit("Frame size", f"{MAX_FRAME_BYTES // 1024} KiB", "Over it: close 1009."),
        Limit("Frame id", f"{MAX_ID_LENGTH} characters", "Or any integer."),
        Limit(
            "Frames",
            pace,
            f"For each socket. Over it: `rate_limited`; {PATIENCE} more: close 4429.",
        ),
        Limit(
            "Sockets",
            str(settings.ws_max_per_user),
            "For each user. Over it: the oldest goes with 4409.",
        ),
        Limit(
            "Strangers",
            str(limits.strangers_per_address),
            "Sockets that have not yet authenticated, for each address. Over it: 429.",
        ),
        Limit(
            "Authentication",
            f"{limits.auth_deadline.total_seconds():g} s",
            "For a first `auth`. Later: close 4408.",
        ),
        Limit(
            "Silence",
            f"{HEARTBEAT_SECONDS} s + 20 s",
            "The server pings; a peer that does not answer in time is dropped.",
        ),
    )
