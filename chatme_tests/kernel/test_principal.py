"""Tests for who calls."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import datetime

import pytest
from bson import ObjectId

from chatme.principal import Peer, Principal


def test_a_principal_is_a_value() -> None:
    """Two principals of the same user, session and expiry are equal and interchangeable."""
    user, session, end = ObjectId(), ObjectId(), datetime(2026, 1, 31)

    assert Principal(user, session, end) == Principal(user, session, end)
    assert len({Principal(user, session, end), Principal(user, session, end)}) == 1
    assert Principal(user, session, end) != Principal(user, ObjectId(), end)


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (Principal(ObjectId(), ObjectId(), datetime(2026, 1, 31)), "user_id"),
        (Peer("192.0.2.1", "curl"), "address"),
    ],
)
def test_nobody_becomes_another(thing: object, name: str) -> None:
    """Who calls, and from where, cannot be changed after it was found out."""
    with pytest.raises(FrozenInstanceError):
        thing.__setattr__(name, "other")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1%eth0", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_an_address_or_a_network(address: str, network: str) -> None:
    """IPv4 goes by the address, IPv6 by its /64; what is neither goes by itself."""
    assert Peer(address, "curl").network == network
