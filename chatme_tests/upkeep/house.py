"""A database with something of everything in it, made by the real services."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bson import ObjectId

from chatme.auth.wire import Registration
from chatme.conversations.wire import GroupWanted
from chatme.messages.wire import MessageDraft, MessageNamed
from chatme.principal import Peer
from chatme.settings import Settings
from chatme.wiring import Services, open_services
from chatme_tests.fakes import settings_of

PASSWORD = "Correct-Horse-7"
PEER = Peer(address="192.0.2.1", user_agent="test")
MESSAGES = 12


class House(NamedTuple):
    """Who and what was put into it."""

    settings: Settings
    ada: ObjectId
    bob: ObjectId
    cyd: ObjectId
    group: ObjectId
    talk: ObjectId
    messages: list[ObjectId]


async def sign_up(services: Services, name: str) -> ObjectId:
    """A fresh user."""
    registration = Registration.model_validate(
        {"displayName": name, "email": f"{name.lower()}@example.com", "password": PASSWORD}
    )
    await services.auth.auth.register(registration, PEER)
    user = await services.users.by_email(registration.email)
    assert user is not None
    return user.id


async def say(services: Services, who: ObjectId, where: ObjectId, content: str) -> ObjectId:
    """A message that was accepted."""
    draft = MessageDraft.model_validate({"content": content, "clientId": content})
    return (await services.messages.messages.send(who, where, draft)).id


async def furnish(folder: Path) -> House:
    """An embedded database with users, a group, a talk, messages of all fates, and a block."""
    settings = settings_of(folder, mongodb_uri=None)
    async with open_services(settings) as services:
        ada, bob, cyd = [await sign_up(services, each) for each in ("Ada", "Bob", "Cyd")]
        wanted = GroupWanted.model_validate({"name": "Tea", "memberIds": [str(bob), str(cyd)]})
        group = (await services.conversations.groups.make(ada, wanted)).id
        talk = (await services.conversations.conversations.direct(ada, bob))[0].id
        messages = []
        for at in range(MESSAGES):
            messages.append(await say(services, (ada, bob)[at % 2], group, f"Tea {at}"))
            await say(services, ada, talk, f"Hush {at}")
        changes = services.messages.changes
        await changes.delete(ada, MessageNamed(message_id=messages[0]))
        await changes.edit(bob, MessageNamed(message_id=messages[1]), "Coffee")
        await changes.react(cyd, MessageNamed(message_id=messages[2]), "👍")
        await services.messages.receipts.read_all(bob, talk, None)
        await services.users.blocks.block(cyd, bob)
    return House(settings, ada, bob, cyd, group, talk, messages)
