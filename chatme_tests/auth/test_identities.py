"""The rules for accounts elsewhere: whose they are, and how they come to be somebody's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

import pytest
from bson import ObjectId
from odmantic import AIOEngine

from chatme.auth.identities import IdentityService
from chatme.auth.links import Links
from chatme.auth.models import Session
from chatme.auth.passwords import Hasher
from chatme.auth.persons import OAuthFailed, Person, person
from chatme.auth.service import AuthService, Grant
from chatme.errors import NotAuthenticated
from chatme.storage import atomic
from chatme.users.blocks import BlockService
from chatme.users.models import Identity, User
from chatme.users.service import UserService
from chatme_tests.auth.stage import (
    ACCESS,
    PEER,
    InterruptedHasher,
    deactivate,
    granted,
    login,
    refused,
    register,
    service_over,
    tokens_by,
    user_of,
)
from chatme_tests.fakes import FrozenClock, RecordingCloser

ISSUER = "https://id.example"

AuthT = TypeVar("AuthT", bound=AuthService)


def somebody(subject: str = "1", email: object = "ada@example.com", **more: Any) -> Person:
    """Somebody with a verified address."""
    more = {"provider": "google", "place": ISSUER, **more}
    return person(subject=subject, email=email, **more)


@pytest.fixture
def identities(clock: FrozenClock, users: UserService, auth: AuthService) -> IdentityService:
    """The rules for accounts elsewhere."""
    return IdentityService(clock, users, auth)


async def _people(engine: AIOEngine) -> list[User]:
    return await engine.find(User)


async def _sessions(engine: AIOEngine) -> set[ObjectId]:
    return {each.id for each in await engine.find(Session)}


async def _verify(engine: AIOEngine, user: ObjectId) -> None:
    await atomic.update(engine, User, {"_id": user}, {"$set": {"is_verified": True}})


async def test_first_sight_makes_a_user(
    identities: IdentityService, engine: AIOEngine, auth: AuthService
) -> None:
    """Who comes for the first time is a new user, verified, named and pictured, and signed in."""
    new = somebody(email=" ADA@Example.com", name="Ada L.", avatar="https://pic.example/a.png")
    grant = granted(await identities.sign_in(new, PEER))
    (user,) = await _people(engine)

    assert (user.email, user.is_verified, user.password_hash) == ("ada@example.com", True, None)
    assert (user.display_name, user.avatar) == ("Ada L.", "https://pic.example/a.png")
    assert [(each.provider, each.provider_id) for each in user.identities] == [("google", "1")]
    assert user.search_text == "ada l.\nada@example.com"
    assert (await auth.authenticate(grant.access_token)).user_id == user.id


async def test_the_known_come_back_whatever_their_address(
    identities: IdentityService, engine: AIOEngine
) -> None:
    """An account that is known signs in as its user, with another address or none, and no move."""
    first = user_of(await identities.sign_in(somebody(), PEER))
    other = user_of(await identities.sign_in(somebody("2", "bob@example.com"), PEER))
    for email in ("bob@example.com", "new@example.com", None):
        assert user_of(await identities.sign_in(somebody(email=email), PEER)) == first
    emails = {user.id: user.email for user in await _people(engine)}

    assert emails == {first: "ada@example.com", other: "bob@example.com"}


async def test_no_address_no_user(identities: IdentityService, engine: AIOEngine) -> None:
    """Without a verified address nobody is made and nobody is joined."""
    with pytest.raises(OAuthFailed):
        await identities.sign_in(somebody(email=None), PEER)

    assert await _people(engine) == []


async def test_a_verified_user_keeps_all(
    identities: IdentityService, engine: AIOEngine, auth: AuthService
) -> None:
    """An account joins a user whose address was verified, who keeps password and sessions."""
    local = await register(auth)
    await _verify(engine, user_of(local))
    grant = await identities.sign_in(somebody(name="Another Name"), PEER)
    (user,) = await _people(engine)

    assert user_of(grant) == user_of(local) == user.id
    assert user.display_name == "Ada"
    assert len(user.identities) == 1
    await auth.authenticate(local.access_token)
    await login(auth)


async def test_a_squatter_is_put_out(
    identities: IdentityService,
    engine: AIOEngine,
    auth: AuthService,
    sockets: RecordingCloser,
) -> None:
    """An account set up in advance loses password, sessions and sockets as the owner arrives."""
    planted = [await register(auth), await login(auth)]
    before = await _sessions(engine)
    grant = granted(await identities.sign_in(somebody(), PEER))
    (user,) = await _people(engine)

    assert (user_of(grant), user.is_verified) == (user_of(planted[0]), True)
    assert sockets.ended == [(user.id, frozenset(before))]
    for each in planted:
        assert (await refused(auth.authenticate(each.access_token)))[0] == "not_authenticated"
        assert (await refused(auth.refresh(each.refresh_token)))[0] == "session_ended"
    assert (await refused(login(auth)))[0] == "invalid_credentials"
    await auth.authenticate(grant.access_token)


def _auth_of(
    kind: type[AuthT],
    engine: AIOEngine,
    clock: FrozenClock,
    users: UserService,
    hasher: Hasher,
) -> AuthT:
    links = Links(ACCESS, clock)
    return kind(engine, clock, users, hasher, tokens_by(clock), links, RecordingCloser())


class _Cut(Exception):
    """The process ends here."""


class CutUsers(UserService):
    """Is cut right before an identity joins."""

    async def join(self, user_id: ObjectId, identity: Identity) -> bool:
        """Never comes to it."""
        raise _Cut


class CutAuth(AuthService):
    """Is cut right before sessions end."""

    async def end_some(self, user_id: ObjectId, ended: Collection[ObjectId]) -> int:
        """Never comes to it."""
        raise _Cut


@pytest.mark.parametrize("before", ["sessions", "join"])
async def test_a_cut_gives_a_squatter_nothing(
    before: str,
    engine: AIOEngine,
    clock: FrozenClock,
    hasher: Hasher,
    users: UserService,
    auth: AuthService,
) -> None:
    """Cut between any two writes, the owner is not yet in, and all is done again on coming back."""
    planted = await register(auth)
    cut_users: UserService = users
    cut_auth = auth
    if before == "join":
        cut_users = CutUsers(engine, clock, BlockService(engine, clock))
    else:
        cut_auth = _auth_of(CutAuth, engine, clock, users, hasher)
    with pytest.raises(_Cut):
        await IdentityService(clock, cut_users, cut_auth).sign_in(somebody(), PEER)
    (user,) = await _people(engine)

    assert (user.password_hash, user.is_verified, user.identities) == (None, False, [])
    assert (await refused(login(auth)))[0] == "invalid_credentials"
    await IdentityService(clock, users, auth).sign_in(somebody(), PEER)
    assert (await refused(auth.authenticate(planted.access_token)))[0] == "not_authenticated"


@pytest.mark.parametrize("at", [1, 2])
async def test_a_login_under_way_is_put_out(
    at: int, engine: AIOEngine, clock: FrozenClock, users: UserService, auth: AuthService
) -> None:
    """A squatter's login across which the owner arrives, after its password check, is refused."""
    await register(auth)
    turns = iter(range(1, 9))

    async def meanwhile() -> None:
        if next(turns) == at:
            await IdentityService(clock, users, auth).sign_in(somebody(), PEER)

    interrupted = InterruptedHasher(meanwhile)
    slow = service_over(engine, clock, interrupted, RecordingCloser())
    assert (await refused(login(slow)))[0] == "invalid_credentials"
    interrupted.close()

    assert len(await _sessions(engine)) == 1


