"""The rules for accounts elsewhere: whose they are, and how they come to be somebody's."""

from __future__ import annotations

from chatme.auth.persons import OAuthFailed, Person
from chatme.auth.service import AuthService, Challenge, Entry
from chatme.clock import Clock
from chatme.errors import Conflict
from chatme.principal import Peer
from chatme.users.models import Identity, User, new_user
from chatme.users.service import UserService

_ATTEMPTS = 8


class IdentityService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, clock: Clock, users: UserService, auth: AuthService) -> None:
        self._clock = clock
        self._users = users
        self._auth = auth

    async def sign_in(self, somebody: Person, peer: Peer) -> Entry | Challenge:
        """A new session of the user whose account elsewhere this is, who is made at first sight;
        for who has a second factor, the question for it.

        Whoever comes a second time is known by the account elsewhere, whatever became of its
        address. Raises `OAuthFailed`, and `NotAuthenticated` for a user shut out meanwhile.
        """
        for _ in range(_ATTEMPTS):
            user = await self._users.by_identity(somebody.key)
            if user is not None:
                _refuse_inactive(user)
                return await self._auth.admit(user, peer)
            # Of several that arrive at once one writes first, and the others then find it.
            await self._arrive(somebody)
        raise OAuthFailed("the user changes all the time")

    async def _arrive(self, somebody: Person) -> None:
        """Tries to make the account elsewhere a user's: that of its address, else a new one's."""
        if somebody.email is None:
            raise OAuthFailed("the provider tells no verified address")
        identity = Identity(
            provider=somebody.provider,
            provider_id=somebody.provider_id,
            email=somebody.email,
            key=somebody.key,
        )
        user = await self._users.by_email(somebody.email)
        if user is None:
            await self._create(somebody, identity)
            return
        _refuse_inactive(user)
        if not user.is_verified:
            await self._drop_squatter(user)
        await self._users.join(user.id, identity)

    async def _create(self, somebody: Person, identity: Identity) -> None:
        user = new_user(somebody.name, identity.email, None, self._clock.now())
        user.is_verified = True
        user.avatar = somebody.avatar
        user.identities = [identity]
        try:
            await self._users.add(user)
        except Conflict:
            return

    async def _drop_squatter(self, user: User) -> None:
        """Whoever set up an account with an address that was never verified loses it.

        First the password, so that no further session comes by it (`AuthService.open_session` looks
        once more after its insert), then the sessions; the identity joins only after both. Cut in
        between, all of it is done again when the address's owner comes back.
        """
        await self._users.drop_password(user.id)
        found = [session.id for session in await self._auth.sessions(user.id)]
        current = await self._users.by_id(user.id)
        # Verified by now: another arrival has done all this, and a session may be the owner's own.
        if current is not None and not current.is_verified:
            await self._auth.end_some(user.id, found)


def _refuse_inactive(user: User) -> None:
    if not user.is_active:
        raise OAuthFailed("the user is deactivated")
