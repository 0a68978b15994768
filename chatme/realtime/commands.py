"""The commands that every socket has, and the events that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from chatme.errors import NotAuthenticated
from chatme.ports import Authenticator
from chatme.principal import Principal
from chatme.realtime.close import Close
from chatme.realtime.dispatcher import Client, Command
from chatme.shapes import Id, Shape, Text, Timestamp

HEARTBEAT_SECONDS = 25


class AuthData(Shape):
    """An access token."""

    token: Annotated[Text, Field(min_length=1, max_length=4096)]


class AuthAnswer(Shape):
    """Whose token it is."""

    user_id: Id


class Nothing(Shape):
    """No data."""


class ConnectedData(Shape):
    """Who is signed in, on which connection; when the server pings, in seconds."""

    user_id: Id
    connection_id: str
    server_time: Timestamp
    heartbeat_interval: int = HEARTBEAT_SECONDS


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket is open."""

    name: ClassVar[str] = "connected"
    data: ConnectedData


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a client's own ping."""

    name: ClassVar[str] = "pong"
    data: Nothing


class TokenExpiry(Shape):
    """When the token runs out."""

    expires_at: Timestamp


@dataclass(frozen=True, slots=True)
class TokenExpiring:
    """The token runs out soon: send `auth` with a new one."""

    name: ClassVar[str] = "token_expiring"
    data: TokenExpiry


class RestartSlot(Shape):
    """How long this client should wait before it comes back, in milliseconds."""

    reconnect_in: int


@dataclass(frozen=True, slots=True)
class ServerRestarting:
    """The server restarts; every socket gets a slot of its own to come back in."""

    name: ClassVar[str] = "server_restarting"
    data: RestartSlot


EVENTS = (Connected, Pong, TokenExpiring, ServerRestarting)


class SocketDoor:
    """What these commands need: who says who calls, and what a sign-in sets off."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def authenticate(self, client: Client, token: str) -> Principal:
        """The caller; dooms the socket where the token is not genuine."""
        try:
            principal = await self._authenticator.authenticate(token)
            client.sign_in(principal)
            # A session that ended between the two has closed its sockets, but not yet this one.
            await self._authenticator.recheck(principal)
        except NotAuthenticated:
            client.doom(Close.NOT_AUTHENTICATED)
            raise
        return principal


async def auth(door: SocketDoor, client: Client, data: AuthData) -> AuthAnswer:
    """Signs a socket in, or gives a signed-in one a newer token."""
    principal = await door.authenticate(client, data.token)
    return AuthAnswer(user_id=principal.user_id)


async def ping(_door: SocketDoor, client: Client, data: Nothing) -> Nothing:
    """Asks for a sign of life."""
    client.say(Pong(data))
    return data


COMMANDS = (
    Command("auth", auth, public=True),
    Command("ping", ping, public=True, offline=True),
)
