"""Tests for the users' routes, as one who blocks and one who is blocked see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatme.clock import new_id
from chatme.users.models import Block, User
from chatme_tests.fakes import opened_engine
from chatme_tests.users.people import House, asking


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An empty house."""
    async with opened_engine(tmp_path, [User, Block]) as engine:
        yield House(engine)


async def test_the_routes_answer_as_the_contract_says(house: House) -> None:
    """Blocking, lifting and listing answer their words, as often as they are asked."""
    ada, bob = await house.people("ada", "bob")
    async with asking(house, ada) as ask:
        for _ in range(2):
            assert await ask("POST", f"/users/{bob}/block") == (200, {"blocked": True})
        status, listed = await ask("GET", "/users/blocked")
        for _ in range(2):
            assert await ask("DELETE", f"/users/{bob}/block") == (200, {"blocked": False})
        assert await ask("GET", "/users/blocked") == (200, {"items": [], "next": None})
        oneself, _ = await ask("POST", f"/users/{ada}/block")
        unknown = [await ask(method, f"/users/{new_id()}/block") for method in ("POST", "DELETE")]
        malformed, _ = await ask("POST", "/users/nobody/block")

    assert (status, listed["next"]) == (200, None)
    view = {"id": str(bob), "displayName": "bob", "avatar": None, "bio": ""}
    assert listed["items"] == [view]
    assert oneself == 400
    assert [status for status, _ in unknown] == [404, 404]
    assert malformed == 404


async def test_the_blocked_are_not_told(house: House) -> None:
    """To the blocked every route about the blocker answers as before, but for the search."""
    ada, bob = await house.people("ada", "bob")
    async with asking(house, bob) as ask:

        async def seen() -> list[Any]:
            paths = (f"/users/{ada}", "/users/blocked", f"/users/{ada}/block")
            return [
                await ask("GET", paths[0]),
                await ask("GET", paths[1]),
                await ask("DELETE", paths[2]),
            ]

        before = await seen()
        await house.blocks.block(ada, bob)
        assert await seen() == before
        assert await house.blocks.blocked_by(ada) == {bob}
