"""The rules for accounts: who may sign in, who still is, and when it ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from bson import ObjectId
from odmantic import AIOEngine

from chatme.auth.models import Session
from chatme.auth.service import ROTATION_GRACE, SESSION_LIFE, AuthService, Grant
from chatme.errors import Conflict, NotAuthenticated
from chatme.users.models import User
from chatme.users.service import UserService
from chatme_tests.auth.stage import (
    PASSWORD,
    InterruptedHasher,
    deactivate,
    login,
    refused,
    register,
    service_over,
    tokens_by,
    user_of,
)
from chatme_tests.fakes import FrozenClock, RecordingCloser

ENDED = "session_ended"


async def _sessions(engine: AIOEngine) -> list[Session]:
    return await engine.find(Session)


async def test_registration_opens_a_session(
    auth: AuthService, engine: AIOEngine, clock: FrozenClock
) -> None:
    """A new account is signed in, and its session says where from and until when."""
    grant = await register(auth)
    principal = await auth.authenticate(grant.access_token)
    (session,) = await _sessions(engine)

    assert principal.user_id == user_of(grant) == session.user
    assert principal.session_id == session.id
    assert grant.refresh_life == timedelta(days=7)
    assert (session.ip, session.user_agent) == ("203.0.113.9", "a browser")
    assert (session.created_at, session.ends_at, session.final_at) == (
        clock.now(),
        clock.now() + timedelta(days=7),
        clock.now() + SESSION_LIFE,
    )
    assert timedelta(days=90) == SESSION_LIFE


async def test_the_database_holds_hashes_only(auth: AuthService, engine: AIOEngine) -> None:
    """Neither the password nor a token, nor a part of one, is in any document."""
    grant = await auth.refresh((await register(auth)).refresh_token)
    documents = [await engine.get_collection(model).find_one({}) for model in (User, Session)]

    assert str(documents).count("$2b$") == 3
    for secret in (PASSWORD, grant.access_token, grant.refresh_token):
        assert secret not in str(documents)
        assert secret.rpartition(".")[2] not in str(documents)


async def test_an_address_is_registered_once(auth: AuthService, engine: AIOEngine) -> None:
    """Of many that register one address at once, one is let in and the others are told."""
    attempts = [
        register(auth, " ADA@example.com" if at % 2 else "ada@Example.COM") for at in range(8)
    ]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    losers = [each.code for each in answers if isinstance(each, Conflict)]

    assert losers == ["email_taken"] * 7
    assert len(await _sessions(engine)) == 1
    with pytest.raises(Conflict):
        await register(auth)


async def test_each_login_is_a_session_of_its_own(auth: AuthService, engine: AIOEngine) -> None:
    """Several devices sign in side by side, and one may leave alone."""
    grants = [await register(auth), await login(auth), await login(auth, " ADA@EXAMPLE.com ")]
    principals = [await auth.authenticate(grant.access_token) for grant in grants]
    await auth.logout(principals[1], None)

    assert len({each.session_id for each in principals}) == 3
    assert {each.id for each in await _sessions(engine)} == {
        principals[0].session_id,
        principals[2].session_id,
    }
    assert (await auth.authenticate(grants[2].access_token)).user_id == user_of(grants[0])


async def test_all_failed_logins_are_alike(
    auth: AuthService, users: UserService, engine: AIOEngine
) -> None:
    """A wrong password, nobody, rubbish, no password and a deactivated user: one answer."""
    await register(auth)
    await users.create("By Provider", "provider@example.com", None)
    gone = user_of(await register(auth, "gone@example.com"))
    await deactivate(engine, gone)
    answers = {
        await refused(login(auth, password="Wrong-1")),
        await refused(login(auth, password="")),
        await refused(login(auth, "nobody@example.com")),
        await refused(login(auth, "not an address")),
        await refused(login(auth, "")),
        await refused(login(auth, "provider@example.com")),
        await refused(login(auth, "gone@example.com")),
    }

    assert [code for code, _ in answers] == ["invalid_credentials"]
    assert len(await _sessions(engine)) == 1


async def test_a_deactivated_user_is_out_at_once(auth: AuthService, engine: AIOEngine) -> None:
    """After deactivation neither token is good for anything."""
    grant = await register(auth)
    await deactivate(engine, user_of(grant))

    assert (await refused(auth.authenticate(grant.access_token)))[0] == "not_authenticated"
    assert (await refused(auth.refresh(grant.refresh_token)))[0] == ENDED


async def test_deactivation_races_a_login(
    auth: AuthService, engine: AIOEngine, clock: FrozenClock
) -> None:
    """Who is deactivated between the password's check and the session's insert is not let in."""
    user = user_of(await register(auth))

    async def meanwhile() -> None:
        await deactivate(engine, user)

    hasher = InterruptedHasher(meanwhile)
    late = await refused(login(service_over(engine, clock, hasher, RecordingCloser())))
    hasher.close()

    assert late == await refused(login(auth, "nobody@example.com"))
    assert await _sessions(engine) == []


async def test_deactivation_races_a_refresh(
    auth: AuthService, engine: AIOEngine, clock: FrozenClock
) -> None:
    """A session that ends while its token is being rotated does not come back."""
    grant = await register(auth)

    async def meanwhile() -> None:
        await deactivate(engine, user_of(grant))

    hasher = InterruptedHasher(meanwhile)
    late = service_over(engine, clock, hasher, RecordingCloser())
    answer = await refused(late.refresh(grant.refresh_token))
    hasher.close()

    assert answer[0] == ENDED
    assert await _sessions(engine) == []


async def test_a_refresh_rotates(auth: AuthService, clock: FrozenClock) -> None:
    """A refresh gives a new pair of tokens for the same session, and the new one refreshes on."""
    first = await register(auth)
    clock.move(minutes=20)
    second = await auth.refresh(first.refresh_token)
    clock.move(minutes=20)
    third = await auth.refresh(second.refresh_token)
    tokens = {each.refresh_token for each in (first, second, third)}
    principal = await auth.authenticate(third.access_token)

    assert len(tokens) == 3
    assert (await refused(auth.authenticate(first.access_token)))[0] == "not_authenticated"
    assert principal.user_id == user_of(first)
    assert third.refresh_life == timedelta(days=7)


async def test_the_grace_lasts_ten_seconds(auth: AuthService, clock: FrozenClock) -> None:
    """Within ten seconds the token before gives the token of now, letter for letter."""
    first = await register(auth)
    second = await auth.refresh(first.refresh_token)
    clock.move(seconds=10)
    again = await auth.refresh(first.refresh_token)

    assert second.refresh_token == again.refresh_token
    assert timedelta(seconds=10) == ROTATION_GRACE
    assert await auth.refresh(second.refresh_token)


async def test_a_token_that_comes_back_ends_the_session(
    auth: AuthService, engine: AIOEngine, clock: FrozenClock, sockets: RecordingCloser
) -> None:
    """After the grace a rotated token ends the session and its sockets, for thief and owner."""
    first = await register(auth)
    second = await auth.refresh(first.refresh_token)
    principal = await auth.authenticate(second.access_token)
    clock.move(seconds=10.001)

    assert (await refused(auth.refresh(first.refresh_token)))[0] == ENDED
    assert (await refused(auth.refresh(second.refresh_token)))[0] == ENDED
    assert (await refused(auth.authenticate(second.access_token)))[0] == "not_authenticated"
    assert await _sessions(engine) == []
    assert sockets.ended == [(principal.user_id, frozenset([principal.session_id]))]


async def test_a_token_from_before_the_last_ends_the_session(
    auth: AuthService, engine: AIOEngine
) -> None:
    """The grace is for the last token alone: an older one ends the session even within it."""
    first = await register(auth)
    second = await auth.refresh(first.refresh_token)
    await auth.refresh(second.refresh_token)

    assert (await refused(auth.refresh(first.refresh_token)))[0] == ENDED
    assert await _sessions(engine) == []


async def test_refreshes_at_once_agree(auth: AuthService, engine: AIOEngine) -> None:
    """Ten tabs that refresh at once are handed one token, and it goes on working."""
    first = await register(auth)
    grants = await asyncio.gather(*(auth.refresh(first.refresh_token) for _ in range(10)))
    tokens = {grant.refresh_token for grant in grants}

    assert len(tokens) == 1
    assert first.refresh_token not in tokens
    assert len(await _sessions(engine)) == 1
    assert await auth.refresh(tokens.pop())


async def test_a_session_unused_ends_after_seven_days(
    auth: AuthService, clock: FrozenClock
) -> None:
    """A refresh on the seventh day goes on, one at its end comes too late."""
    grant: Grant = await register(auth)
    clock.move(days=7, seconds=-1)
    grant = await auth.refresh(grant.refresh_token)
    clock.move(days=7)

    assert (await refused(auth.refresh(grant.refresh_token)))[0] == ENDED


async def test_a_session_ends_after_ninety_days(auth: AuthService, clock: FrozenClock) -> None:
    """No refresh leads past the ninetieth day, for neither token, cookie nor socket."""
    grant: Grant = await register(auth)
    for _ in range(14):
        clock.move(days=6)
        grant = await auth.refresh(grant.refresh_token)
    assert grant.refresh_life == timedelta(days=6)
    clock.move(days=6, minutes=-1)
    grant = await auth.refresh(grant.refresh_token)
    principal = await auth.authenticate(grant.access_token)

    assert grant.refresh_life == timedelta(minutes=1)
    assert principal.expires_at == clock.now() + timedelta(minutes=1)
    await auth.recheck(principal)
    clock.move(minutes=1)
    assert (await refused(auth.recheck(principal)))[0] == "not_authenticated"
    assert (await refused(auth.refresh(grant.refresh_token)))[0] == ENDED
    assert (await refused(auth.authenticate(grant.access_token)))[0] == "not_authenticated"


async def test_a_token_is_good_for_its_own_session_only(
    auth: AuthService, clock: FrozenClock
) -> None:
    """A signed token that pairs a user with another's session, or with none, is refused."""
    ada, bob = await register(auth), await register(auth, "bob@example.com")
    theirs = (await auth.authenticate(bob.access_token)).session_id
    tokens = tokens_by(clock)
    for session in (theirs, ObjectId()):
        access = tokens.access(user_of(ada), session)
        refresh = tokens.refresh(user_of(ada), session, "name", clock.now())
        assert (await refused(auth.authenticate(access)))[0] == "not_authenticated"
        assert (await refused(auth.refresh(refresh)))[0] == ENDED
        assert (await refused(auth.logout(None, refresh)))[0] == ENDED

    assert await auth.authenticate(bob.access_token)


