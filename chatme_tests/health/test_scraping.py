"""Who may read the metrics."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import SecretStr

from chatme.health.scraping import Asker, ScrapeDoor
from chatme.metrics import Metrics

TOKEN = "an-operator-s-token"
HERE: Mapping[str, str] = {"host": "localhost:3000"}


def _lets_in(asker: Asker, token: str | None = None) -> bool:
    door = ScrapeDoor(Metrics("1"), None if token is None else SecretStr(token))
    return door.lets_in(asker)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "localhost:3000", "127.0.0.1:80", "[::1]:3000"])
def test_this_machine_may(address: str, host: str) -> None:
    """Whoever is on this machine and asks it by its own name may read, token or not."""
    asker = Asker(address, "1.1", {"host": host, "user-agent": "Prometheus"})

    assert _lets_in(asker)
    assert _lets_in(asker, TOKEN)


@pytest.mark.parametrize("address", ["", "192.0.2.1", "10.0.0.1", "::2", "0.0.0.0", "nonsense"])  # noqa: S104
def test_others_may_not(address: str) -> None:
    """Nobody from elsewhere may, whatever they say the host is."""
    assert not _lets_in(Asker(address, "1.1", HERE))
    assert not _lets_in(Asker(address, "1.1", HERE), TOKEN)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-for": ""},
        {"x-forwarded-proto": "https"},
        {"x-forwarded-anything": "x"},
        {"forwarded": "for=127.0.0.1"},
        {"x-real-ip": "127.0.0.1"},
        {"via": "1.1 caddy"},
        {"host": "chat.example.org"},
        {"host": "localhost.evil.example"},
        {"host": "evil.example@localhost.evil.example"},
        {"host": "[::1"},
        {"host": ""},
    ],
)
def test_a_proxy_on_this_machine_may_not(headers: Mapping[str, str]) -> None:
    """What a proxy on this machine sends on is not from this machine, nor is what a page asks
    whose domain was pointed here."""
    assert not _lets_in(Asker("127.0.0.1", "1.1", {**HERE, **headers}))


def test_a_bare_nginx_may_not() -> None:
    """nginx adds no header of its own unless told to, but speaks HTTP/1.0."""
    assert not _lets_in(Asker("127.0.0.1", "1.0", HERE))


def test_who_knows_the_token_may() -> None:
    """From anywhere, through any proxy."""
    headers = {"host": "chat.example.org", "x-forwarded-for": "192.0.2.1"}

    assert _lets_in(Asker("192.0.2.1", "1.0", headers, TOKEN), TOKEN)


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é" * 19])
def test_a_wrong_token_does_not_help(token: str) -> None:
    """Nothing but the whole token is the token."""
    assert not _lets_in(Asker("192.0.2.1", "1.1", HERE, token), TOKEN)


@pytest.mark.parametrize("token", ["", "None", TOKEN])
def test_no_token_fits_where_none_is_set(token: str) -> None:
    """Without a setting no token is right, the empty one included."""
    assert not _lets_in(Asker("192.0.2.1", "1.1", HERE, token))
