"""Who guesses slows themselves down."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from chatme_tests.client import PASSWORD, sign_up
from chatme_tests.judging import rest_client
from chatme_tests.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that trusts this machine as a proxy, so that a test has many addresses."""
    settings = {"RATE_LIMIT_AUTH": "5/hour", "TRUSTED_PROXIES": "127.0.0.1"}
    with Server(tmp_path_factory.mktemp("guessing") / "data", settings) as running:
        yield running


async def _login(server: Server, email: str, password: str, address: str) -> httpx.Response:
    async with rest_client() as http:
        return await http.post(
            f"{server.url}/api/v1/auth/login",
            json={"email": email, "password": password},
            headers={"X-Forwarded-For": address},
        )


async def test_an_address_has_so_many_tries(server: Server) -> None:
    """After so many logins from one address, whatever the accounts, it waits; others go on."""
    tried = [
        await _login(server, f"user{at}@example.com", PASSWORD, "192.0.2.1") for at in range(7)
    ]
    other = await _login(server, "user9@example.com", PASSWORD, "192.0.2.2")

    assert [each.status_code for each in tried] == [401] * 5 + [429] * 2
    assert tried[-1].json()["code"] == "rate_limited"
    assert 0 < int(tried[-1].headers["retry-after"]) <= 3601
    assert other.status_code == 401


async def test_an_account_has_so_many_tries(server: Server) -> None:
    """Guesses at one account are counted over all addresses, and its open sessions go on."""
    user = await sign_up(server.url, "Ada Guessed")
    tried = [
        await _login(server, f" {user.email.upper()}", "Wrong-1234", f"198.51.100.{at}")
        for at in range(7)
    ]
    owner = await user.http.get("/auth/me")
    refreshed = await user.http.post("/auth/refresh")
    await user.aclose()

    assert [each.status_code for each in tried] == [401] * 5 + [429] * 2
    assert (owner.status_code, refreshed.status_code) == (200, 200)


async def test_ipv6_counts_by_network(server: Server) -> None:
    """All addresses of one /64 are one client."""
    tried = [
        await _login(server, f"six{at}@example.com", PASSWORD, f"2001:db8:7:7::{at:x}")
        for at in range(1, 8)
    ]

    assert [each.status_code for each in tried] == [401] * 5 + [429] * 2
