"""A small world to talk in: people, what stands around the services, and processes over one
database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import new_id
from chatme.conversations.groups import GroupService
from chatme.conversations.listing import ListingService
from chatme.conversations.models import Activity, Conversation, Marks, Watermark
from chatme.conversations.pictures import PictureService
from chatme.conversations.presence import PresenceService
from chatme.conversations.service import ConversationService
from chatme.conversations.typing import TypingService
from chatme.conversations.views import ConversationViews
from chatme.conversations.wire import (
    ConversationPage,
    ConversationView,
    GroupWanted,
    NameQuery,
    PageQuery,
)
from chatme.messages.attachments import Attachments
from chatme.messages.candidates import Candidates
from chatme.messages.changes import ChangeService
from chatme.messages.deliveries import Deliveries
from chatme.messages.log import MessageLog
from chatme.messages.models import Message
from chatme.messages.receipts import ReceiptService
from chatme.messages.resume import ResumeService
from chatme.messages.search import SearchService
from chatme.messages.service import MessageService
from chatme.messages.views import MessageViews
from chatme.messages.wire import HistoryQuery, MessageDraft, MessageNamed, MessageView
from chatme.ports import MessageKind, Tellers
from chatme.storage import atomic
from chatme.storage.errands import Errands
from chatme.uploads.models import Upload
from chatme.uploads.removal import Remover
from chatme.uploads.service import UploadService
from chatme.uploads.sweeper import Sweeper
from chatme.users.blocks import BlockService
from chatme.users.models import Block, User, new_user
from chatme.users.service import UserService
from chatme_tests.fakes import (
    SOMETIME,
    AlwaysThere,
    FrozenClock,
    RecordingAnnouncer,
    Shaky,
    opened_engine,
)
from chatme_tests.uploads.stage import MemoryBlobs, uploaded

MODELS = (User, Block, Conversation, Activity, Watermark, Message, Upload)
NOWHERE = Path("/nowhere")
"""Where no file arrives."""
"""How long typing lasts here."""


class Sockets:
    """A `Presence` and `OnlineBook` that know what they are told."""

    def __init__(self) -> None:
        self.open: set[ObjectId] = set()
        self.screens: set[ObjectId] = set()

    def connected(self, users: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the users that have a socket."""
        return self.open & set(users)

    def on_screens(self) -> set[ObjectId]:
        """What somebody looks at."""
        return set(self.screens)

    def is_online(self, user_id: ObjectId) -> bool:
        """Whether the user has a socket."""
        return user_id in self.open