async def test_a_registration_under_way_is_put_out(
    engine: AIOEngine, clock: FrozenClock, users: UserService, auth: AuthService
) -> None:
    """A squatter whose registration is cut across by the owner gets no session."""
    turns = iter([True])

    async def meanwhile() -> None:
        if next(turns, False):
            await IdentityService(clock, users, auth).sign_in(somebody(), PEER)

    interrupted = InterruptedHasher(meanwhile)
    slow = service_over(engine, clock, interrupted, RecordingCloser())
    with pytest.raises(NotAuthenticated):
        await register(slow)
    interrupted.close()
    (user,) = await _people(engine)

    assert (user.password_hash, user.is_verified) == (None, True)
    assert len(await _sessions(engine)) == 1


class LateAuth(AuthService):
    """Lets another arrival of the owner be over before it looks at the sessions."""

    meanwhile: Callable[[], Awaitable[object]]

    async def sessions(self, user_id: ObjectId) -> list[Session]:
        """The sessions, the other arrival's among them."""
        await self.meanwhile()
        return await super().sessions(user_id)


async def test_an_arrival_ends_no_session_of_another(
    engine: AIOEngine,
    clock: FrozenClock,
    hasher: Hasher,
    users: UserService,
    auth: AuthService,
) -> None:
    """Of two arrivals at a squatted account the later one leaves the owner's first session be."""
    await register(auth)
    late = _auth_of(LateAuth, engine, clock, users, hasher)
    first: list[Grant] = []

    async def meanwhile() -> None:
        if not first:
            arrival = await IdentityService(clock, users, auth).sign_in(somebody(), PEER)
            first.append(granted(arrival))

    late.meanwhile = meanwhile
    second = granted(await IdentityService(clock, users, late).sign_in(somebody(), PEER))

    for grant in (*first, second):
        await auth.authenticate(grant.access_token)
    assert len(await _sessions(engine)) == 2


