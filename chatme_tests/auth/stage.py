"""What the tests of the rules for accounts do over and over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from bson import ObjectId
from odmantic import AIOEngine

from chatme.auth.links import Links
from chatme.auth.models import Session
from chatme.auth.passwords import Hasher
from chatme.auth.service import AuthService, Challenge, Entry
from chatme.auth.tokens import Tokens
from chatme.auth.wire import Credentials, Registration
from chatme.clock import Clock
from chatme.errors import NotAuthenticated
from chatme.ports import SocketCloser
from chatme.principal import Peer
from chatme.storage import atomic
from chatme.users.blocks import BlockService
from chatme.users.models import User
from chatme.users.service import UserService

PASSWORD = "Correct-Horse-7"
PEER = Peer("203.0.113.9", "a browser")
ACCESS, REFRESH = "access-" + "a" * 57, "refresh-" + "b" * 56


class InterruptedHasher(Hasher):
    """Hashes, and lets something happen each time before it goes on."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(4)
        self._meanwhile = meanwhile

    async def check_password(self, password: str, hashed: str | None) -> bool:
        """Whether it fits, told late."""
        found = await super().check_password(password, hashed)
        await self._meanwhile()
        return found

    async def hash_token(self, token: str) -> str:
        """The hash, told late."""
        found = await super().hash_token(token)
        await self._meanwhile()
        return found


def tokens_by(clock: Clock) -> Tokens:
    """The tokens of these tests' services."""
    return Tokens(ACCESS, REFRESH, timedelta(minutes=15), clock)


def service_over(
    engine: AIOEngine, clock: Clock, hasher: Hasher, sockets: SocketCloser
) -> AuthService:
    """The rules for accounts over their parts."""
    users = UserService(engine, clock, BlockService(engine, clock))
    links = Links(ACCESS, clock)
    return AuthService(engine, clock, users, hasher, tokens_by(clock), links, sockets)


async def register(auth: AuthService, email: str = "ada@example.com") -> Entry:
    """A new account."""
    wanted = {"displayName": "Ada", "email": email, "password": PASSWORD}
    return await auth.register(Registration.model_validate(wanted), PEER)


async def login(
    auth: AuthService, email: str = "ada@example.com", password: str = PASSWORD
) -> Entry:
    """A new session of a user without a second factor."""
    return granted(await auth.login(Credentials(email=email, password=password), PEER))


async def deactivate(engine: AIOEngine, user: ObjectId) -> None:
    """What deactivation does, in its order: the user is marked, then the sessions go."""
    await atomic.update(engine, User, {"_id": user}, {"$set": {"is_active": False}})
    await engine.remove(Session, Session.user == user)


def granted(outcome: Entry | Challenge | None) -> Entry:
    """The session that a sign-in came to."""
    assert isinstance(outcome, Entry)
    return outcome


def user_of(outcome: Entry | Challenge | None) -> ObjectId:
    """Whose sign-in it was."""
    return granted(outcome).user.id


async def refused(attempt: Awaitable[object]) -> tuple[str, str]:
    """The code and the words of a refusal."""
    try:
        await attempt
    except NotAuthenticated as error:
        return error.code, error.message
    raise AssertionError("it was let in")
