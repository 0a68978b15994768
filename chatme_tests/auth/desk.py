"""The rules for recovery with mail that the tests can read."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field

from bson import ObjectId
from odmantic import AIOEngine

from chatme.auth.links import Links
from chatme.auth.passwords import Hasher
from chatme.auth.postman import Postman
from chatme.auth.recovery import RecoveryService
from chatme.auth.service import AuthService, Entry
from chatme.errors import BadRequest
from chatme.ports import Letter, Undeliverable
from chatme.users.models import User
from chatme.users.service import UserService
from chatme_tests.auth.stage import ACCESS, user_of
from chatme_tests.fakes import FrozenClock
from chatme_tests.postbox import token_in

PAGE = "https://chat.example.org"


@dataclass
class KeptMail:
    """A mailer that keeps its letters, or fails."""

    letters: list[Letter] = field(default_factory=list)
    fails: bool = False

    def check(self) -> None:
        """Nothing is missing."""

    async def send(self, letter: Letter) -> None:
        """Keeps the letter."""
        if self.fails:
            raise Undeliverable("no relay")
        self.letters.append(letter)


@dataclass
class Desk:
    """The rules, their mail, and what the tests do with both."""

    engine: AIOEngine
    users: UserService
    auth: AuthService
    clock: FrozenClock
    mail: KeptMail = field(default_factory=KeptMail)

    def recovery(self, hasher: Hasher) -> RecoveryService:
        """The rules over a hasher."""
        self.postman = Postman(self.mail)
        links = Links(ACCESS, self.clock)
        return RecoveryService(
            self.engine, self.users, self.auth, hasher, links, self.postman, PAGE
        )

    async def sent(self) -> list[Letter]:
        """All letters, once they are on their way."""
        await self.postman.aclose()
        return self.mail.letters

    async def token(self) -> str:
        """The token of the last letter."""
        return token_in((await self.sent())[-1].text)

    async def user(self, email: str = "ada@example.com") -> User:
        """A user as stored."""
        found = await self.users.by_email(email)
        assert found is not None
        return found

    async def sessions(self, entry: Entry) -> list[ObjectId]:
        """The sessions of a user."""
        return [each.id for each in await self.auth.sessions(user_of(entry))]

    async def reset_token(self, recovery: RecoveryService, email: str = "ada@example.com") -> str:
        """The token of a fresh link that resets a password."""
        recovery.forgot(email)
        return await self.token()


async def outdated(attempt: Awaitable[None]) -> bool:
    """Whether a link is refused as every worthless one is."""
    try:
        await attempt
    except BadRequest as error:
        return error.code == "invalid_link"
    return False
