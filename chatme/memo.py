"""A bounded memory of what was read, that is never older than the last change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Memo(Generic[KeyT, ValueT]):
    """Remembers up to ``size`` values, the least used forgotten first.

    Whoever changes what a value was read from calls `forget` after the write: what is being read
    at that moment is then handed to its reader but not remembered, for it may be of before.
    """

    def __init__(self, load: Callable[[KeyT], Awaitable[ValueT]], size: int) -> None:
        self._load = load
        self._size = size
        self._values: OrderedDict[KeyT, ValueT] = OrderedDict()
        self._reads: dict[KeyT, object] = {}

    def __len__(self) -> int:
        return len(self._values)

    async def get(self, key: KeyT) -> ValueT:
        """The remembered value, else the one that is read now."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        # Reads that no change separates are one: else a key that is always being read, by one after
        # another, would never be remembered.
        read = self._reads.setdefault(key, object())
        try:
            value = await self._load(key)
        except BaseException:
            self._end_read(key, read)
            raise
        if self._end_read(key, read):
            self._keep(key, value)
        return value

    def put(self, key: KeyT, value: ValueT) -> None:
        """The value as whoever changed it knows it to be now."""
        self.forget(key)
        self._keep(key, value)

    def forget(self, key: KeyT) -> None:
        """What was read of the key so far no longer holds."""
        self._values.pop(key, None)
        self._reads.pop(key, None)

    def _keep(self, key: KeyT, value: ValueT) -> None:
        self._values[key] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def _end_read(self, key: KeyT, read: object) -> bool:
        """Whether the read is the first of its kind to end, and no change outdated it."""
        if self._reads.get(key) is not read:
            return False
        del self._reads[key]
        return True
