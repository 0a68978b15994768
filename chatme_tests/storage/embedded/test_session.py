"""Sessions without transactions."""

from __future__ import annotations

import pytest

from chatme.storage.embedded.client import EmbeddedClient
from chatme.storage.embedded.errors import UnsupportedError


async def test_a_session_ends(client: EmbeddedClient) -> None:
    """A session is over after its block."""
    async with await client.start_session() as session:
        assert not session.has_ended
    assert session.has_ended


async def test_transactions_are_refused(client: EmbeddedClient) -> None:
    """Every door to a transaction is refused by name."""
    session = await client.start_session()

    with pytest.raises(UnsupportedError, match="transactions"):
        session.start_transaction()
    for door in (session.with_transaction, session.commit_transaction, session.abort_transaction):
        with pytest.raises(UnsupportedError, match="transactions"):
            await door()
    with pytest.raises(UnsupportedError, match="causal_consistency"):
        await client.start_session(causal_consistency=True)
