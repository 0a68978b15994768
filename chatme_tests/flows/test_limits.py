"""Who asks too often waits; nobody else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chatme_tests.client import User, sign_up
from chatme_tests.judging import rest_client
from chatme_tests.redis import running_redis
from chatme_tests.server import Server

ALLOWED = 6
LIMITS = {"RATE_LIMIT_SHORT": f"{ALLOWED}/minute", "RATE_LIMIT_LONG": "100/hour"}
BEHIND = {**LIMITS, "TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8"}
PAGE = "http://localhost:5173"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that trusts this machine as a proxy, so that a test has many addresses."""
    with Server(tmp_path_factory.mktemp("limits") / "data", BEHIND) as running:
        yield running


async def _get(server: Server, path: str, hops: str = "", **headers: str) -> httpx.Response:
    async with rest_client(base_url=server.url) as http:
        found = {"X-Forwarded-For": hops, **headers} if hops else headers
        return await http.get(path, headers=found)


async def _statuses(server: Server, hops: list[str], **headers: str) -> list[int]:
    return [(await _get(server, "/api/v1/auth/me", each, **headers)).status_code for each in hops]


async def _user_statuses(user: User, hops: list[str]) -> list[int]:
    sent = [await user.http.get("/auth/me", headers={"X-Forwarded-For": hop}) for hop in hops]
    return [each.status_code for each in sent]


async def test_every_request_of_a_stranger_counts(server: Server) -> None:
    """Refusals, unknown paths, wrong methods and broken bodies count, and tell what is left."""
    async with rest_client(base_url=f"{server.url}/api/v1") as http:
        http.headers["X-Forwarded-For"] = "192.0.2.1"
        answers = [
            await http.get("/auth/me"),
            await http.get("/auth/me", headers={"Authorization": "Bearer x.y.z"}),
            await http.get("/no/such/thing"),
            await http.delete("/auth/login"),
            await http.post("/auth/login", content="{", headers={"Content-Type": "text/plain"}),
            await http.post("/auth/login", json={}),
        ]
        refused = await http.post("/auth/login", json={}, headers={"Origin": PAGE})
        healthy = [await http.get(path) for path in ("/health", "/health/live")]

    assert [each.status_code for each in answers] == [401, 401, 404, 405, 415, 422]
    assert [each.headers["ratelimit-remaining"] for each in answers] == list("543210")
    assert {each.headers["ratelimit-limit"] for each in [*answers, refused]} == {str(ALLOWED)}
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["retry-after"] == refused.headers["ratelimit-reset"]
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["access-control-allow-origin"] == PAGE
    assert "RateLimit-Reset" in refused.headers["access-control-expose-headers"]
    assert [each.status_code for each in healthy] == [200, 200]
    assert not any("ratelimit-limit" in each.headers for each in healthy)


async def test_a_user_is_one_wherever_they_are(server: Server) -> None:
    """A user's requests count together over all addresses, and for none of these."""
    ada, bob = await sign_up(server.url, "Ada Limits"), await sign_up(server.url, "Bob Limits")
    places = [f"198.51.100.{number}" for number in range(ALLOWED + 1)]
    many = await _user_statuses(ada, places)
    neighbour = await _user_statuses(bob, places[:1])
    stranger = await _statuses(server, places[:1])
    await ada.aclose()
    await bob.aclose()

    assert many == [200] * ALLOWED + [429]
    assert (neighbour, stranger) == ([200], [401])


@pytest.mark.parametrize(
    "hops",
    [
        "{n}.1.1.1, 203.0.113.1",
        "{n}.1.1.1, 203.0.113.2, 10.0.0.{n}",
        "{n}.1.1.1, rubbish{n}, 10.0.0.3",
        "2001:db8:9:9::{n}",
        "::ffff:203.0.113.4",
        "127.0.0.1, 203.0.113.5, ::ffff:10.1.1.{n}",
    ],
)
async def test_a_forged_address_helps_nobody(server: Server, hops: str) -> None:
    """What strangers write left of the last untrusted hop changes nothing, nor does a suffix."""
    found = await _statuses(server, [hops.replace("{n}", str(n)) for n in range(1, ALLOWED + 2)])

    assert found == [401] * ALLOWED + [429]


async def test_without_a_proxy_no_header_counts(data: Path) -> None:
    """Where no proxy is named, the address is the connection's, whatever is claimed."""
    claims = [f"203.0.113.{number}" for number in range(ALLOWED + 1)]
    with Server(data, LIMITS) as bare:
        assert await _statuses(bare, claims, Forwarded="for=1.2.3.4") == [401] * ALLOWED + [429]


async def test_the_limit_for_signing_in_is_told(data: Path) -> None:
    """An answer to a login tells of the tighter limit that it was counted against as well."""
    with Server(data, {**LIMITS, "RATE_LIMIT_AUTH": "1/hour"}) as strict:
        async with rest_client(base_url=f"{strict.url}/api/v1") as http:
            body = {"email": "nobody@example.com", "password": "Wrong-1234"}
            tried = [await http.post("/auth/login", json=body) for _ in range(2)]

    assert [each.status_code for each in tried] == [401, 429]
    assert [each.headers["ratelimit-limit"] for each in tried] == ["1", "1"]
    assert [each.headers["ratelimit-remaining"] for each in tried] == ["0", "0"]
    assert int(tried[1].headers["retry-after"]) > 60


async def test_servers_count_together_in_redis(tmp_path: Path) -> None:
    """With one Redis two servers count as one; when it is gone, each goes on by itself."""
    with running_redis(tmp_path / "redis") as redis:
        settings = {**BEHIND, "REDIS_URL": redis.url}
        with (
            Server(tmp_path / "one", settings) as one,
            Server(tmp_path / "two", settings) as two,
        ):
            pair = [one, two] * (ALLOWED // 2) + [one, two]
            together = [(await _statuses(each, ["192.0.2.9"]))[0] for each in pair]
            redis.kill()
            apart = [(await _statuses(each, ["192.0.2.9"]))[0] for each in pair]

    assert together == [401] * ALLOWED + [429, 429]
    assert apart == [401] * len(pair)
