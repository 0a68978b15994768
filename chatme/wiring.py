"""The one assembly: every service is built here, once, and closed in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId
from odmantic import AIOEngine

from chatme import __version__
from chatme.accounts.models import Erasure
from chatme.accounts.routes import AccountDoor
from chatme.accounts.service import AccountService
from chatme.auth.models import Session, UsedState
from chatme.auth.routes import AuthDoor
from chatme.clock import Clock, SystemClock
from chatme.conversations.groups import GroupService
from chatme.conversations.held import HeldMemberships
from chatme.conversations.listing import ListingService
from chatme.conversations.models import Activity, Conversation, Watermark
from chatme.conversations.pictures import PictureService
from chatme.conversations.presence import PresenceService
from chatme.conversations.routes import COMMANDS as CONVERSATION_COMMANDS
from chatme.conversations.routes import ConversationDoor
from chatme.conversations.service import ConversationService
from chatme.conversations.typing import TypingService
from chatme.conversations.views import ConversationViews
from chatme.depot import open_depot
from chatme.entrance import build_entrance
from chatme.ground import Base, limiter_of
from chatme.health.scraping import ScrapeDoor
from chatme.health.service import HealthService
from chatme.http.replies import error_response
from chatme.messages.attachments import Attachments
from chatme.messages.candidates import Candidates
from chatme.messages.changes import ChangeService
from chatme.messages.deliveries import Deliveries
from chatme.messages.held import HeldMessages
from chatme.messages.log import MessageLog
from chatme.messages.models import Message
from chatme.messages.receipts import ReceiptService
from chatme.messages.resume import ResumeService
from chatme.messages.routes import COMMANDS as MESSAGE_COMMANDS
from chatme.messages.routes import MessageDoor
from chatme.messages.search import SearchService
from chatme.messages.service import MessageService
from chatme.messages.views import MessageViews
from chatme.notifications.models import Notification
from chatme.notifications.service import NotificationService
from chatme.ports import Authenticator, Limiter, Shelf, Tellers
from chatme.ratelimit import SharedWindows
from chatme.realtime.backplane.memory import MemoryBackplane
from chatme.realtime.commands import COMMANDS as SOCKET_COMMANDS
from chatme.realtime.commands import SocketDoor
from chatme.realtime.dispatcher import Client, Dispatcher
from chatme.realtime.endpoint import ChatEndpoint, SocketLimits
from chatme.realtime.hub import Hub
from chatme.realtime.presence import PresenceTracker
from chatme.realtime.publisher import Publisher
from chatme.settings import Settings
from chatme.storage.engine import open_engine, ping, prepare
from chatme.storage.errands import Errands
from chatme.storage.lifeline import Lifeline
from chatme.storage.migrations import MIGRATIONS, migrate
from chatme.storage.moves import refuse_unfinished
from chatme.uploads.models import Upload, UseKind
from chatme.uploads.routes import UploadDoor
from chatme.uploads.sweeper import Check
from chatme.users.blocks import BlockService
from chatme.users.models import DELETED_USER, Block, User
from chatme.users.service import UserService
from chatme.watching import build_health, open_metrics, watch

MODELS = (
    User,
    Block,
    Session,
    UsedState,
    Erasure,
    Conversation,
    Activity,
    Watermark,
    Message,
    Notification,
    Upload,
)


@dataclass(frozen=True, slots=True)
class Services:
    """What the app serves, and whether the database is ready for it.

    ``opening`` ends when it is; it fails where waiting does not help.
    """

    opening: asyncio.Task[None]
    lifeline: Lifeline
    authenticator: Authenticator
    limiter: Limiter
    auth: AuthDoor
    accounts: AccountDoor
    users: UserService
    conversations: ConversationDoor
    messages: MessageDoor
    uploads: UploadDoor
    shelf: Shelf
    notifications: NotificationService
    health: HealthService
    scrape: ScrapeDoor
    chat: ChatEndpoint


@asynccontextmanager
async def open_services(
    settings: Settings,
    clock: Clock | None = None,
    *,
    patient: bool = False,
    over: AIOEngine | None = None,
) -> AsyncIterator[Services]:
    """All services over the database that the settings name, or one that is open, until the block
    ends.

    Raises `storage.engine.DatabaseError` where the database cannot be opened, is not whole, or is
    of a newer program. With ``patient`` the block begins before that is known: `Services.opening`
    goes on trying while the database is away.
    """
    async with AsyncExitStack() as stack:
        metrics = await stack.enter_async_context(open_metrics(__version__))
        if over is None:
            over = await stack.enter_async_context(open_engine(settings, metrics))
        engine = over
        now = clock or SystemClock()

        async def make_ready() -> None:
            await refuse_unfinished(engine)
            await migrate(engine, MIGRATIONS, now, alone=settings.mongodb_uri is None)
            await prepare(engine, MODELS)

        lifeline = Lifeline(
            make_ready,
            None if settings.mongodb_uri is None else lambda: ping(engine),
        )
        stack.push_async_callback(lifeline.aclose)
        prepare_it = lifeline.prepare_patiently if patient else lifeline.prepare
        opening = asyncio.create_task(prepare_it())
        stack.push_async_callback(_end, opening)
        if not patient:
            await opening
        hub = Hub(metrics)
        backplane = MemoryBackplane()
        backplane.subscribe(hub.receive)
        depot = await stack.enter_async_context(open_depot(engine, now, settings))
        base = Base(
            settings,
            now,
            stack,
            engine,
            hub,
            Publisher(backplane),
            _shared(settings, stack),
            metrics,
            depot,
            lifeline,
        )
        services = _build(base, opening)
        await stack.enter_async_context(depot.sweeping(_upload_checks(services), lifeline))
        yield services


def _upload_checks(services: Services) -> Mapping[UseKind, Check]:
    """Whom the sweeper asks whether an upload is shown."""
    return {
        "message": services.messages.messages.attachments.showing,
        "user": services.users.wearing,
        "group": services.conversations.pictures.wearing,
    }


def _shared(settings: Settings, stack: AsyncExitStack) -> SharedWindows | None:
    if settings.redis_url is None:
        return None
    shared = SharedWindows(settings.redis_url.get_secret_value())
    stack.push_async_callback(shared.aclose)
    return shared


def _build(base: Base, opening: asyncio.Task[None]) -> Services:
    engine, clock, settings = base.engine, base.clock, base.settings
    users = UserService(engine, clock, BlockService(engine, clock))
    auth = build_entrance(base, users)
    notifications = NotificationService(engine, clock, base.publisher, base.hub)
    tellers = Tellers(base.publisher, notifications, base.hub)
    log = MessageLog(engine, base.metrics)
    message_views = MessageViews(engine, users, log)
    views = ConversationViews(engine, users, message_views)
    errands = Errands(base.lifeline)
    core = ConversationService(engine, clock, users, views, base.publisher, errands)

    conversations, tracker = _conversations(base, users, core, views, message_views, tellers)
    messages = _messages(base, users, core, log, message_views, tellers)
    base.stack.push_async_callback(errands.aclose)  # after which nothing is delivered any more

    dispatcher = Dispatcher(base.lifeline, base.metrics)
    dispatcher.register(SOCKET_COMMANDS, SocketDoor(auth.auth))
    dispatcher.register(CONVERSATION_COMMANDS, conversations)
    dispatcher.register(MESSAGE_COMMANDS, messages)

    chat = _chat(base, auth.auth, dispatcher, tracker, messages.receipts)
    watch(base.metrics, engine, base.lifeline, base.hub, tracker, chat)
    return Services(
        opening=opening,
        lifeline=base.lifeline,
        authenticator=auth.auth,
        limiter=limiter_of(base),
        auth=auth,
        accounts=_accounts(base, users, auth, conversations, notifications),
        users=users,
        conversations=conversations,
        messages=messages,
        uploads=base.depot.door(users),
        shelf=base.depot.stores.shelf,
        notifications=notifications,
        health=build_health(settings, engine, base.lifeline, base.stack),
        scrape=ScrapeDoor(base.metrics, settings.metrics_token),
        chat=chat,
    )


def _chat(
    base: Base,
    authenticator: Authenticator,
    dispatcher: Dispatcher,
    tracker: PresenceTracker,
    receipts: ReceiptService,
) -> ChatEndpoint:
    settings = base.settings

    async def on_connected(client: Client) -> None:
        await receipts.connected(client.principal.user_id)

    limits = SocketLimits(
        origins=frozenset(settings.frontend_url),
        frames=settings.ws_rate,
        sockets_per_user=settings.ws_max_per_user,
    )
    return ChatEndpoint(
        authenticator,
        dispatcher,
        base.hub,
        tracker,
        base.clock,
        limits,
        on_connected,
        error_response,
    )


def _accounts(
    base: Base,
    users: UserService,
    auth: AuthDoor,
    conversations: ConversationDoor,
    notifications: NotificationService,
) -> AccountDoor:
    """The account's end: what every feature has to erase of somebody, and to show."""
    messages = HeldMessages(base.engine, conversations.conversations)

    async def forget_name(user_id: ObjectId) -> None:
        await notifications.user_erased(user_id, DELETED_USER)

    accounts = AccountService(
        base.engine,
        base.clock,
        users,
        auth.auth,
        conversations.conversations.errands,
        steps=(
            conversations.groups.leave_all,
            users.blocks.erase,
            base.depot.uploads.owner_erased,
            forget_name,
        ),
        sections={
            "sessions": auth.auth.held,
            "blocked": users.blocks.held,
            "conversations": HeldMemberships(base.engine).of,
            "messages": messages.sent,
            "reactions": messages.reactions,
            "uploads": base.depot.uploads.held,
            "notifications": notifications.held,
        },
    )

    async def finish_erasures() -> None:
        await base.lifeline.wait()
        await accounts.finish_erasures()

    base.stack.push_async_callback(_end, asyncio.create_task(finish_erasures()))
    return AccountDoor(accounts, auth.limiter, auth.rate)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _conversations(
    base: Base,
    users: UserService,
    core: ConversationService,
    views: ConversationViews,
    facts: MessageViews,
    tellers: Tellers,
) -> tuple[ConversationDoor, PresenceTracker]:
    # The tracker tells the service who came and went, and the service asks the tracker.
    async def came(user_id: ObjectId) -> None:
        async with base.lifeline.guard():
            await presence.came(user_id)

    async def went(user_id: ObjectId, at: datetime) -> None:
        async with base.lifeline.guard():
            await presence.went(user_id, at)

    tracker = PresenceTracker(came, went, base.clock)
    base.stack.push_async_callback(tracker.aclose)
    presence = PresenceService(base.engine, base.clock, users, core, tellers, tracker)
    typing = TypingService(core, users, base.lifeline, base.publisher)
    base.stack.push_async_callback(typing.aclose)
    groups = GroupService(base.engine, base.clock, users, core, views, facts, tellers)
    door = ConversationDoor(
        core,
        ListingService(base.engine, core, views, facts, users, base.publisher, tellers.notifier),
        groups,
        PictureService(base.engine, groups, base.depot.uploads),
        typing,
        presence,
    )
    return door, tracker


def _messages(
    base: Base,
    users: UserService,
    conversations: ConversationService,
    log: MessageLog,
    views: MessageViews,
    tellers: Tellers,
) -> MessageDoor:
    engine, clock = base.engine, base.clock
    deliveries = Deliveries(engine, base.lifeline, conversations, tellers)
    base.stack.push_async_callback(deliveries.aclose)
    receipts = ReceiptService(engine, clock, users, conversations, log, deliveries, tellers)
    attachments = Attachments(engine, clock, base.depot.uploads)
    service = MessageService(
        engine, users, conversations, log, views, receipts, tellers, attachments
    )
    changes = ChangeService(engine, clock, users, conversations, service, log, views, tellers)
    resume = ResumeService(engine, conversations, service, log, views)
    search = SearchService(engine, users, conversations, log, views, Candidates(engine, clock))
    return MessageDoor(service, changes, receipts, resume, search)
