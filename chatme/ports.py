"""What the platform's packages ask of each other and of the features, as Protocols.

Packages of the platform do not import each other; they meet here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from os import stat_result
from pathlib import Path
from typing import Final, Literal, Protocol

from bson import ObjectId

from chatme.principal import Principal
from chatme.rates import Quota, Rate
from chatme.shapes import Shape

MessageKind = Literal["text", "image", "audio", "file"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to one address, in plain text."""

    to: str
    subject: str
    text: str


class Undeliverable(Exception):
    """A letter could not be sent; why, in words for the log, without any of the letter's."""


class Mailer(Protocol):
    """Sends letters."""

    def check(self) -> None:
        """Raises `errors.Unavailable` (`mail_not_configured`) where none can be sent at all."""
        ...

    async def send(self, letter: Letter) -> None:
        """Returns when the letter was taken; raises `Undeliverable`."""
        ...


class Authenticator(Protocol):
    """Tells who stands behind an access token."""

    async def authenticate(self, token: str) -> Principal:
        """The caller behind an access token.

        Raises `errors.NotAuthenticated` for a token that is forged, expired, of another kind, or
        whose session has ended.
        """
        ...

    async def recheck(self, principal: Principal) -> None:
        """Raises `errors.NotAuthenticated` where the caller's session has ended since."""
        ...


class Limiter(Protocol):
    """Counts how often somebody does something."""

    async def count(self, rate: Rate | None, *names: str) -> Quota | None:
        """Counts once more under these names, and tells what is left; nothing without a rate."""
        ...


class Lifeline(Protocol):
    """The way to the database."""

    def is_ready(self) -> bool:
        """Whether the database can be used."""
        ...

    async def wait(self) -> None:
        """Returns when it can."""
        ...

    def guard(self) -> AbstractAsyncContextManager[None]:
        """Around work that needs it; raises `errors.Unavailable` while it is away."""
        ...


class Event(Protocol):
    """Something that happened, as clients hear of it: a wire name and the data."""

    @property
    def name(self) -> str:
        """The event's name on the wire."""
        ...

    @property
    def data(self) -> Shape:
        """What the frame carries."""
        ...


class Announcer(Protocol):
    """Tells users' open sockets that something happened."""

    def publish(
        self,
        event: Event,
        users: Collection[ObjectId],
        *,
        without: str | None = None,
        quiet_in: ObjectId | None = None,
        only_in: ObjectId | None = None,
    ) -> None:
        """Sends the event to the open sockets of these users, in the order of the calls.

        ``without`` leaves out the socket of that id, ``quiet_in`` those that have that
        conversation open, ``only_in`` all but those.

        Call it only after the write that makes the event true. It never waits and never fails:
        the database is the truth, and a socket that missed an event fetches it.
        """
        ...


class Presence(Protocol):
    """Tells who has an open socket."""

    def connected(self, users: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the users that have an open socket right now."""
        ...

    def on_screens(self) -> set[ObjectId]:
        """The conversations that some open socket has on its screen."""
        ...


class OnlineBook(Protocol):
    """Tells who counts as being here: also who is only between two sockets."""

    def is_online(self, user_id: ObjectId) -> bool:
        """Whether a user is here."""
        ...


class SocketCloser(Protocol):
    """Closes the sockets of sessions that ended."""

    def end_sessions(
        self, user_id: ObjectId, session_ids: Collection[ObjectId] | None = None
    ) -> None:
        """Closes, with 4401, the sockets of these sessions of a user, or of all of them."""
        ...


class Notifier(Protocol):
    """Makes notifications of what happens elsewhere."""

    async def message_arrived(
        self,
        *,
        conversation_id: ObjectId,
        message_id: ObjectId,
        sender_id: ObjectId,
        sender_name: str,
        kind: MessageKind,
        content: str,
        users: Collection[ObjectId],
    ) -> None:
        """Tells these users of a message: at once where they are connected, else stored."""
        ...

    async def message_edited(
        self,
        message_id: ObjectId,
        kind: MessageKind,
        content: str,
        users: Collection[ObjectId],
    ) -> None:
        """Lets these users' previews of a message follow its new content."""
        ...

    async def message_deleted(self, message_id: ObjectId) -> None:
        """Forgets a message that was deleted."""
        ...

    async def conversation_read(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        """Marks what a user was told of a conversation as read."""
        ...

    async def conversation_cleared(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        """Forgets what a user was told of a conversation's messages."""
        ...

    async def group_changed(
        self,
        *,
        type: Literal["group_added", "group_removed"],
        conversation_id: ObjectId,
        name: str,
        by_id: ObjectId,
        by_name: str,
        users: Mapping[ObjectId, ObjectId],
    ) -> None:
        """Tells these users that they were added to a group, or removed from it.

        Each comes with the id of what is told to them, which makes it safe to say twice.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tellers:
    """Whom a service tells of what it did, and who can hear it."""

    announcer: Announcer
    notifier: Notifier
    presence: Presence


class Meter(Protocol):
    """Counts what the server does, for who watches it; never waits and never fails.

    Call it with names of our own, never with a client's words: each is kept to the end.
    """

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is the template of its path."""
        ...

    def refused(self, door: Literal["http", "socket"], code: str) -> None:
        """Somebody was told of an error before their frame, or whatever else, was worked."""
        ...

    def worked(self, event: str, seconds: float, code: str | None) -> None:
        """A socket's frame was worked, to an error's code or to success."""
        ...

    def sent(self, event: str, frames: int = 1) -> None:
        """So many frames of an event went to sockets."""
        ...

    def closed(self, reason: str) -> None:
        """A socket's end began."""
        ...

    def stored(self, kind: str) -> None:
        """A message was stored."""
        ...

    def asked(self, operation: str, collection: str, seconds: float) -> None:
        """The database answered; from any thread."""
        ...


class NoMeter:
    """A `Meter` that counts nothing."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Nobody counts."""

    def refused(self, door: Literal["http", "socket"], code: str) -> None:
        """Nobody counts."""

    def worked(self, event: str, seconds: float, code: str | None) -> None:
        """Nobody counts."""

    def sent(self, event: str, frames: int = 1) -> None:
        """Nobody counts."""

    def closed(self, reason: str) -> None:
        """Nobody counts."""

    def stored(self, kind: str) -> None:
        """Nobody counts."""

    def asked(self, operation: str, collection: str, seconds: float) -> None:
        """Nobody counts."""


UNMETERED: Final = NoMeter()


class Blobs(Protocol):
    """Keeps uploaded bytes."""

    async def put(self, public_id: str, source: Path, media_type: str, name: str) -> str:
        """Takes the file over and keeps it under an id that nobody can guess; its URL.

        ``name`` is what a reader's browser saves it as. Raises `errors.StorageFull` on a full
        disk, `errors.Unavailable` where the store cannot be reached. ``source`` is gone
        afterwards in either case.
        """
        ...

    async def delete(self, public_id: str) -> None:
        """Forgets the bytes; also where there are none.

        Raises `errors.Unavailable` where the store cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that this server keeps itself, as it is to be served."""

    path: Path
    stat: stat_result
    media_type: str
    name: str


class Shelf(Protocol):
    """Finds what this server serves itself."""

    async def find(self, public_id: str) -> StoredFile | None:
        """The file of that id; nothing where there is none, whatever the id looks like."""
        ...
