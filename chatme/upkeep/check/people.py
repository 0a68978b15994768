"""What must be true of users, and of what hangs on them: sessions, blocks, notifications."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId
from odmantic import AIOEngine

from chatme.accounts.models import Erasure
from chatme.auth.models import Session
from chatme.conversations.models import Conversation, Watermark
from chatme.messages.models import Message
from chatme.notifications.models import Notification
from chatme.storage import atomic
from chatme.upkeep.check.findings import Finding, existing, is_erased, people, removing, setting
from chatme.upkeep.check.uploads import Shown, without_upload
from chatme.uploads.models import Use
from chatme.users.models import DELETED_USER, Block, User, grams, search_text


async def users(engine: AIOEngine, page: Sequence[User]) -> list[Finding]:
    """What serves the search of users is made of their name and address; pictures are there."""
    found = []
    for user in page:
        text = search_text(user.display_name, user.email)
        if is_erased({"_id": user.id, "email": user.email}):
            text = ""
        if user.search_text != text or user.grams != grams(text):
            found.append(
                Finding(
                    f"user {user.id}: what the search goes by is not their name and address",
                    setting(
                        User,
                        user.id,
                        {"display_name": user.display_name, "email": user.email},
                        {"search_text": text, "grams": grams(text)},
                    ),
                )
            )
    worn = [
        Shown(f"user {each.id}", Use("user", each.id), each.avatar_id)
        for each in page
        if each.avatar_id is not None
    ]
    return found + await without_upload(engine, worn)


async def sessions(engine: AIOEngine, page: Sequence[Session]) -> list[Finding]:
    """A session is of an active user."""
    known = await people(engine, [each.user for each in page])
    return [
        Finding(
            f"session {each.id}: its user {each.user} is no more, or shut out",
            removing(Session, each.id),
        )
        for each in page
        if each.user not in known or not known[each.user].get("is_active")
    ]


async def blocks(engine: AIOEngine, page: Sequence[Block]) -> list[Finding]:
    """A block is between two users, and neither is erased."""
    known = await people(engine, [user for each in page for user in (each.blocker, each.blocked)])
    here = {user for user, each in known.items() if not is_erased(each)}
    return [
        Finding(
            f"block {each.id}: of {each.blocker} and {each.blocked} one is no more",
            removing(Block, each.id),
        )
        for each in page
        if not {each.blocker, each.blocked} <= here or each.blocker == each.blocked
    ]


async def erasures(_: AIOEngine, page: Sequence[Erasure]) -> list[Finding]:
    """No erasure was cut."""
    return [
        Finding(f"user {each.id}: the erasure begun at {each.begun_at} is not finished")
        for each in page
    ]


async def notifications(engine: AIOEngine, page: Sequence[Notification]) -> list[Finding]:
    """A notification is for somebody, and of something that is still there for them."""
    found = []
    for each, reason in (await _gone(engine, page)).items():
        found.append(Finding(f"notification {each}: {reason}", removing(Notification, each)))
    known = await people(engine, [each.by for each in page if each.by is not None])
    for notification in page:
        by = known.get(notification.by) if notification.by is not None else None
        key = "senderName" if notification.type == "new_message" else "byName"
        if by is not None and is_erased(by) and notification.payload.get(key) != DELETED_USER:
            words = f"notification {notification.id}: it names {notification.by}, who is erased"
            change = {f"payload.{key}": DELETED_USER}
            found.append(Finding(words, setting(Notification, notification.id, {}, change)))
    return found


async def _gone(engine: AIOEngine, page: Sequence[Notification]) -> dict[ObjectId, str]:
    """The notifications that nobody should see any more, and why."""
    known = await people(engine, [each.user for each in page])
    here = await existing(engine, Conversation, [each.conversation for each in page])
    wanted = [each.message for each in page if each.message is not None]
    messages = {
        each["_id"]: each
        for each in await atomic.project(
            engine, Message, {"_id": {"$in": wanted}}, ["seq", "is_deleted"]
        )
    }
    rows = await atomic.project(
        engine,
        Watermark,
        {
            "conversation": {"$in": sorted(here)},
            "user": {"$in": sorted(known)},
            "cleared_seq": {"$gte": 0},
        },
        ["conversation", "user", "cleared_seq"],
    )
    cleared = {(row["conversation"], row["user"]): row["cleared_seq"] for row in rows}
    found = {}
    for each in page:
        message = None if each.message is None else messages.get(each.message)
        if each.user not in known or is_erased(known[each.user]):
            found[each.id] = f"its user {each.user} is no more"
        elif each.conversation is not None and each.conversation not in here:
            found[each.id] = f"conversation {each.conversation} is not there"
        elif each.message is not None and (message is None or message.get("is_deleted")):
            found[each.id] = f"message {each.message} is no more"
        elif message and message.get("seq", 0) <= cleared.get((each.conversation, each.user), -1):
            found[each.id] = f"message {each.message} was cleared by {each.user}"
    return found
