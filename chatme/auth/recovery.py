"""The rules for addresses that prove themselves, and for passwords that change.

Letters never hold a name: whoever registers somebody else's address could write to them with it.
"""

from __future__ import annotations

import hmac
from functools import partial

from bson import ObjectId
from odmantic import AIOEngine

from chatme.auth.links import Claim, Links, Purpose, invalid_link
from chatme.auth.passwords import Hasher
from chatme.auth.postman import Postman
from chatme.auth.service import AuthService
from chatme.errors import Code, NotAuthenticated, Unavailable
from chatme.ports import Letter
from chatme.principal import Principal
from chatme.storage import atomic
from chatme.users.models import User
from chatme.users.service import UserService

VERIFY_TEXT = """\
Somebody, we hope you, signed up for ChatMe with this address. If it was you, confirm it here:

{link}

The link works once, and for a day. If it was not you, do nothing.
"""
RESET_TEXT = """\
Somebody, we hope you, asked for a new password for the ChatMe account with this address. Choose
one here; you are then signed out everywhere:

{link}

The link works once, and for an hour. If it was not you, do nothing: your password stays.
"""


class RecoveryService:
    """Lives as long as the app; holds no state of its own. ``page`` is where its links lead."""

    def __init__(
        self,
        engine: AIOEngine,
        users: UserService,
        auth: AuthService,
        hasher: Hasher,
        links: Links,
        postman: Postman,
        page: str,
    ) -> None:
        self._engine = engine
        self._users = users
        self._auth = auth
        self._hasher = hasher
        self._links = links
        self._postman = postman
        self._page = page

    def welcome(self, user_id: ObjectId) -> None:
        """Sends a new user the letter that verifies their address, if mail can be sent."""
        try:
            self.request_verification(user_id)
        except Unavailable:
            return

    def request_verification(self, user_id: ObjectId) -> None:
        """Sends the letter that verifies a user's address, unless it is; raises `Unavailable`."""
        self._postman.check()
        self._postman.send(partial(self._verification, user_id))

    async def verify(self, token: str) -> None:
        """The address of a link is its user's own; raises `BadRequest` (`invalid_link`)."""
        claim = self._links.read(Purpose.VERIFY, token)
        found = await atomic.update(
            self._engine,
            User,
            {"_id": claim.user_id, "email": claim.mark, "is_verified": False, "is_active": True},
            {"$set": {"is_verified": True}},
        )
        if not found:
            raise invalid_link()

    def forgot(self, email: str) -> None:
        """Sends the letter that resets the password, if the address has an active user.

        Whether it has is looked up behind the answer. Raises `Unavailable`.
        """
        self._postman.check()
        self._postman.send(partial(self._reset, email))

    async def reset(self, token: str, password: str) -> None:
        """Sets the password by a link and ends all sessions; raises `BadRequest`.

        The link came to the address, so it is verified. Of two uses at once one wins.
        """
        claim = self._links.read(Purpose.RESET, token)
        user = await self._users.by_id(claim.user_id)
        if user is None or not user.is_active:
            raise invalid_link()
        mark = self._links.password_mark(user.email, user.password_hash)
        if not hmac.compare_digest(mark.encode(), claim.mark.encode()):
            raise invalid_link()
        hashed = await self._hasher.hash_password(password)
        # Sessions end before, too: a crash in between leaves none that the old password opened,
        # and the link still works.
        await self._auth.end_all(user.id)
        if not await self._replace(user, {"password_hash": hashed, "is_verified": True}):
            raise invalid_link()
        await self._auth.end_all(user.id)
        self._postman.warn(user, "password")

    async def change(self, principal: Principal, current: str, new: str) -> None:
        """Changes the caller's password and ends their other sessions.

        Raises `NotAuthenticated` (`invalid_credentials`), in the same time where there is none.
        """
        user = await self._users.by_id(principal.user_id)
        known = user.password_hash if user is not None else None
        matches = await self._hasher.check_password(current, known)
        if user is None or not matches:
            raise _wrong_password()
        hashed = await self._hasher.hash_password(new)
        await self._auth.end_all(user.id, keep=principal.session_id)
        if not await self._replace(user, {"password_hash": hashed}):
            raise _wrong_password()
        await self._auth.end_all(user.id, keep=principal.session_id)
        self._postman.warn(user, "password")

    async def _replace(self, user: User, fields: dict[str, object]) -> bool:
        """Writes the fields unless the user's password or address changed meanwhile."""
        as_it_was = {
            "_id": user.id,
            "email": user.email,
            "password_hash": user.password_hash,
            "is_active": True,
        }
        return await atomic.update(self._engine, User, as_it_was, {"$set": fields})

    async def _verification(self, user_id: ObjectId) -> Letter | None:
        user = await self._users.by_id(user_id)
        if user is None or not user.is_active or user.is_verified:
            return None
        token = self._links.make(Purpose.VERIFY, Claim(user.id, user.email))
        link = f"{self._page}/verify?token={token}"
        return Letter(user.email, "Confirm your address", VERIFY_TEXT.format(link=link))

    async def _reset(self, email: str) -> Letter | None:
        user = await self._users.by_email(email)
        if user is None or not user.is_active:
            return None
        mark = self._links.password_mark(user.email, user.password_hash)
        token = self._links.make(Purpose.RESET, Claim(user.id, mark))
        link = f"{self._page}/reset-password?token={token}"
        return Letter(user.email, "Choose a new password", RESET_TEXT.format(link=link))


def _wrong_password() -> NotAuthenticated:
    return NotAuthenticated("The current password is wrong.", code=Code.INVALID_CREDENTIALS)
