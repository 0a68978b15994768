"""What a database holds, as a whole."""

from __future__ import annotations

import random

from chatme.upkeep.stock import Tally, collections, models_by_collection, order_of
from chatme.wiring import MODELS


def test_every_model_is_moved() -> None:
    """Each collection of the program is there once, what speaks of messages before them."""
    found = models_by_collection()
    names = list(found)

    assert sorted(str(each) for each in found.values()) == sorted(str(each) for each in MODELS)
    assert names.index("watermarks") < names.index("messages") < names.index("conversations")
    assert names[-1] == "users"
    assert collections() == ("schema", *names)


def test_messages_are_read_conversation_by_conversation() -> None:
    """A log is read from its beginning on, everything else by its ids, each by an index."""
    assert order_of("messages") == (("conversation", 1), ("seq", 1))
    assert order_of("users") == (("_id", 1),)


def test_a_tally_minds_no_order_and_every_byte() -> None:
    """The same documents in any order have one tally; another, a missing, a double one shows."""
    documents = [bytes([at]) * at for at in range(1, 50)]
    shuffled = random.Random(1).sample(documents, len(documents))

    def text(*given: bytes) -> str:
        tally = Tally()
        for each in given:
            tally.add(each)
        return tally.text

    others = [documents[1:], [*documents, b"x"], [*documents[1:], b"x"], [*documents, *documents]]
    assert text(*documents) == text(*shuffled)
    assert len({text(*documents), *(text(*each) for each in others)}) == 5
    assert text() == f"0:{0:064}"