class Notes:
    """A `Notifier` that keeps what it was told, in order: what happened, and the details."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    async def message_arrived(self, **details: Any) -> None:
        """A message came."""
        self.told.append(("arrived", details))

    async def message_edited(
        self, message_id: ObjectId, kind: MessageKind, content: str, users: Collection[ObjectId]
    ) -> None:
        """A message has other words."""
        details = {"message_id": message_id, "kind": kind, "content": content, "users": set(users)}
        self.told.append(("edited", details))

    async def message_deleted(self, message_id: ObjectId) -> None:
        """A message is gone."""
        self.told.append(("deleted", {"message_id": message_id}))

    async def conversation_read(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        """All was read."""
        self.told.append(("read", {"user": user_id, "conversation": conversation_id}))

    async def conversation_cleared(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        """All was cleared."""
        self.told.append(("cleared", {"user": user_id, "conversation": conversation_id}))

    async def group_changed(self, **details: Any) -> None:
        """Somebody came or went."""
        self.told.append(("group", {**details, "users": list(details["users"])}))


@dataclass(frozen=True, slots=True)
class Outside:
    """What stands around the services."""

    clock: FrozenClock = field(default_factory=FrozenClock)
    ears: RecordingAnnouncer = field(default_factory=RecordingAnnouncer)
    notes: Notes = field(default_factory=Notes)
    sockets: Sockets = field(default_factory=Sockets)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    lifeline: Shaky = field(default_factory=Shaky)


class Node:
    """The services of one process, put together as `chatme.wiring` does."""

    def __init__(self, engine: AIOEngine, outside: Outside) -> None:
        self.engine = engine
        self.outside = outside
        clock, ears = outside.clock, outside.ears
        tellers = Tellers(ears, outside.notes, outside.sockets)
        self.blocks = BlockService(engine, clock)
        self.users = users = UserService(engine, clock, self.blocks)
        self.log = log = MessageLog(engine)
        self.facts = facts = MessageViews(engine, users, log)
        self.views = views = ConversationViews(engine, users, facts)
        self.errands = Errands(AlwaysThere(), pause=0.001)
        self.core = core = ConversationService(engine, clock, users, views, ears, self.errands)
        self.listing = ListingService(engine, core, views, facts, users, ears, outside.notes)
        remover = Remover(engine, clock, outside.blobs)
        self.uploads = uploads = UploadService(engine, clock, remover)
        self.groups = GroupService(engine, clock, users, core, views, facts, tellers)
        self.pictures = PictureService(engine, self.groups, uploads)
        self.typing = TypingService(core, users, outside.lifeline, ears)
        self.presence = PresenceService(engine, clock, users, core, tellers, outside.sockets)
        self.deliveries = Deliveries(engine, outside.lifeline, core, tellers)
        self.receipts = ReceiptService(engine, clock, users, core, log, self.deliveries, tellers)
        attachments = Attachments(engine, clock, uploads)
        self.messages = MessageService(
            engine, users, core, log, facts, self.receipts, tellers, attachments
        )
        self.changes = ChangeService(engine, clock, users, core, self.messages, log, facts, tellers)
        self.resume = ResumeService(engine, core, self.messages, log, facts)
        self.sweeper = Sweeper(
            engine,
            clock,
            remover,
            {
                "message": attachments.showing,
                "user": users.wearing,
                "group": self.pictures.wearing,
            },
            NOWHERE,
        )
        self.search = SearchService(engine, users, core, log, facts, Candidates(engine, clock))

    async def aclose(self) -> None:
        """Writes and cancels what is left."""
        await self.typing.aclose()
        await self.errands.aclose()
        await self.deliveries.aclose()

    async def direct(self, one: ObjectId, other: ObjectId) -> ObjectId:
        """The conversation of two."""
        return (await self.core.direct(one, other))[0].id

    async def group(self, admin: ObjectId, *others: ObjectId, name: str = "Tea") -> ObjectId:
        """A new group."""
        return (await self.groups.make(admin, GroupWanted(name=name, member_ids=list(others)))).id

    async def say(
        self, user: ObjectId, conversation: ObjectId, content: str = "Hi", **more: Any
    ) -> MessageView:
        """Sends a message, a millisecond later."""
        self.outside.clock.move(milliseconds=1)
        draft = MessageDraft(content=content, **more)
        return await self.messages.send(user, conversation, draft)

    async def listed(self, user: ObjectId, limit: int = 50) -> list[ConversationView]:
        """The first page of a user's conversations."""
        return (await self.listing.page(user, PageQuery(limit=limit))).items

    async def searched(self, user: ObjectId, q: str, **more: Any) -> ConversationPage:
        """A page of the user's conversations of a name."""
        return await self.listing.search(user, NameQuery(q=q, **more))

    async def history(
        self, user: ObjectId, conversation: ObjectId, limit: int = 100
    ) -> list[MessageView]:
        """The newest messages that a user sees, oldest first."""
        query = HistoryQuery(limit=limit)
        return (await self.messages.history(user, conversation, query)).items[::-1]

    async def read(self, user: ObjectId, message: MessageView) -> None:
        """One message alone is read, as the socket does it."""
        found = await self.changes.find(user, MessageNamed(message_id=message.id))
        await self.receipts.read_one(user, found, None)

    async def marks(self, user: ObjectId, conversation: ObjectId) -> Marks:
        """A member's marks."""
        roster = await self.core.members(conversation)
        return (await self.core.marks(roster))[conversation][user]

    async def unread(self, user: ObjectId, conversation: ObjectId) -> int:
        """What the badge of a conversation shows."""
        return (await self.listing.one(user, conversation)).unread_count


class World(Node):
    """The first process, and what all of them share."""

    @property
    def ears(self) -> RecordingAnnouncer:
        """What sockets were told."""
        return self.outside.ears

    @property
    def notes(self) -> Notes:
        """What was to be notified."""
        return self.outside.notes

    @property
    def sockets(self) -> Sockets:
        """Who has a socket."""
        return self.outside.sockets

    @property
    def clock(self) -> FrozenClock:
        """Everybody's time."""
        return self.outside.clock

    def node(self, engine: AIOEngine | None = None) -> Node:
        """Another process over the same database: it remembers nothing."""
        return Node(engine or self.engine, self.outside)

    async def people(self, *names: str) -> list[ObjectId]:
        """Fresh users."""
        users = [new_user(name, f"{name}.{new_id()}@example.org", None, SOMETIME) for name in names]
        await atomic.insert_missing(self.engine, users)
        return [user.id for user in users]

    async def upload(self, owner: ObjectId, **more: Any) -> Upload:
        """An upload that has arrived just now."""
        return await uploaded(self.engine, self.outside.blobs, self.clock, owner, **more)

    def heard(self, *names: str, by: ObjectId | None = None) -> list[Any]:
        """What events of these names carried, in order; those that went to one user, if named."""
        return [
            each.event.data
            for each in self.ears.heard
            if each.event.name in names and (by is None or by in each.users)
        ]

    def names_heard(self, user: ObjectId) -> list[str]:
        """The names of the events that went to one user, in order."""
        return [each.event.name for each in self.ears.heard if user in each.users]

    def forget(self) -> None:
        """Forgets what was told so far."""
        self.ears.heard.clear()
        self.notes.told.clear()


@asynccontextmanager
async def opened_world(folder: Path) -> AsyncIterator[World]:
    """An empty world over a folder, until the block ends."""
    async with opened_engine(folder / "data", MODELS) as engine:
        world = World(engine, Outside())
        try:
            yield world
        finally:
            await world.aclose()


def ids(views: Sequence[Any]) -> list[ObjectId]:
    """The ids of what was seen."""
    return [view.id for view in views]