async def test_a_signed_token_that_was_never_handed_out_ends_the_session(
    auth: AuthService, clock: FrozenClock, engine: AIOEngine
) -> None:
    """A refresh token of the right session under another name is one that somebody made up."""
    grant = await register(auth)
    principal = await auth.authenticate(grant.access_token)
    made_up = tokens_by(clock).refresh(
        principal.user_id, principal.session_id, "made up", clock.now()
    )

    assert (await refused(auth.logout(None, made_up)))[0] == ENDED
    assert len(await _sessions(engine)) == 1
    assert (await refused(auth.refresh(made_up)))[0] == ENDED
    assert await _sessions(engine) == []


@pytest.mark.parametrize("by", ["access token", "cookie", "cookie from before"])
async def test_logout_ends_the_session(
    auth: AuthService, engine: AIOEngine, sockets: RecordingCloser, by: str
) -> None:
    """Either token ends its session and its sockets at once, and no other session."""
    first = await register(auth)
    other = await login(auth)
    second = await auth.refresh(first.refresh_token)
    cookies = {"cookie": second.refresh_token, "cookie from before": first.refresh_token}
    principal = await auth.authenticate(second.access_token)
    await auth.logout(principal if by == "access token" else None, cookies.get(by))

    assert (await refused(auth.authenticate(second.access_token)))[0] == "not_authenticated"
    assert (await refused(auth.refresh(second.refresh_token)))[0] == ENDED
    assert await auth.authenticate(other.access_token)
    assert len(await _sessions(engine)) == 1
    assert sockets.ended == [(principal.user_id, frozenset([principal.session_id]))]


async def test_logout_wants_a_genuine_token(auth: AuthService, engine: AIOEngine) -> None:
    """Without a token, with a forged one or an access token for a cookie nobody is signed out."""
    grant = await register(auth)

    with pytest.raises(NotAuthenticated):
        await auth.logout(None, None)
    for cookie in ("", "a.b.c", grant.access_token):
        assert (await refused(auth.logout(None, cookie)))[0] == ENDED
    assert len(await _sessions(engine)) == 1


async def test_all_ended_sessions_are_alike(auth: AuthService, clock: FrozenClock) -> None:
    """A forged, a foreign, an old and an ended refresh token are told in the same words."""
    grant = await register(auth)
    ended: Grant = await login(auth)
    await auth.logout(None, ended.refresh_token)
    foreign = tokens_by(clock).refresh(ObjectId(), ObjectId(), "name", clock.now())
    answers = {
        await refused(auth.refresh(token))
        for token in ("a.b.c", "", foreign, ended.refresh_token, grant.access_token)
    }
    clock.move(days=7)
    answers.add(await refused(auth.refresh(grant.refresh_token)))

    assert [code for code, _ in answers] == [ENDED]