async def test_nothing_joins_what_may_be_a_squatters(
    engine: AIOEngine, users: UserService, auth: AuthService
) -> None:
    """An identity joins no user with an unproven password, another address, or out of service."""
    user = user_of(await register(auth))

    def identity(email: str) -> Identity:
        return Identity(provider="google", provider_id="1", email=email, key="google x 1")

    assert not await users.join(user, identity("ada@example.com"))
    await _verify(engine, user)
    assert not await users.join(user, identity("eve@example.com"))
    await deactivate(engine, user)
    assert not await users.join(user, identity("ada@example.com"))
    (stored,) = await _people(engine)
    assert stored.identities == []


async def test_two_providers_one_user(identities: IdentityService, engine: AIOEngine) -> None:
    """Accounts at two providers with one address are one user's."""
    first = await identities.sign_in(somebody(), PEER)
    second = await identities.sign_in(somebody("9", provider="github"), PEER)
    (user,) = await _people(engine)

    assert user_of(first) == user_of(second) == user.id
    assert [each.provider for each in user.identities] == ["google", "github"]


async def test_another_place_is_another_account(
    identities: IdentityService, engine: AIOEngine
) -> None:
    """The same number at another issuer, under the same provider's name, is somebody else."""
    first = await identities.sign_in(somebody(), PEER)
    elsewhere = somebody(email="eve@example.com", place="https://other.example")

    assert user_of(await identities.sign_in(elsewhere, PEER)) != user_of(first)
    with pytest.raises(OAuthFailed):
        await identities.sign_in(somebody(email=None, place="https://third.example"), PEER)


Prepare = Callable[[AuthService], Awaitable[object]]


async def _nobody(auth: AuthService) -> None:
    """There is no account yet."""


@pytest.mark.parametrize("prepare", [_nobody, register])
@pytest.mark.parametrize("providers", [("google",), ("google", "github")])
async def test_many_first_arrivals_make_one_user(
    prepare: Prepare,
    providers: tuple[str, ...],
    identities: IdentityService,
    engine: AIOEngine,
    auth: AuthService,
) -> None:
    """Ten first sign-ins at once are one user's, each with a session that lives."""
    await prepare(auth)
    arriving = [somebody(provider=providers[at % len(providers)]) for at in range(10)]
    outcomes = await asyncio.gather(*(identities.sign_in(each, PEER) for each in arriving))
    grants = [granted(outcome) for outcome in outcomes]
    (user,) = await _people(engine)

    assert {user_of(grant) for grant in grants} == {user.id}
    assert sorted(each.provider for each in user.identities) == sorted(providers)
    for grant in grants:
        await auth.authenticate(grant.access_token)
    assert len(await _sessions(engine)) == 10


async def test_the_deactivated_are_refused(identities: IdentityService, engine: AIOEngine) -> None:
    """A deactivated user is refused by an account that is known, and joined by no other."""
    user = user_of(await identities.sign_in(somebody(), PEER))
    await deactivate(engine, user)
    for provider in ("google", "github"):
        with pytest.raises(OAuthFailed, match="deactivated"):
            await identities.sign_in(somebody(provider=provider), PEER)
    (stored,) = await _people(engine)

    assert len(stored.identities) == 1
    assert await _sessions(engine) == set()


async def test_look_alikes_are_others(identities: IdentityService) -> None:
    """An address with a dotless, Cyrillic or full-width letter is another user's."""
    first = user_of(await identities.sign_in(somebody("1", "mike@example.com"), PEER))
    for letter in ("\u0131", "\u0456", "\uff49"):
        other = somebody(letter, f"m{letter}ke@example.com")
        assert user_of(await identities.sign_in(other, PEER)) != first
