"""What a database holds, as whoever moves all of it sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from odmantic import Model

from chatme.storage.dump import BY_ID, Dump, Order
from chatme.storage.migrations import SCHEMA
from chatme.upkeep.progress import Progress
from chatme.wiring import MODELS

# Read while a server writes: first what speaks of messages, so that nothing does that is not
# read yet; then messages; then what they speak of.
_BEFORE_MESSAGES = (
    "activities",
    "watermarks",
    "notifications",
    "sessions",
    "used_states",
    "blocks",
    "erasures",
)
_MESSAGES = "messages"
_LAST = ("conversations", "users")
_MODULUS = 1 << 256

ORDERS: Mapping[str, Order] = {
    # Of each conversation a beginning, without holes: each number is there before the next.
    _MESSAGES: (("conversation", 1), ("seq", 1)),
}


def models_by_collection() -> dict[str, type[Model]]:
    """All models by the names of their collections, in the order in which to read them."""
    found = {str(model.model_config["collection"]): model for model in MODELS}
    rest = [name for name in found if name not in (*_BEFORE_MESSAGES, _MESSAGES, *_LAST)]
    return {name: found[name] for name in (*_BEFORE_MESSAGES, _MESSAGES, *rest, *_LAST)}


def collections() -> tuple[str, ...]:
    """The names of all that is moved: those of the models, and what says how far it is changed."""
    return SCHEMA, *models_by_collection()


def order_of(name: str) -> Order:
    """In which order to read a collection while it may be written."""
    return ORDERS.get(name, BY_ID)


@dataclass(slots=True)
class Tally:
    """How many documents were seen, and a hash of them all that no order changes."""

    count: int = 0
    sum: int = 0

    def add(self, document: bytes) -> None:
        """One more document."""
        self.count += 1
        self.sum = (self.sum + int.from_bytes(sha256(document).digest(), "big")) % _MODULUS

    @property
    def text(self) -> str:
        """Both in one word, to be kept and compared."""
        return f"{self.count}:{self.sum:064x}"


async def tally_of(dump: Dump, name: str, progress: Progress) -> Tally:
    """The tally of a whole collection."""
    tally = Tally()
    async for page in dump.pages(name):
        for document in page:
            tally.add(document)
        progress.advance(len(page))
    return tally
