"""The rules for the second factor: enrolling, signing in by two steps, giving it up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from odmantic import AIOEngine

from chatme.auth.codes import Codes
from chatme.auth.factors import FactorService
from chatme.auth.identities import IdentityService
from chatme.auth.links import Links
from chatme.auth.passwords import Hasher
from chatme.auth.persons import person
from chatme.auth.postman import Postman
from chatme.auth.service import AuthService, Challenge, Grant
from chatme.auth.wire import Credentials
from chatme.errors import Conflict, Forbidden, NotAuthenticated
from chatme.principal import Principal
from chatme.storage import atomic
from chatme.users.models import User
from chatme.users.service import UserService
from chatme_tests.auth.desk import KeptMail
from chatme_tests.auth.stage import (
    ACCESS,
    PASSWORD,
    PEER,
    InterruptedHasher,
    granted,
    login,
    refused,
    register,
    service_over,
    user_of,
)
from chatme_tests.auth.test_codes import code_at
from chatme_tests.fakes import FrozenClock, RecordingCloser

WRONG = "invalid_code"


@pytest.fixture
def mail() -> KeptMail:
    """Letters that can be read."""
    return KeptMail()


@pytest.fixture
async def postman(mail: KeptMail) -> AsyncIterator[Postman]:
    """Who brings them, and has brought them all in the end."""
    made = Postman(mail)
    yield made
    await made.aclose()


@pytest.fixture
def factors(
    engine: AIOEngine,
    clock: FrozenClock,
    hasher: Hasher,
    users: UserService,
    auth: AuthService,
    postman: Postman,
) -> FactorService:
    """The rules."""
    codes = Codes(engine, clock, hasher)
    return FactorService(engine, users, auth, codes, Links(ACCESS, clock), postman)


async def _ada(auth: AuthService) -> Principal:
    return await auth.authenticate((await register(auth)).access_token)


async def _turn_on(
    factors: FactorService, caller: Principal, clock: FrozenClock
) -> tuple[str, list[str]]:
    enrolment = await factors.enrol(caller, None)
    codes = await factors.confirm(caller, code_at(clock, secret=enrolment.secret))
    clock.move(seconds=60)
    return enrolment.secret, codes


async def _first_step(auth: AuthService) -> str:
    outcome = await auth.login(Credentials(email="ada@example.com", password=PASSWORD), PEER)
    assert isinstance(outcome, Challenge)
    return outcome.token


async def test_two_steps_in(auth: AuthService, factors: FactorService, clock: FrozenClock) -> None:
    """Once it is on, the password alone opens nothing; with a code, of either kind, it does."""
    caller = await _ada(auth)
    secret, recovery = await _turn_on(factors, caller, clock)
    before = len(await auth.sessions(caller.user_id))
    token = await _first_step(auth)
    after = len(await auth.sessions(caller.user_id))
    by_app = await factors.sign_in(token, code_at(clock, secret=secret), PEER)
    by_paper = await factors.sign_in(token, recovery[0], PEER)
    state = await factors.state(caller.user_id)

    assert before == after == 1
    assert user_of(by_app) == user_of(by_paper) == factors.challenged(token) == caller.user_id
    assert state is not None
    assert len(state.recovery) == 9


async def test_wrong_and_used_codes_are_alike(
    auth: AuthService, factors: FactorService, clock: FrozenClock
) -> None:
    """A wrong code, rubbish and a code that was used are refused in the same words."""
    secret, recovery = await _turn_on(factors, await _ada(auth), clock)
    token, code = await _first_step(auth), code_at(clock, secret=secret)
    attempts = (factors.sign_in(token, code, PEER) for _ in range(5))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    await factors.sign_in(token, recovery[0], PEER)
    answers = {
        await refused(factors.sign_in(token, each, PEER))
        for each in (code, "000000", "", "x" * 64, recovery[0])
    }

    assert len([each for each in outcomes if isinstance(each, Grant)]) == 1
    assert [code for code, _ in answers] == [WRONG]


async def test_the_first_step_expires(
    auth: AuthService, factors: FactorService, clock: FrozenClock
) -> None:
    """Its token lasts five minutes, and not beyond another password; no other token passes."""
    caller = await _ada(auth)
    secret, _ = await _turn_on(factors, caller, clock)
    token = await _first_step(auth)
    grant = await factors.sign_in(token, code_at(clock, secret=secret), PEER)
    clock.move(minutes=4, seconds=59)
    fresh = code_at(clock, secret=secret)
    in_time = await factors.sign_in(token, fresh, PEER)
    outdated = await _first_step(auth)
    clock.move(minutes=5)
    expired = {
        (await refused(factors.sign_in(each, fresh, PEER)))[0]
        for each in (token, "", "rubbish", grant.access_token, grant.refresh_token)
    }
    late = await _first_step(auth)
    await auth.set_password(caller.user_id, "Another-Horse-8")

    assert user_of(in_time) == caller.user_id
    assert expired == {"login_expired"}
    for each in (outdated, late):
        assert (await refused(factors.sign_in(each, fresh, PEER)))[0] == "login_expired"
    with pytest.raises(NotAuthenticated):
        factors.challenged("rubbish")
    assert (await refused(auth.authenticate(late)))[0] == "not_authenticated"


async def test_turning_it_on_ends_the_other_sessions(
    auth: AuthService, factors: FactorService, clock: FrozenClock
) -> None:
    """The caller's session stays; who signed in with the password alone is out."""
    caller = await _ada(auth)
    other = await login(auth)
    await _turn_on(factors, caller, clock)

    await auth.recheck(caller)
    assert (await refused(auth.authenticate(other.access_token)))[0] == "not_authenticated"


