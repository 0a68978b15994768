"""The rules for the second factor: how a user gets one, signs in with it, and gives it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.auth.codes import Codes, app_address, fresh_secret, normal_code
from chatme.auth.links import Claim, Links, Purpose
from chatme.auth.postman import Postman
from chatme.auth.service import AuthService, Entry
from chatme.errors import BadRequest, Code, Conflict, NotAuthenticated, NotFound
from chatme.principal import Peer, Principal
from chatme.storage import atomic
from chatme.users.models import SecondFactor, User
from chatme.users.service import UserService

_OFF: Mapping[str, Any] = {"$set": {"second_factor": SecondFactor().model_dump()}}


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app is told: the secret, alone and as an ``otpauth://`` address."""

    secret: str
    address: str


class FactorService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self,
        engine: AIOEngine,
        users: UserService,
        auth: AuthService,
        codes: Codes,
        links: Links,
        postman: Postman,
    ) -> None:
        self._engine = engine
        self._users = users
        self._auth = auth
        self._codes = codes
        self._links = links
        self._postman = postman

    def challenged(self, token: str) -> ObjectId:
        """Who was asked for the second factor; raises `NotAuthenticated` (`login_expired`)."""
        return self._challenge(token).user_id

    async def sign_in(self, token: str, code: str, peer: Peer) -> Entry:
        """A new session by the token of a sign-in's first step and a code of the second factor.

        Raises `NotAuthenticated`: `login_expired` where the first step must be done again,
        `invalid_code` for a code that is wrong or was used.
        """
        claim = self._challenge(token)
        user = await self._users.by_id(claim.user_id)
        if user is None or not user.is_active or user.confirmed_factor is None:
            raise _login_expired()
        mark = self._links.password_mark(user.email, user.password_hash)
        if not compare_digest(mark.encode(), claim.mark.encode()):
            raise _login_expired()
        if not await self._codes.spend(user, code):
            raise _invalid_code()
        return await self._auth.open_session(user, peer, by_password=True)

    async def state(self, user_id: ObjectId) -> SecondFactor | None:
        """A user's confirmed second factor, if there is one."""
        return (await self._user(user_id)).confirmed_factor

    async def enrol(self, principal: Principal, password: str | None) -> Enrolment:
        """A secret for an authenticator app; it counts once a code of it has confirmed it.

        Asks for the password or a fresh login (`AuthService.prove`). Raises `Conflict`
        (`second_factor_on`) where there is a confirmed one already.
        """
        user = await self._auth.prove(principal, password)
        factor = SecondFactor(secret=fresh_secret())
        # With the condition in the write, nothing confirmed at the same moment is overwritten.
        unconfirmed = {"_id": user.id, "second_factor.is_confirmed": {"$ne": True}}
        change = {"$set": {"second_factor": factor.model_dump()}}
        if not await atomic.update(self._engine, User, unconfirmed, change):
            raise _is_on()
        return Enrolment(factor.secret, app_address(factor.secret, user.email))

    async def confirm(self, principal: Principal, code: str) -> list[str]:
        """Turns the second factor on and ends the user's other sessions; the recovery codes.

        They are shown this once. Raises `NotAuthenticated` (`invalid_code`), and `Conflict` where
        it is on, or nothing was begun.
        """
        user = await self._user(principal.user_id)
        factor = user.second_factor
        if not factor.secret:
            raise Conflict("Begin with POST /auth/totp/enrol.")
        if factor.is_confirmed:
            raise _is_on()
        step = self._codes.step_of(factor.secret, normal_code(code))
        if step is None:
            raise _invalid_code()
        codes, hashes = await self._codes.fresh_recovery()
        on = factor.model_copy(update={"is_confirmed": True, "last_step": step, "recovery": hashes})
        as_it_was = {
            "_id": user.id,
            "second_factor.secret": factor.secret,
            "second_factor.is_confirmed": False,
        }
        change = {"$set": {"second_factor": on.model_dump()}}
        if not await atomic.update(self._engine, User, as_it_was, change):
            raise _is_on()
        # A login that did not see it yet looks again after it has made its session.
        await self._auth.end_all(user.id, keep=principal.session_id)
        self._postman.warn(user, "second factor")
        return codes

    async def renew_recovery(self, principal: Principal, code: str) -> list[str]:
        """Ten new recovery codes in place of the old; raises `NotAuthenticated`."""
        factor = await self._spend(principal.user_id, code)
        codes, hashes = await self._codes.fresh_recovery()
        same = {"_id": principal.user_id, "second_factor.secret": factor.secret}
        change = {"$set": {"second_factor.recovery": hashes}}
        if not await atomic.update(self._engine, User, same, change):
            raise _invalid_code()
        return codes

    async def disable(self, principal: Principal, code: str) -> None:
        """Turns the second factor off by one of its codes; raises `NotAuthenticated`."""
        user = await self._user(principal.user_id)
        factor = await self._spend(principal.user_id, code)
        same = {"_id": user.id, "second_factor.secret": factor.secret}
        await atomic.update(self._engine, User, same, _OFF)
        await self._auth.end_all(user.id, keep=principal.session_id)
        self._postman.warn(user, "second factor")

    async def drop(self, user_id: ObjectId) -> None:
        """Turns the second factor off for somebody who lost phone and codes; for operators."""
        if not await atomic.update(self._engine, User, {"_id": user_id}, _OFF):
            raise NotFound
        await self._auth.end_all(user_id)

    def _challenge(self, token: str) -> Claim:
        try:
            return self._links.read(Purpose.SECOND_STEP, token)
        except BadRequest:
            raise _login_expired() from None

    async def _spend(self, user_id: ObjectId, code: str) -> SecondFactor:
        user = await self._user(user_id)
        factor = user.confirmed_factor
        if factor is None or not await self._codes.spend(user, code):
            raise _invalid_code()
        return factor

    async def _user(self, user_id: ObjectId) -> User:
        user = await self._users.by_id(user_id)
        if user is None:
            raise NotFound
        return user


def _invalid_code() -> NotAuthenticated:
    return NotAuthenticated("The code is wrong, or was used already.", code=Code.INVALID_CODE)


def _login_expired() -> NotAuthenticated:
    return NotAuthenticated("Sign in again from the start.", code=Code.LOGIN_EXPIRED)


def _is_on() -> Conflict:
    return Conflict("The second factor is on already.", code=Code.SECOND_FACTOR_ON)
