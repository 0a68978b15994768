"""Tests for who calls, and from where."""

from __future__ import annotations

import pytest

from chatme.errors import NotAuthenticated
from chatme.http.caller import bearer_token, caller_of, peer_of
from chatme.principal import Peer, Principal
from chatme_tests.http.fakes import CALLER, TOKEN, Doorkeeper, request

GENUINE = [("authorization", f"Bearer {TOKEN}")]


async def test_the_caller_is_found_once() -> None:
    """However many want to know who calls, the authenticator is asked once."""
    keeper = Doorkeeper()
    scope = request(headers=GENUINE).scope

    assert [await caller_of(scope, keeper) for _ in range(3)] == [CALLER] * 3
    assert keeper.asked == 1


async def test_a_stranger_is_found_once() -> None:
    """Who is refused is refused each time, in the same words, by one question."""
    keeper = Doorkeeper()
    scope = request(headers=[("authorization", "Bearer forged")]).scope
    for _ in range(3):
        with pytest.raises(NotAuthenticated, match=r"Sign in first\."):
            await caller_of(scope, keeper)

    assert keeper.asked == 1


async def test_without_a_token_nobody_is_asked() -> None:
    """A request without a token is a stranger's without a look at the database."""
    keeper = Doorkeeper()
    with pytest.raises(NotAuthenticated):
        await caller_of(request().scope, keeper)

    assert keeper.asked == 0


async def test_a_failure_is_not_remembered() -> None:
    """Where it could not be told who calls, whoever asks next may be luckier."""

    class Unlucky(Doorkeeper):
        async def authenticate(self, token: str) -> Principal:
            if not self.asked:
                self.asked += 1
                raise ConnectionError
            return await super().authenticate(token)

    keeper = Unlucky()
    scope = request(headers=GENUINE).scope
    with pytest.raises(ConnectionError):
        await caller_of(scope, keeper)

    assert await caller_of(scope, keeper) == CALLER


def test_a_bearer_token_is_read() -> None:
    """The scheme is read without case, the token without the white space around it."""
    scope = request(headers=[("authorization", f"bEARER  {TOKEN} ")]).scope

    assert bearer_token(scope) == TOKEN


def test_where_a_request_comes_from() -> None:
    """The peer is the client's address and the first 256 characters of its name."""
    scope = request(headers=[("user-agent", "a" * 300)]).scope

    assert peer_of(scope) == Peer("", "a" * 256)
    assert peer_of({**scope, "client": ("192.0.2.1", 4321)}).address == "192.0.2.1"