async def test_turning_it_on_races_a_login(
    auth: AuthService, factors: FactorService, engine: AIOEngine, clock: FrozenClock
) -> None:
    """A login that checked the password before it was on, and comes in after, is not let in."""
    caller = await _ada(auth)
    enrolment = await factors.enrol(caller, PASSWORD)
    done: list[list[str]] = []

    async def meanwhile() -> None:
        if not done:
            code = code_at(clock, secret=enrolment.secret)
            done.append(await factors.confirm(caller, code))

    hasher = InterruptedHasher(meanwhile)
    late = await refused(login(service_over(engine, clock, hasher, RecordingCloser())))
    hasher.close()

    assert done
    assert late[0] == "invalid_credentials"
    assert [each.id for each in await auth.sessions(caller.user_id)] == [caller.session_id]


async def test_it_is_turned_on_once(
    auth: AuthService, factors: FactorService, clock: FrozenClock
) -> None:
    """Of several confirmations at once one wins, and what is on is not begun anew."""
    caller = await _ada(auth)
    first = await factors.enrol(caller, PASSWORD)
    second = await factors.enrol(caller, PASSWORD)
    stale = await refused(factors.confirm(caller, code_at(clock, secret=first.secret)))
    code = code_at(clock, secret=second.secret)
    attempts = (factors.confirm(caller, code) for _ in range(5))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    conflicts = [each.code for each in outcomes if isinstance(each, Conflict)]

    assert stale[0] == WRONG
    assert len([each for each in outcomes if isinstance(each, list)]) == 1
    assert conflicts == ["second_factor_on"] * 4
    with pytest.raises(Conflict):
        await factors.enrol(caller, PASSWORD)
    with pytest.raises(Conflict):
        await factors.confirm(caller, code)


async def test_a_beginning_asks_who_is_there(
    auth: AuthService, factors: FactorService, clock: FrozenClock
) -> None:
    """It wants the right password, or a login of the last ten minutes, and nothing older."""
    caller = await _ada(auth)
    await factors.enrol(caller, None)
    clock.move(minutes=10, seconds=1)

    assert (await refused(factors.enrol(caller, "Wrong-1")))[0] == "invalid_credentials"
    with pytest.raises(Forbidden, match="sign in again") as fault:
        await factors.enrol(caller, None)
    assert fault.value.code == "fresh_login_needed"
    await factors.enrol(caller, PASSWORD)
    with pytest.raises(NotAuthenticated):
        await factors.confirm(caller, "000000")


