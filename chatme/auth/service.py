"""The rules for accounts and sessions: who may sign in, and who still is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import desc, in_
from pydantic_core import PydanticCustomError

from chatme.auth.links import Claim, Links, Purpose
from chatme.auth.models import Session
from chatme.auth.passwords import Hasher
from chatme.auth.tokens import REFRESH_LIFE, RefreshClaims, Tokens
from chatme.auth.wire import Credentials, Registration, SessionView, session_view
from chatme.clock import Clock, new_id
from chatme.errors import Code, Forbidden, NotAuthenticated, NotFound
from chatme.ports import SocketCloser
from chatme.principal import Peer, Principal
from chatme.storage import atomic
from chatme.users.models import User
from chatme.users.service import UserService, email_taken
from chatme.users.wire import Oneself, normal_email, oneself

SESSION_LIFE = timedelta(days=90)
ROTATION_GRACE = timedelta(seconds=10)
FRESH_LOGIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a refresh hands out: two tokens, and how long the cookie lives."""

    access_token: str
    refresh_token: str
    refresh_life: timedelta


@dataclass(frozen=True, slots=True)
class Entry(Grant):
    """What a sign-in hands out beside: who it is that came in."""

    user: Oneself


@dataclass(frozen=True, slots=True)
class Challenge:
    """The first step of a sign-in is done; this token takes part in the second, for 5 minutes."""

    token: str


