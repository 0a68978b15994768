"""Three people who talk, come, go, read and block, all at once; and what must hold throughout."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bson import ObjectId

from chatme.errors import Conflict, Forbidden, NotFound
from chatme.messages.events import MessagesDelivered, MessagesRead
from chatme.messages.models import Message
from chatme.messages.views import receipt_statuses
from chatme.messages.wire import MessageNamed
from chatme_tests.conversations.world import Node, World, opened_world

KINDS = ("say", "say", "open", "mark", "come", "come", "go", "edit", "block", "unblock")
ORDER = ("sent", "delivered", "read")

Statuses = dict[tuple[ObjectId, ObjectId], str]
"""How far a recipient is with a message."""


class Step(NamedTuple):
    """What somebody does, a few turns of the loop from the beginning."""

    kind: str
    who: int
    what: int
    delay: int


class Play:
    """One world, in one process or in several, and everything that was said in it."""

    def __init__(self, world: World, nodes: Sequence[Node]) -> None:
        self.world = world
        self.nodes = nodes
        self.people: list[ObjectId] = []
        self.places: list[ObjectId] = []
        self.over = False

    async def begin(self) -> None:
        """Ann and Bob talk, and all three have a group."""
        ann, bob, cyd = self.people = await self.world.people("ann", "bob", "cyd")
        self.places = [await self.world.group(ann, bob, cyd), await self.world.direct(ann, bob)]

    async def act(self, at: int, step: Step) -> None:
        """Does one step; what is not allowed at that moment is not done."""
        for _ in range(step.delay):
            await asyncio.sleep(0)
        node, user = self.nodes[at % len(self.nodes)], self.people[step.who]
        place = self.places[step.what % 2 if step.who < 2 else 0]
        with suppress(NotFound, Forbidden, Conflict):
            if step.kind == "say":
                await node.say(user, place)
            elif step.kind == "open":
                await node.receipts.read_all(user, place, None)
            elif step.kind == "come":
                self.world.sockets.open.add(user)
                await node.receipts.connected(user)
            elif step.kind == "go":
                self.world.sockets.open.discard(user)
            elif step.kind in ("mark", "edit"):
                await self._touch(node, user, step)
            else:
                other = self.people[(step.who + 1 + step.what % 2) % 3]
                await getattr(node.blocks, step.kind)(user, other)

    async def _touch(self, node: Node, user: ObjectId, step: Step) -> None:
        messages = await self.messages()
        if messages:
            named = MessageNamed(message_id=messages[step.what % len(messages)].id)
            if step.kind == "edit":
                await node.changes.edit(user, named, "New")
            else:
                found = await node.changes.find(user, named)
                await node.receipts.read_one(user, found, None)

    async def messages(self) -> list[Message]:
        """Everything that was said."""
        return await self.world.engine.find(Message, sort=Message.id)

    async def statuses(self) -> Statuses:
        """How far each recipient is with each message, as the database says."""
        messages = await self.messages()
        rosters = await self.world.core.rosters(self.places)
        marks = await self.world.core.marks(*rosters.values())
        return {
            (message.id, user): status
            for message in messages
            for user, status in receipt_statuses(message, marks[message.conversation]).items()
        }

    async def watch(self) -> None:
        """Looks again and again: neither marks nor statuses ever go back."""
        before: Statuses = {}
        while not self.over:
            after = await self.statuses()
            for key, status in before.items():
                assert rank(after[key]) >= rank(status)
            before = after

    async def check_badges(self) -> None:
        """Each badge counts what its owner sees, others said, and nobody read."""
        for place in self.places:
            for user in (await self.world.core.members(place)).user_ids:
                own = await self.world.marks(user, place)
                unread = [
                    view
                    for view in await self.world.node().history(user, place)
                    if view.sender.id != user
                    and view.seq > own.floor
                    and view.seq not in own.read_ahead
                ]
                assert await self.world.node().unread(user, place) == len(unread)

    async def check_told(self) -> None:
        """What senders were told of their messages only rises, and is true."""
        told: Statuses = {}
        final, messages = await self.statuses(), {each.id: each for each in await self.messages()}
        for heard in self.world.ears.heard:
            event = heard.event
            if isinstance(event, MessagesDelivered):
                status, recipients = "delivered", event.data.recipient_ids
            elif isinstance(event, MessagesRead):
                status, recipients = "read", [event.data.read_by]
            else:
                continue
            last = event.data.up_to_seq or 0
            for message in messages.values():
                place = message.conversation == event.data.conversation_id
                meant = message.id in event.data.message_ids or message.seq <= last
                for user in recipients:
                    key = message.id, user
                    if place and meant and message.sender in heard.users and key in final:
                        assert rank(final[key]) >= rank(status)
                        if message.id in event.data.message_ids:
                            assert rank(status) >= rank(told.get(key, "sent"))
                            told[key] = status

    async def check_end(self) -> None:
        """Once all came and opened everything, all is read but what was withheld."""
        for one in self.people:
            for other in self.people:
                if one != other:
                    await self.nodes[0].blocks.unblock(one, other)
        node = self.world.node()
        for place in self.places:
            for user in (await node.core.members(place)).user_ids:
                await node.receipts.read_all(user, place, None)
                assert await node.unread(user, place) == 0
        withheld = {each.id: each.withheld_from for each in await self.messages()}
        for (message, user), status in (await self.statuses()).items():
            assert status == ("sent" if user in withheld[message] else "read")


def rank(status: str) -> int:
    """How far that is."""
    return ORDER.index(status)


async def play(folder: Path, steps: Sequence[Step], processes: int) -> None:
    """Plays the steps at once; blocks and rosters are remembered by the first process alone."""
    async with opened_world(folder) as world:
        nodes = [world, *(world.node() for _ in range(processes - 1))]
        stage = Play(world, nodes)
        await stage.begin()
        watching = asyncio.create_task(stage.watch())
        await asyncio.gather(*(stage.act(at, step) for at, step in enumerate(steps)))
        for node in nodes:
            await node.aclose()
        stage.over = True
        await watching
        if processes == 1:
            await stage.check_badges()
            await stage.check_told()
        await stage.check_end()
