"""Users who do all that can be done to messages, over cables that are torn at random moments."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chatme_tests.client import Json, Refused, User
from chatme_tests.flows.resume_client import LOST, Client

EMOJIS = ("👍", "❤️", "🎉")


@dataclass(eq=False)
class Actor:
    """Acts through a client; what it sent is sent again until it is acked."""

    client: Client
    rooms: Sequence[str]
    dice: random.Random
    sent: dict[str, str] = field(default_factory=dict)

    async def live(self, steps: int) -> None:
        """So many steps, one after the other."""
        for at in range(steps):
            if self.dice.random() < 0.4:
                await self._send(f"{self.client.user.name} {at}")
            else:
                await self._change()

    async def _send(self, name: str) -> None:
        room = self.dice.choice(self.rooms)
        draft: Json = {"conversationId": room, "content": name, "clientId": name}
        own = [each["id"] for each in self._seen() if each["conversationId"] == room]
        if own and self.dice.random() < 0.2:
            draft["replyTo"] = self.dice.choice(own)
        while not await self._call("send_message", draft):
            pass
        self.sent[name] = room

    async def _change(self) -> None:
        seen = self._seen()
        if not seen:
            return
        said = self.dice.choice(seen[-8:])
        named = {"messageId": said["id"]}
        event, more = self.dice.choice(
            [
                ("edit_message", {"content": f"{said['content']}!"}),
                ("delete_message", {}),
                ("add_reaction", {"emoji": self.dice.choice(EMOJIS)}),
                ("add_reaction", {"emoji": self.dice.choice(EMOJIS)}),
                ("remove_reaction", {}),
                ("mark_read", {}),
                ("open_conversation", {"conversationId": said["conversationId"]}),
            ]
        )
        await self._call(event, {**named, **more})

    def _seen(self) -> list[Json]:
        self.client.take()
        return [each for each in self.client.replica.messages.values() if not each["isDeleted"]]

    async def _call(self, event: str, data: Json) -> bool:
        """Whether the server answered; if not, the client is back when this returns."""
        try:
            await self.client.socket.call(event, data)
        except Refused as refused:
            if refused.code != "forbidden":
                raise
        except LOST:
            await self.client.connect()
            return False
        return True


@asynccontextmanager
async def torn(clients: Sequence[Client], dice: random.Random) -> AsyncIterator[None]:
    """Tears the cables of these clients now and then, as long as the block lasts."""
    tearing = [asyncio.create_task(_tear(each, dice)) for each in clients]
    try:
        yield
    finally:
        for task in tearing:
            task.cancel()
        await asyncio.gather(*tearing, return_exceptions=True)


async def _tear(client: Client, dice: random.Random) -> None:
    while True:
        await asyncio.sleep(dice.uniform(0.01, 0.25))
        client.cut()


async def whole_history(user: User, rooms: Sequence[str]) -> list[Json]:
    """All that the server has for a user, conversation by conversation, oldest first."""
    found: list[Json] = []
    for room in sorted(rooms):
        pages: list[Json] = []
        before: dict[str, str] = {}
        while True:
            page = await user.get(f"/messages/{room}", limit=100, **before)
            pages += page["items"]
            if page["next"] is None:
                break
            before = {"before": page["next"]}
        found += pages[::-1]
    return found
