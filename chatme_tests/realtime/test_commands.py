"""Tests for the commands that every socket has."""

from __future__ import annotations

from datetime import datetime

import orjson
import pytest

from chatme.ports import Event
from chatme.realtime.close import Close
from chatme.realtime.commands import (
    COMMANDS,
    Connected,
    ConnectedData,
    Nothing,
    Pong,
    RestartSlot,
    ServerRestarting,
    SocketDoor,
    TokenExpiring,
    TokenExpiry,
)
from chatme.realtime.dispatcher import Dispatcher
from chatme.realtime.frames import ClientFrame
from chatme_tests.fakes import AlwaysThere
from chatme_tests.realtime.fakes import ANN, NOON, Doorkeeper, HandlersClient, principal


async def work(client: HandlersClient, event: str, **data: object) -> dict[str, object]:
    """The answer to a command, where the token "good" is Ann's."""
    table = Dispatcher(AlwaysThere())
    table.register(COMMANDS, SocketDoor(Doorkeeper(good=principal())))
    answer = await table.dispatch(client, ClientFrame(event, data, 1))
    found: dict[str, object] = orjson.loads(answer or "")
    return found


async def test_a_good_token_signs_in() -> None:
    """A genuine token signs the socket in, and the ack says who that is."""
    client = HandlersClient()
    answer = await work(client, "auth", token="good")

    assert answer == {"event": "ack", "id": 1, "data": {"userId": str(ANN)}}
    assert client.principal.user_id == ANN
    assert client.doomed == []


async def test_a_bad_token_dooms() -> None:
    """A token that is not genuine is answered, and then the socket is closed for it."""
    client = HandlersClient()
    answer = await work(client, "auth", token="bad")

    assert answer["event"] == "error"
    assert client.doomed == [Close.NOT_AUTHENTICATED]
    assert client.who is None


async def test_another_users_token_dooms() -> None:
    """A genuine token that the socket refuses, as another user's, dooms it as well."""
    client = HandlersClient()
    client.refuses = True
    answer = await work(client, "auth", token="good")

    assert answer["event"] == "error"
    assert client.doomed == [Close.NOT_AUTHENTICATED]


async def test_a_session_that_ended_meanwhile_dooms() -> None:
    """A token whose session ends while the socket takes it keeps no socket open."""
    door = Doorkeeper(good=principal())
    client = HandlersClient(principal())
    table = Dispatcher(AlwaysThere())
    table.register(COMMANDS, SocketDoor(door))
    door.ended.add(door.known["good"].session_id)
    frame = ClientFrame("auth", {"token": "good"}, 1)
    answer = orjson.loads(await table.dispatch(client, frame) or "")

    assert answer["data"]["code"] == "not_authenticated"
    assert client.doomed == [Close.NOT_AUTHENTICATED]


@pytest.mark.parametrize("token", ["", "x" * 4097, "a\0b", None, 1])
async def test_what_is_no_token_is_invalid(token: object) -> None:
    """A token that cannot be one is faulty data, for which no socket is closed."""
    client = HandlersClient()
    answer = await work(client, "auth", token=token)
    data = answer["data"]

    assert isinstance(data, dict)
    assert data["code"] == "validation_failed"
    assert [fault["field"] for fault in data["errors"]] == ["token"]
    assert client.doomed == []


@pytest.mark.parametrize("client", [HandlersClient(), HandlersClient(principal())])
async def test_a_ping_is_a_pong(client: HandlersClient) -> None:
    """A ping is answered by a pong and an ack, before and after signing in."""
    answer = await work(client, "ping", whatever=1)

    assert answer == {"event": "ack", "id": 1, "data": {}}
    assert [event.name for event in client.said] == ["pong"]


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        (
            Connected(ConnectedData(user_id=ANN, connection_id="c1", server_time=NOON)),
            "connected",
            {
                "userId": str(ANN),
                "connectionId": "c1",
                "serverTime": "2026-01-31T12:00:00.000Z",
                "heartbeatInterval": 25,
            },
        ),
        (Pong(Nothing()), "pong", {}),
        (
            TokenExpiring(TokenExpiry(expires_at=datetime(2026, 1, 31))),
            "token_expiring",
            {"expiresAt": "2026-01-31T00:00:00.000Z"},
        ),
        (
            ServerRestarting(RestartSlot(reconnect_in=500)),
            "server_restarting",
            {"reconnectIn": 500},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_events_are_the_contracts(event: Event, name: str, data: dict[str, object]) -> None:
    """Each event has the contract's name and data."""
    assert event.name == name
    assert event.data.to_plain() == data
