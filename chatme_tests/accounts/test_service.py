"""The rules for an account's end: nothing of it is left half done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest
from bson import ObjectId
from odmantic import AIOEngine
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from chatme.accounts.models import Erasure
from chatme.accounts.service import AccountService
from chatme.auth.models import Session
from chatme.auth.passwords import Hasher
from chatme.clock import new_id
from chatme.errors import Forbidden, NotAuthenticated, Unavailable
from chatme.shapes import Shape
from chatme.storage.errands import Errands
from chatme.users.blocks import BlockService
from chatme.users.models import Block, User
from chatme.users.service import UserService
from chatme_tests.auth.stage import PASSWORD, login, refused, register, service_over
from chatme_tests.fakes import AlwaysThere, FrozenClock, RecordingCloser, opened_engine


class Note(Shape):
    """Something that is held."""

    text: str


class Stage:
    """The rules over an empty database, with one step and one section that can fail."""

    def __init__(self, engine: AIOEngine, hasher: Hasher) -> None:
        self.engine = engine
        self.clock, self.sockets = FrozenClock(), RecordingCloser()
        self.auth = service_over(engine, self.clock, hasher, self.sockets)
        self.users = UserService(engine, self.clock, BlockService(engine, self.clock))
        self.erased: list[ObjectId] = []
        self.fails = False
        self.is_away = False
        self.errands = Errands(AlwaysThere(), pause=0.001)
        self.accounts = AccountService(
            engine,
            self.clock,
            self.users,
            self.auth,
            self.errands,
            steps=(self._step,),
            sections={"notes": self._notes, "nothing": self._nothing},
        )

    async def _step(self, user_id: ObjectId) -> None:
        if self.fails:
            raise ConnectionError("the process ends here")
        if self.is_away:
            self.is_away = False
            raise AutoReconnect("away")
        self.erased.append(user_id)

    async def _notes(self, user_id: ObjectId) -> AsyncIterator[Note]:
        for at in range(3000):
            yield Note(text=f"{user_id} {at} " + "x" * 50)

    async def _nothing(self, _user_id: ObjectId) -> AsyncIterator[Note]:
        empty: tuple[Note, ...] = ()
        for note in empty:
            yield note

    async def user(self, user_id: ObjectId) -> User:
        """A user as stored."""
        found = await self.users.by_id(user_id)
        assert found is not None
        return found


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    """A hasher at the lowest cost that bcrypt takes."""
    made = Hasher(4)
    yield made
    made.close()


@pytest.fixture
async def stage(tmp_path: Path, hasher: Hasher) -> AsyncIterator[Stage]:
    """An empty stage."""
    async with opened_engine(tmp_path / "data", [User, Block, Session, Erasure]) as engine:
        yield Stage(engine, hasher)


async def test_nothing_of_a_person_is_left(stage: Stage) -> None:
    """Name, address, password and sessions are gone; who registers the address is another."""
    grant = await register(stage.auth)
    caller = await stage.auth.authenticate(grant.access_token)
    await stage.users.saw(caller.user_id, stage.clock.now())
    await stage.accounts.erase(caller, PASSWORD)
    await stage.users.saw(caller.user_id, stage.clock.now())
    left = await stage.user(caller.user_id)
    document = str(await stage.engine.get_collection(User).find_one({"_id": caller.user_id}))
    again = await register(stage.auth)

    assert (left.display_name, left.is_active, left.password_hash) == ("Deleted user", False, None)
    assert (left.grams, left.search_text, left.last_seen_at) == ([], "", None)
    assert "ada" not in document.lower()
    assert stage.erased == [caller.user_id]
    assert (caller.user_id, None) in stage.sockets.ended
    assert (await refused(stage.auth.recheck(caller)))[0] == "not_authenticated"
    assert (await stage.auth.authenticate(again.access_token)).user_id != caller.user_id
    assert await stage.engine.count(Erasure) == 0


async def test_it_asks_who_is_there(stage: Stage) -> None:
    """A wrong password, or none after ten minutes, erases nothing."""
    caller = await stage.auth.authenticate((await register(stage.auth)).access_token)
    with pytest.raises(NotAuthenticated):
        await stage.accounts.erase(caller, "Wrong-1")
    stage.clock.move(minutes=11)
    with pytest.raises(Forbidden):
        await stage.accounts.erase(caller, None)

    assert (await stage.user(caller.user_id)).display_name == "Ada"
    await stage.auth.recheck(caller)
    fresh = await stage.auth.authenticate((await login(stage.auth)).access_token)
    await stage.accounts.erase(fresh, None)
    assert (await stage.user(caller.user_id)).display_name == "Deleted user"


async def test_a_cut_erasure_goes_on(stage: Stage) -> None:
    """Cut in the middle, the user is out already, and the rest is done at the next start."""
    caller = await stage.auth.authenticate((await register(stage.auth)).access_token)
    stage.fails = True
    with pytest.raises(ConnectionError):
        await stage.accounts.erase(caller, PASSWORD)
    out = await refused(login(stage.auth))
    await stage.accounts.finish_erasures()
    still = await stage.engine.count(Erasure)
    stage.fails = False
    await stage.accounts.finish_erasures()

    assert out[0] == "invalid_credentials"
    assert still == 1
    assert stage.erased == [caller.user_id]
    assert await stage.engine.count(Erasure) == 0


async def test_an_erasure_outlasts_an_absence(stage: Stage) -> None:
    """Where the database goes away in the middle the caller is told so, and the erasure comes to
    its end when that is back: nobody could ask for it once more."""
    caller = await stage.auth.authenticate((await register(stage.auth)).access_token)
    stage.is_away = True
    with pytest.raises(Unavailable):
        await stage.accounts.erase(caller, PASSWORD)
    await stage.errands.aclose()

    assert stage.erased == [caller.user_id]
    assert await stage.engine.count(Erasure) == 0


async def test_an_erasure_that_goes_on_outlasts_an_absence(stage: Stage) -> None:
    """Where the database goes away while a cut erasure is gone on with, it comes to its end all the
    same, without another start."""
    caller = await stage.auth.authenticate((await register(stage.auth)).access_token)
    await stage.engine.save(Erasure(id=caller.user_id, begun_at=stage.clock.now()))
    stage.is_away = True
    with capture_logs() as logged:
        await stage.accounts.finish_erasures()
    await stage.errands.aclose()

    assert stage.erased == [caller.user_id]
    assert await stage.engine.count(Erasure) == 0
    assert not [each for each in logged if each["log_level"] == "error"]


async def test_erasing_twice_at_once_is_erasing_once(stage: Stage) -> None:
    """Two requests at once leave what one leaves."""
    caller = await stage.auth.authenticate((await register(stage.auth)).access_token)
    attempts = (stage.accounts.erase(caller, PASSWORD) for _ in range(2))
    await asyncio.gather(*attempts, return_exceptions=True)

    assert set(stage.erased) == {caller.user_id}
    assert (await stage.user(caller.user_id)).email == f"{caller.user_id}@deleted.invalid"
    assert await stage.engine.count(Erasure) == 0


async def test_a_nobodys_erasure_is_over_at_once(stage: Stage) -> None:
    """An erasure that was begun for somebody who is not there any more ends."""
    await stage.engine.save(Erasure(id=new_id(), begun_at=stage.clock.now()))
    await stage.accounts.finish_erasures()

    assert await stage.engine.count(Erasure) == 0


async def test_a_database_that_is_away_fails_no_start(tmp_path: Path, hasher: Hasher) -> None:
    """Where cut erasures cannot be looked up, that is logged, and the next start looks again."""
    async with opened_engine(tmp_path / "data", [Erasure]) as engine:
        stage = Stage(engine, hasher)
    with capture_logs() as logged:
        await stage.accounts.finish_erasures()

    assert [(each["log_level"], each["event"]) for each in logged] == [
        ("error", "erasures that were cut could not be looked up")
    ]


async def test_the_export_is_one_document_in_pieces(stage: Stage) -> None:
    """Oneself and each section, in pieces of bounded size that make one JSON object."""
    caller = await stage.auth.authenticate((await register(stage.auth)).access_token)
    pieces = [piece async for piece in stage.accounts.export(caller.user_id)]
    found = orjson.loads(b"".join(pieces))

    assert list(found) == ["user", "notes", "nothing"]
    assert found["user"]["email"] == "ada@example.com"
    assert len(found["notes"]) == 3000
    assert found["nothing"] == []
    assert len(pieces) > 3
    assert max(map(len, pieces)) < 70_000
