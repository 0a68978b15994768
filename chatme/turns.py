"""Turns: in this process, one at a time changes a conversation, and announces it.

What is done inside a turn is seen by every socket in that order: a message's place among the
others, and who was a member when it came. Writers in other processes are met at the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bson import ObjectId


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Turns:
    """Lives as long as the app; holds a lock for each conversation that is being changed."""

    def __init__(self) -> None:
        self._turns: dict[ObjectId, _Turn] = {}

    def __len__(self) -> int:
        return len(self._turns)

    @asynccontextmanager
    async def turn(self, conversation_id: ObjectId) -> AsyncIterator[None]:
        """Waits for the conversation's turn and holds it."""
        turn = self._turns.setdefault(conversation_id, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[conversation_id]
