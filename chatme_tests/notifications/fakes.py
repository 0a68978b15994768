"""Stand-ins around the notifications' rules: sockets, ears, a watched database; and the stage."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from bson import ObjectId
from odmantic import AIOEngine, Model

from chatme.notifications.events import Notified
from chatme.notifications.service import NotificationService
from chatme.notifications.wire import LiveNotification, NotificationQuery, NotificationView
from chatme.ports import Event
from chatme_tests.fakes import FrozenClock

SENDER, TEA = ObjectId(), ObjectId()


class Sockets:
    """A `Presence` that knows what it is told."""

    def __init__(self) -> None:
        self.open: set[ObjectId] = set()

    def connected(self, users: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the users that have a socket."""
        return self.open & set(users)

    def on_screens(self) -> set[ObjectId]:
        """Nobody looks at anything."""
        return set()


@dataclass(frozen=True, slots=True)
class Heard:
    """One call of an announcer."""

    data: LiveNotification
    users: set[ObjectId]
    quiet_in: ObjectId | None


class Ears:
    """An `Announcer` that keeps the notifications that it was given, in order."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def publish(
        self,
        event: Event,
        users: Collection[ObjectId],
        *,
        without: str | None = None,
        quiet_in: ObjectId | None = None,
        only_in: ObjectId | None = None,
    ) -> None:
        """Keeps it; nothing but notifications, to whole users."""
        assert isinstance(event, Notified)
        assert (without, only_in) == (None, None)
        self.heard.append(Heard(event.data, set(users), quiet_in))


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the database; of what finds anything also the filter and the order."""

    name: str
    filter: dict[str, Any] | None
    sort: list[tuple[str, int]] = field(default_factory=list)


class _Watched:
    """A collection whose calls are kept."""

    def __init__(self, collection: Any, seen: list[Operation]) -> None:
        self._collection = collection
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._collection, name)

        def call(first: Any, *args: Any, **options: Any) -> Any:
            self._seen.append(_operation(name, first))
            return method(first, *args, **options)

        return call


def _operation(name: str, first: Any) -> Operation:
    if name == "aggregate":
        stages = {key: value for stage in first for key, value in stage.items()}
        return Operation(name, dict(stages["$match"]), list(stages.get("$sort", {}).items()))
    return Operation(name, None if name == "insert_many" else dict(first))


class WatchedEngine(AIOEngine):
    """Another engine, whose operations are kept in `seen`."""

    def __init__(self, engine: AIOEngine) -> None:
        super().__init__(engine.client, engine.database_name)
        self.seen: list[Operation] = []

    def get_collection(self, model: type[Model]) -> Any:
        """The collection, watched."""
        return _Watched(cast("Any", super().get_collection(model)), self.seen)

    def take(self) -> list[str]:
        """The names of the operations since the last look."""
        names = [each.name for each in self.seen]
        self.seen.clear()
        return names


@dataclass
class Stage:
    """The service, and what stands around it."""

    service: NotificationService
    engine: WatchedEngine
    clock: FrozenClock
    ears: Ears
    sockets: Sockets

    async def message(
        self,
        *users: ObjectId,
        conversation: ObjectId = TEA,
        message: ObjectId | None = None,
        content: str = "Hi",
    ) -> ObjectId:
        """Tells users of a message, a millisecond later; the message's id."""
        message = message or ObjectId()
        self.clock.move(milliseconds=1)
        await self.service.message_arrived(
            conversation_id=conversation,
            message_id=message,
            sender_id=SENDER,
            sender_name="Sender",
            kind="text",
            content=content,
            users=users,
        )
        return message

    async def group(self, users: Collection[ObjectId]) -> None:
        """Tells users that they were added to a group."""
        await self.added({user: ObjectId() for user in users})

    async def added(self, told: Mapping[ObjectId, ObjectId]) -> None:
        """Tells users that they were added to a group, each by an id of its own."""
        await self.service.group_changed(
            type="group_added",
            conversation_id=TEA,
            name="Tea",
            by_id=SENDER,
            by_name="Sender",
            users=told,
        )

    async def unread(self, user: ObjectId) -> list[NotificationView]:
        """A user's unread notifications, the first hundred."""
        return (await self.service.page(user, NotificationQuery(limit=100))).items

    async def previews(self, user: ObjectId) -> list[str]:
        """Their previews."""
        return [each.payload["preview"] for each in await self.unread(user)]

    async def pages(self, user: ObjectId, limit: int) -> list[list[ObjectId]]:
        """The ids of a user's unread notifications, page by page."""
        page = await self.service.page(user, NotificationQuery(limit=limit))
        pages = [page.items]
        while page.next is not None:
            page = await self.service.page(user, NotificationQuery(limit=limit, cursor=page.next))
            pages.append(page.items)
        return [[each.id for each in items] for items in pages]