class AuthService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        users: UserService,
        hasher: Hasher,
        tokens: Tokens,
        links: Links,
        sockets: SocketCloser,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._users = users
        self._hasher = hasher
        self._tokens = tokens
        self._links = links
        self._sockets = sockets

    async def register(self, wanted: Registration, peer: Peer) -> Entry:
        """A new account and its first session; raises `Conflict` (`email_taken`).

        The unique index decides between two that register one address at once; the look before
        only spares the hashing.
        """
        if await self._users.by_email(wanted.email) is not None:
            raise email_taken()
        hashed = await self._hasher.hash_password(wanted.password)
        user = await self._users.create(wanted.display_name, wanted.email, hashed)
        return await self.open_session(user, peer, by_password=True)

    async def login(self, credentials: Credentials, peer: Peer) -> Entry | Challenge:
        """A new session, or the question for the second factor.

        Raises `NotAuthenticated` (`invalid_credentials`).

        The answer is the same, in text and in time, for a wrong password, an unknown address, one
        without a password and one that was deactivated.
        """
        user = await self._find(credentials.email)
        hashed = user.password_hash if user is not None else None
        matches = await self._hasher.check_password(credentials.password, hashed)
        if user is None or not matches or not user.is_active:
            raise _invalid_credentials()
        return await self.admit(user, peer, by_password=True)

    async def admit(
        self, user: User, peer: Peer, *, by_password: bool = False
    ) -> Entry | Challenge:
        """A new session of a user who has shown one factor, or the question for the second."""
        if user.confirmed_factor is None:
            return await self.open_session(user, peer, by_password=by_password)
        mark = self._links.password_mark(user.email, user.password_hash)
        return Challenge(self._links.make(Purpose.SECOND_STEP, Claim(user.id, mark)))

    async def prove(self, principal: Principal, password: str | None) -> User:
        """The caller, who shows once more who they are: by the password, or a login just now.

        Raises `NotAuthenticated` (`invalid_credentials`) for a wrong password, and `Forbidden`
        (`fresh_login_needed`) without one where the session began over 10 minutes ago.
        """
        user = await self._users.by_id(principal.user_id)
        if user is None:
            raise NotAuthenticated
        if password is not None:
            if not await self._hasher.check_password(password, user.password_hash):
                raise _invalid_credentials()
        elif (await self._session_of(principal)).created_at + FRESH_LOGIN < self._clock.now():
            raise Forbidden(
                "Send your password, or sign in again first.", code=Code.FRESH_LOGIN_NEEDED
            )
        return user

    async def refresh(self, token: str) -> Grant:
        """Rotates a session's refresh token; raises `NotAuthenticated` (`session_ended`).

        A token that was rotated away more than 10 s ago ends the session: somebody has a copy.
        Within that grace, two tabs that refresh at once get the same token.
        """
        claims = self._read_refresh(token)
        session = await self._live_session(claims)
        if await self._hasher.check_token(token, session.token_hash):
            rotated = await self._rotate(session)
            if rotated is not None:
                return Grant(*self._tokens_of(rotated))
            session = await self._live_session(claims)  # another tab was faster
        fresh = self._clock.now() - session.rotated_at <= ROTATION_GRACE
        previous = session.previous_hash
        if fresh and previous is not None and await self._hasher.check_token(token, previous):
            return Grant(*self._tokens_of(session))
        await self._end(session.user, session.id)
        raise session_ended()

    async def logout(self, principal: Principal | None, refresh_token: str | None) -> None:
        """Ends the session of an access token or of a refresh token, whichever is there."""
        if principal is not None:
            await self._end(principal.user_id, principal.session_id)
            return
        if refresh_token is None:
            raise NotAuthenticated
        claims = self._read_refresh(refresh_token)
        session = await self._live_session(claims)
        known = [session.token_hash, session.previous_hash]
        for hashed in known:
            if hashed is not None and await self._hasher.check_token(refresh_token, hashed):
                await self._end(session.user, session.id)
                return
        raise session_ended()

    async def sessions(self, user_id: ObjectId) -> list[Session]:
        """A user's live sessions, the last used first."""
        return await self._engine.find(
            Session,
            Session.user == user_id,
            Session.ends_at > self._clock.now(),
            sort=desc(Session.last_used_at),
        )

    async def held(self, user_id: ObjectId) -> AsyncIterator[SessionView]:
        """A user's live sessions, one by one."""
        for each in await self.sessions(user_id):
            yield session_view(each)

    async def revoke(self, user_id: ObjectId, session_id: ObjectId) -> None:
        """Ends one of a user's sessions, its sockets included; raises `NotFound`."""
        removed = await self._engine.remove(
            Session, Session.id == session_id, Session.user == user_id
        )
        if not removed:
            raise NotFound
        self._sockets.end_sessions(user_id, [session_id])

    async def end_all(self, user_id: ObjectId, keep: ObjectId | None = None) -> int:
        """Ends all of a user's sessions, or all but one; how many.

        A session that is opened at the same moment is the user's next one, and stays.
        """
        ended = [each.id for each in await self.sessions(user_id) if each.id != keep]
        return await self.end_some(user_id, ended)

    async def end_some(self, user_id: ObjectId, ended: Collection[ObjectId]) -> int:
        """Ends these of a user's sessions, their sockets included; how many."""
        removed = await self._engine.remove(
            Session, Session.user == user_id, in_(Session.id, list(ended))
        )
        self._sockets.end_sessions(user_id, ended)
        return removed

    async def deactivate(self, user_id: ObjectId) -> None:
        """Shuts a user out at once, on REST and on open sockets; raises `NotFound`.

        First nobody can sign in as them any more, then every session ends: one that is opened in
        between looks at the user again before it is handed out.
        """
        await self._users.deactivate(user_id)
        await self.shut_out(user_id)

    async def shut_out(self, user_id: ObjectId) -> None:
        """Ends all sessions of a user as whom nobody can sign in any more. Safe to repeat."""
        await self._engine.remove(Session, Session.user == user_id)
        self._sockets.end_sessions(user_id)

    async def set_password(self, user_id: ObjectId, password: str) -> None:
        """Gives a user another password and ends all their sessions."""
        await self._users.set_password(user_id, await self._hasher.hash_password(password))
        await self.end_all(user_id)

    async def authenticate(self, token: str) -> Principal:
        """Who stands behind an access token; raises `NotAuthenticated`.

        The session is looked up each time, so that one that ended is refused at once. Deactivation
        ends a user's sessions, so they need not be looked up as well. A token does not outlive its
        session: sockets go by ``expires_at``.
        """
        principal = self._tokens.read_access(token)
        session = await self._session_of(principal)
        return replace(principal, expires_at=min(principal.expires_at, session.ends_at))

    async def recheck(self, principal: Principal) -> None:
        """Raises `NotAuthenticated` where a caller's session has ended since."""
        await self._session_of(principal)

    async def _session_of(self, principal: Principal) -> Session:
        session = await self._engine.find_one(Session, Session.id == principal.session_id)
        if (
            session is None
            or session.user != principal.user_id
            or session.ends_at <= self._clock.now()
        ):
            raise NotAuthenticated("The session has ended.")
        return session

    async def _end(self, user_id: ObjectId, session_id: ObjectId) -> None:
        await self._engine.remove(Session, Session.id == session_id)
        self._sockets.end_sessions(user_id, [session_id])

    async def _find(self, email: str) -> User | None:
        try:
            return await self._users.by_email(normal_email(email))
        except PydanticCustomError:
            return None

    async def open_session(self, user: User, peer: Peer, *, by_password: bool = False) -> Entry:
        """A new session of a user who has shown who they are.

        Raises `NotAuthenticated` where they were shut out meanwhile, or where the password that let
        them in is no longer theirs.
        """
        now = self._clock.now()
        session_id, token_id = new_id(), uuid4().hex
        token = self._tokens.refresh(user.id, session_id, token_id, now)
        session = Session(
            id=session_id,
            user=user.id,
            token_id=token_id,
            token_hash=await self._hasher.hash_token(token),
            rotated_at=now,
            user_agent=peer.user_agent,
            ip=peer.address,
            created_at=now,
            last_used_at=now,
            ends_at=now + REFRESH_LIFE,
            final_at=now + SESSION_LIFE,
        )
        await atomic.insert(self._engine, session)
        # Deactivation first marks the user, then removes the sessions; so do another password and
        # a second factor. A session that was inserted in between is found by this look after it.
        current = await self._users.by_id(user.id)
        if current is None or not current.is_active or _outdated(user, current, by_password):
            await self._engine.remove(Session, Session.id == session.id)
            raise _invalid_credentials()
        return Entry(*self._tokens_of(session), oneself(current))

    def _tokens_of(self, session: Session) -> tuple[str, str, timedelta]:
        """A session's access token, its refresh token, and how long the cookie of that lives."""
        return (
            self._tokens.access(session.user, session.id),
            self._tokens.refresh(session.user, session.id, session.token_id, session.rotated_at),
            session.ends_at - self._clock.now(),
        )

    def _read_refresh(self, token: str) -> RefreshClaims:
        try:
            return self._tokens.read_refresh(token)
        except NotAuthenticated:
            raise session_ended() from None

    async def _live_session(self, claims: RefreshClaims) -> Session:
        session = await self._engine.find_one(Session, Session.id == claims.session_id)
        if (
            session is None
            or session.user != claims.user_id
            or min(session.ends_at, session.final_at) <= self._clock.now()
        ):
            raise session_ended()
        return session

    async def _rotate(self, session: Session) -> Session | None:
        """The session with a fresh refresh token; None where another call rotated it first."""
        now, token_id = self._clock.now(), uuid4().hex
        token = self._tokens.refresh(session.user, session.id, token_id, now)
        change = {
            "token_id": token_id,
            "token_hash": await self._hasher.hash_token(token),
            "previous_hash": session.token_hash,
            "rotated_at": now,
            "last_used_at": now,
            "ends_at": min(now + REFRESH_LIFE, session.final_at),
        }
        return await atomic.update_and_get(
            self._engine,
            Session,
            {"_id": session.id, "token_id": session.token_id},
            {"$set": change},
        )


def _outdated(user: User, current: User, by_password: bool) -> bool:
    """Whether what let a user in is not enough any more: another password, a second factor."""
    if by_password and current.password_hash != user.password_hash:
        return True
    return current.confirmed_factor is not None and user.confirmed_factor is None


def _invalid_credentials() -> NotAuthenticated:
    return NotAuthenticated(
        "The e-mail address or the password is wrong.", code=Code.INVALID_CREDENTIALS
    )


def session_ended() -> NotAuthenticated:
    """The error for a session that is no more."""
    return NotAuthenticated("The session has ended. Sign in again.", code=Code.SESSION_ENDED)
