"""The rules for addresses that prove themselves, and for passwords that change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from bson import ObjectId
from odmantic import AIOEngine
from structlog.testing import capture_logs

from chatme.auth.links import Links
from chatme.auth.models import Session
from chatme.auth.passwords import Hasher
from chatme.auth.postman import Postman
from chatme.auth.recovery import RecoveryService
from chatme.auth.service import AuthService
from chatme.errors import BadRequest, Unavailable
from chatme.mail import NoMailer
from chatme.users.models import User
from chatme.users.service import UserService
from chatme_tests.auth.desk import PAGE, Desk, outdated
from chatme_tests.auth.stage import (
    ACCESS,
    PASSWORD,
    InterruptedHasher,
    deactivate,
    login,
    refused,
    register,
    service_over,
    user_of,
)
from chatme_tests.fakes import FrozenClock, RecordingCloser
from chatme_tests.postbox import token_in

NEW, OTHER = "Battery-Staple-8", "Quite-Another-9"


@pytest.fixture
def desk(engine: AIOEngine, users: UserService, auth: AuthService, clock: FrozenClock) -> Desk:
    """The rules and a clock that stands still."""
    return Desk(engine, users, auth, clock)


@pytest.fixture
async def recovery(desk: Desk, hasher: Hasher) -> AsyncIterator[RecoveryService]:
    """The rules, whose letters are all on their way in the end."""
    made = desk.recovery(hasher)
    yield made
    await desk.postman.aclose()


async def test_an_address_proves_itself_once(desk: Desk, recovery: RecoveryService) -> None:
    """The link in the letter verifies the address, and is then worth nothing."""
    ada = user_of(await register(desk.auth))
    recovery.welcome(ada)
    token = await desk.token()
    await recovery.verify(token)

    assert [each.to for each in desk.mail.letters] == ["ada@example.com"]
    assert f"{PAGE}/verify?token={token}" in desk.mail.letters[0].text
    assert (await desk.user()).is_verified
    assert await outdated(recovery.verify(token))


async def test_the_verified_get_no_letter(desk: Desk, recovery: RecoveryService) -> None:
    """Who is verified, deactivated or not there is sent nothing, and older links are worthless."""
    ada = user_of(await register(desk.auth))
    bob = user_of(await register(desk.auth, "bob@example.com"))
    for user in (ada, ada, bob):
        recovery.request_verification(user)
    letters = await desk.sent()
    first, second = [token_in(each.text) for each in letters if each.to == "ada@example.com"]
    (third,) = [token_in(each.text) for each in letters if each.to == "bob@example.com"]
    await recovery.verify(second)
    await deactivate(desk.engine, bob)
    for user in (ada, bob, ObjectId()):
        recovery.request_verification(user)

    assert len(await desk.sent()) == 3
    assert await outdated(recovery.verify(first))
    assert await outdated(recovery.verify(third))


async def test_a_link_lasts_as_long_as_it_says(desk: Desk, recovery: RecoveryService) -> None:
    """The link that verifies is good for a day, the one that resets for an hour."""
    recovery.welcome(user_of(await register(desk.auth)))
    verify = await desk.token()
    reset = await desk.reset_token(recovery)
    desk.clock.move(hours=1, seconds=1)
    assert await outdated(recovery.reset(reset, NEW))
    desk.clock.move(hours=23)

    assert await outdated(recovery.verify(verify))
    assert not (await desk.user()).is_verified


async def test_a_link_serves_its_purpose_only(desk: Desk, recovery: RecoveryService) -> None:
    """No link does the other's work, and no token of a session does either's."""
    grant = await register(desk.auth)
    recovery.welcome(user_of(grant))
    verify = await desk.token()
    reset = await desk.reset_token(recovery)

    for token in (reset, grant.access_token, grant.refresh_token, ""):
        assert await outdated(recovery.verify(token))
    for token in (verify, grant.access_token, grant.refresh_token, ""):
        assert await outdated(recovery.reset(token, NEW))


async def test_a_reset_ends_all_sessions(
    desk: Desk, recovery: RecoveryService, sockets: RecordingCloser
) -> None:
    """A new password by a link signs everybody out, verifies the address, and works at once."""
    grant = await register(desk.auth)
    await login(desk.auth)
    ended = set(await desk.sessions(grant))
    token = await desk.reset_token(recovery)
    await recovery.reset(token, NEW)

    assert f"{PAGE}/reset-password?token={token}" in desk.mail.letters[0].text
    assert await desk.sessions(grant) == []
    assert set().union(*(ids or set() for _, ids in sockets.ended)) == ended
    assert (await desk.user()).is_verified
    assert (await refused(login(desk.auth)))[0] == "invalid_credentials"
    await login(desk.auth, password=NEW)
    assert await outdated(recovery.reset(token, OTHER))


async def test_any_change_outdates_a_reset(desk: Desk, recovery: RecoveryService) -> None:
    """A link is worthless once the password changed in any other way, or the address."""
    grant = await register(desk.auth)
    caller = await desk.auth.authenticate(grant.access_token)
    tokens = [await desk.reset_token(recovery)]
    await recovery.change(caller, PASSWORD, NEW)
    tokens.append(await desk.reset_token(recovery))
    await desk.auth.set_password(caller.user_id, OTHER)
    tokens.append(await desk.reset_token(recovery))
    await desk.engine.get_collection(User).update_one(
        {"_id": caller.user_id}, {"$set": {"email": "elsewhere@example.com"}}
    )

    assert [await outdated(recovery.reset(each, NEW)) for each in tokens] == [True] * 3


async def test_one_of_two_resets_wins(desk: Desk, recovery: RecoveryService) -> None:
    """Of several uses of one link at once, exactly one sets its password."""
    await register(desk.auth)
    token = await desk.reset_token(recovery)
    wanted = [f"Password-{at}" for at in range(6)]
    answers = await asyncio.gather(
        *(recovery.reset(token, each) for each in wanted), return_exceptions=True
    )
    won = [each for each, answer in zip(wanted, answers, strict=True) if answer is None]

    assert [type(each) for each in answers if each is not None] == [BadRequest] * 5
    await login(desk.auth, password=won[0])


async def test_a_login_races_a_reset(
    desk: Desk, recovery: RecoveryService, clock: FrozenClock
) -> None:
    """Who shows the old password while it is replaced is not let in, and has no session."""
    grant = await register(desk.auth)
    token = await desk.reset_token(recovery)
    done: list[None] = []

    async def meanwhile() -> None:
        if not done:
            done.append(None)
            await recovery.reset(token, NEW)

    hasher = InterruptedHasher(meanwhile)
    late = await refused(login(service_over(desk.engine, clock, hasher, RecordingCloser())))
    hasher.close()

    assert late[0] == "invalid_credentials"
    assert await desk.sessions(grant) == []


async def test_a_shut_out_user_is_not_let_in_by_mail(desk: Desk, recovery: RecoveryService) -> None:
    """A deactivated user gets no letter, and one from before is worthless."""
    ada = user_of(await register(desk.auth))
    token = await desk.reset_token(recovery)
    await deactivate(desk.engine, ada)
    recovery.forgot("ada@example.com")

    assert len(await desk.sent()) == 1
    assert await outdated(recovery.reset(token, NEW))


async def test_who_has_no_password_can_get_one(desk: Desk, recovery: RecoveryService) -> None:
    """A user who only signs in elsewhere gets a password by a link that works once as well."""
    await desk.users.create("Zoe", "zoe@example.com", None)
    token = await desk.reset_token(recovery, "zoe@example.com")
    await recovery.reset(token, NEW)

    await login(desk.auth, "zoe@example.com", NEW)
    assert await outdated(recovery.reset(token, OTHER))


async def test_names_never_get_into_letters(desk: Desk, recovery: RecoveryService) -> None:
    """Whatever somebody calls themselves, the address they named reads only our words."""
    name = "Win!\u202e http://evil.example =?utf-8?q?=0D=0ABcc:_x?="
    user = await desk.users.create(name, "victim@example.com", None)
    recovery.welcome(user.id)
    recovery.forgot("victim@example.com")
    letters = await desk.sent()

    assert len(letters) == 2
    assert "evil" not in str(letters)
    assert "=?" not in str(letters)


async def test_a_change_ends_the_other_sessions(
    desk: Desk, recovery: RecoveryService, sockets: RecordingCloser
) -> None:
    """Who changes their password stays in, and everybody else is out with the old one."""
    first, second = await register(desk.auth), await login(desk.auth)
    caller = await desk.auth.authenticate(second.access_token)
    other = await desk.auth.authenticate(first.access_token)
    await recovery.change(caller, PASSWORD, NEW)

    assert await desk.sessions(first) == [caller.session_id]
    assert sockets.ended[0] == (caller.user_id, frozenset({other.session_id}))
    assert (await refused(login(desk.auth)))[0] == "invalid_credentials"
    await login(desk.auth, password=NEW)


async def test_a_change_needs_the_present_password(desk: Desk, recovery: RecoveryService) -> None:
    """A wrong present password, or one where there is none, changes nothing and ends nothing."""
    grant = await register(desk.auth)
    caller = await desk.auth.authenticate(grant.access_token)
    hashed = (await desk.user()).password_hash
    wrong = await refused(recovery.change(caller, "Wrong-1", NEW))
    await desk.engine.get_collection(User).update_one({}, {"$set": {"password_hash": None}})
    none = await refused(recovery.change(caller, PASSWORD, NEW))

    assert wrong == none == ("invalid_credentials", "The current password is wrong.")
    assert (await desk.user()).password_hash is None
    assert hashed is not None
    assert len(await desk.sessions(grant)) == 1


async def test_one_of_two_changes_wins(desk: Desk, recovery: RecoveryService) -> None:
    """Of two changes at once one holds, and the other is told that its password is wrong."""
    grant = await register(desk.auth)
    caller = await desk.auth.authenticate(grant.access_token)
    answers = await asyncio.gather(
        *(recovery.change(caller, PASSWORD, each) for each in (NEW, OTHER)), return_exceptions=True
    )

    assert answers.count(None) == 1
    await login(desk.auth, password=(NEW, OTHER)[answers.index(None)])


async def test_mail_that_fails_fails_nothing(desk: Desk, recovery: RecoveryService) -> None:
    """A relay that is down shows in the log, without link or token, and nowhere else."""
    desk.mail.fails = True
    grant = await register(desk.auth)
    with capture_logs() as logged:
        recovery.welcome(user_of(grant))
        recovery.forgot("ada@example.com")
        await desk.sent()

    assert [each["event"] for each in logged] == ["a letter was not sent"] * 2
    assert "token" not in str(logged)


async def test_without_mail_callers_are_told(desk: Desk, hasher: Hasher) -> None:
    """Without mail a link cannot be asked for, and a registration goes on without a letter."""
    links = Links(ACCESS, desk.clock)
    postman = Postman(NoMailer())
    recovery = RecoveryService(desk.engine, desk.users, desk.auth, hasher, links, postman, PAGE)
    recovery.welcome(user_of(await register(desk.auth)))
    with pytest.raises(Unavailable) as forgot:
        recovery.forgot("ada@example.com")
    with pytest.raises(Unavailable) as asked:
        recovery.request_verification(ObjectId())

    assert forgot.value.code == asked.value.code == "mail_not_configured"


async def test_asking_takes_the_same_time_for_all(desk: Desk, recovery: RecoveryService) -> None:
    """Whether an address has a user is looked up behind the answer: no time or log tells."""
    await register(desk.auth)
    started = time.perf_counter()
    for _ in range(50):
        recovery.forgot("ada@example.com")
    known = time.perf_counter() - started
    assert desk.mail.letters == []
    started = time.perf_counter()
    for _ in range(50):
        recovery.forgot("nobody@example.com")
    unknown = time.perf_counter() - started

    with capture_logs() as logged:
        assert len(await desk.sent()) == 50

    assert max(known, unknown) < 0.5
    assert logged == []
    assert await desk.engine.count(Session) == 1


async def test_a_changed_password_is_told(desk: Desk, recovery: RecoveryService) -> None:
    """Who has a verified address hears that the password was changed, and nothing of what it is."""
    grant = await register(desk.auth)
    caller = await desk.auth.authenticate(grant.access_token)
    await recovery.change(caller, PASSWORD, NEW)
    before = len(await desk.sent())
    recovery.request_verification(caller.user_id)
    await recovery.verify(await desk.token())
    await recovery.change(caller, NEW, OTHER)
    letters = (await desk.sent())[before + 1 :]

    assert before == 0
    assert [(each.to, each.subject) for each in letters] == [
        ("ada@example.com", "Your password was changed")
    ]
    assert OTHER not in letters[0].text