async def test_nothing_begun_is_not_confirmed(auth: AuthService, factors: FactorService) -> None:
    """Without an enrolment there is nothing to confirm, renew or turn off."""
    caller = await _ada(auth)

    with pytest.raises(Conflict):
        await factors.confirm(caller, "000000")
    assert (await refused(factors.renew_recovery(caller, "000000")))[0] == WRONG
    assert (await refused(factors.disable(caller, "000000")))[0] == WRONG
    assert await factors.state(caller.user_id) is None


async def test_recovery_codes_are_renewed(
    auth: AuthService, factors: FactorService, clock: FrozenClock
) -> None:
    """New codes replace the old, for a code that is spent by it."""
    caller = await _ada(auth)
    secret, old = await _turn_on(factors, caller, clock)
    code = code_at(clock, secret=secret)
    new = await factors.renew_recovery(caller, code)
    token = await _first_step(auth)

    assert not set(old) & set(new)
    assert (await refused(factors.renew_recovery(caller, code)))[0] == WRONG
    assert (await refused(factors.sign_in(token, old[1], PEER)))[0] == WRONG
    await factors.sign_in(token, new[1], PEER)


async def test_it_is_turned_off_by_a_code(
    auth: AuthService, factors: FactorService, clock: FrozenClock
) -> None:
    """A code turns it off and ends the other sessions; the password is then enough."""
    caller = await _ada(auth)
    secret, recovery = await _turn_on(factors, caller, clock)
    other = await factors.sign_in(await _first_step(auth), recovery[0], PEER)
    pending = await _first_step(auth)
    await factors.disable(caller, code_at(clock, secret=secret))

    assert (await refused(auth.authenticate(other.access_token)))[0] == "not_authenticated"
    assert (await refused(factors.sign_in(pending, recovery[1], PEER)))[0] == "login_expired"
    assert user_of(await login(auth)) == caller.user_id
    await auth.recheck(caller)


async def test_changes_are_told_by_mail(
    auth: AuthService,
    factors: FactorService,
    engine: AIOEngine,
    clock: FrozenClock,
    mail: KeptMail,
    postman: Postman,
) -> None:
    """Who has a verified address hears of each change; any other address hears nothing."""
    caller = await _ada(auth)
    secret, recovery = await _turn_on(factors, caller, clock)
    await factors.disable(caller, recovery[0])
    await postman.aclose()
    before = len(mail.letters)
    await atomic.update(engine, User, {"_id": caller.user_id}, {"$set": {"is_verified": True}})
    _, recovery = await _turn_on(factors, caller, clock)
    await factors.disable(caller, recovery[0])
    await postman.aclose()

    assert before == 0
    assert [each.to for each in mail.letters] == ["ada@example.com"] * 2
    assert {each.subject for each in mail.letters} == {"Your second factor was changed"}
    assert secret not in str(mail.letters)


async def test_an_operator_helps_out(
    auth: AuthService, factors: FactorService, clock: FrozenClock
) -> None:
    """Who lost phone and codes is let in again by an operator, signed out everywhere."""
    caller = await _ada(auth)
    await _turn_on(factors, caller, clock)
    await factors.drop(caller.user_id)

    assert (await refused(auth.recheck(caller)))[0] == "not_authenticated"
    await login(auth)


async def test_a_provider_does_not_go_round_it(
    auth: AuthService, factors: FactorService, users: UserService, clock: FrozenClock
) -> None:
    """Whoever comes by a provider is asked for the code too, and is let in by it."""
    identities = IdentityService(clock, users, auth)
    ada = person("google", "https://id.example", "1", email="ada@example.com", name="Ada")
    caller = await auth.authenticate(granted(await identities.sign_in(ada, PEER)).access_token)
    secret, _ = await _turn_on(factors, caller, clock)
    outcome = await identities.sign_in(ada, PEER)

    assert isinstance(outcome, Challenge)
    grant = await factors.sign_in(outcome.token, code_at(clock, secret=secret), PEER)
    assert user_of(grant) == caller.user_id
