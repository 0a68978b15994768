"""The rules for users: who finds whom, and what changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import new_id
from chatme.errors import Conflict, NotFound
from chatme.storage import atomic
from chatme.users.blocks import BlockService
from chatme.users.models import Block, User
from chatme.users.service import UserService, query_grams
from chatme.users.wire import ProfileChange
from chatme_tests.conversations.engines import AskedEngine
from chatme_tests.fakes import FrozenClock, opened_engine
from chatme_tests.plans import plan_of

NOBODY = ObjectId()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AIOEngine]:
    """An empty database."""
    async with opened_engine(tmp_path / "data", [User, Block]) as opened:
        yield opened


@pytest.fixture
def users(engine: AIOEngine) -> UserService:
    """The rules over it."""
    clock = FrozenClock()
    return UserService(engine, clock, BlockService(engine, clock))


async def _make(users: UserService, *names: str) -> list[User]:
    """Users whose addresses say nothing of their names."""
    return [await users.create(name, f"{at:04d}@q7.zz", None) for at, name in enumerate(names)]


async def _found(users: UserService, text: str, caller: ObjectId = NOBODY) -> list[str]:
    return [each.display_name for each in await users.search(caller, text)]


async def test_an_address_has_one_user(users: UserService, engine: AIOEngine) -> None:
    """Of twenty that are made at once with one address, one is; the others clash."""
    answers = await asyncio.gather(
        *(users.create(f"Racer {at}", "race@example.com", None) for at in range(20)),
        return_exceptions=True,
    )
    made = [each for each in answers if isinstance(each, User)]
    codes = [each.code for each in answers if isinstance(each, Conflict)]

    assert codes == ["email_taken"] * 19
    assert [each.id for each in made] == [each.id for each in await engine.find(User)]
    assert await users.by_email("race@example.com") == made[0]
    assert await users.by_email("Race@example.com") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quill", ["Xavier Quill"]),
        ("QUILL", ["Xavier Quill"]),
        ("er qu", ["Xavier Quill"]),
        ("xa", ["Xavier Quill"]),
        ("ll", ["Xavier Quill"]),
        ("ier", ["Xavier Quill"]),
        ("xavier quill", ["Xavier Quill"]),
        ("xavier quilly", []),
        ("xaxavier", []),
        ("zoë", ["Zoë Ångström"]),
        ("ZOË", ["Zoë Ångström"]),
        ("zoe", []),
        ("ångström", ["Zoë Ångström"]),
        ("angstrom", []),
        ("STRASSE", ["Straße"]),
        ("straße", ["Straße"]),
        ("雪人", ["雪人です"]),
        ("0001@q7", ["Zoë Ångström"]),
        ("quill\n0000", []),
        ("", []),
        ("x", []),
        ("雪", []),
    ],
)
async def test_a_part_is_found(users: UserService, text: str, expected: list[str]) -> None:
    """Any two or more characters of a name or an address find it, without case, accents apart."""
    await _make(users, "Xavier Quill", "Zoë Ångström", "Straße", "雪人です")

    assert await _found(users, text) == expected


@pytest.mark.parametrize(
    "name",
    [
        "100% me",
        "snake_case",
        "a.*b",
        "[a-z]+",
        "^start$",
        "(?i)x",
        "back\\slash",
        "a|b",
        "{1,2}",
        'say "hi"',
        "it's",
        "$ne: 1",
        "a\u00a0b",
        "\\Qx\\E",
        "#hash",
        "-- ;drop",
    ],
)
async def test_a_pattern_is_text(users: UserService, name: str) -> None:
    """Signs that mean something to a database or a pattern stand for themselves in a search."""
    await _make(users, name, "Anna Banana", "snakescase", "a1b")

    assert await _found(users, name) == [name]
    assert await _found(users, name[1:]) == [name]


@pytest.mark.parametrize("text", ["..", ".*", "%%", "__", "an.a", "an%a", "an_a", "^an", "na$"])
async def test_a_pattern_finds_nobody(users: UserService, text: str) -> None:
    """What would fit as a pattern does not fit as text."""
    await _make(users, "Anna Banana")

    assert await _found(users, text) == []


async def test_names_that_begin_so_come_first(users: UserService) -> None:
    """Names that begin with the text stand before those that only hold it, both in order."""
    await _make(users, "Joanna", "Anna Z", "Hanna", "Anna B")

    assert await _found(users, "anna") == ["Anna B", "Anna Z", "Hanna", "Joanna"]


async def test_ten_are_found_at_most(users: UserService) -> None:
    """A search shows ten users, however many fit."""
    await _make(users, *(f"Twin {at:02d}" for at in range(15)))

    assert await _found(users, "twin") == [f"Twin {at:02d}" for at in range(10)]


async def test_some_are_left_out(users: UserService, engine: AIOEngine) -> None:
    """Neither oneself, nor a deactivated user, nor who blocked the caller is found."""
    names = ("Anna One", "Anna Gone", "Anna Shut", "Anna There")
    one, gone, shut, _ = await _make(users, *names)
    await atomic.update(engine, User, {"_id": gone.id}, {"$set": {"is_active": False}})
    await users.blocks.block(shut.id, one.id)

    assert await _found(users, "anna", one.id) == ["Anna There"]
    assert await _found(users, "anna", shut.id) == ["Anna One", "Anna There"]
    assert await users.existing([one.id, gone.id, NOBODY]) == {one.id}


@pytest.mark.parametrize("text", ["an", "ann", "anna banana and more"])
async def test_a_search_uses_the_index(users: UserService, engine: AIOEngine, text: str) -> None:
    """A search of any length goes by the index of grams, and looks at few."""
    await _make(users, "Anna Banana")
    plan = await plan_of(engine.get_collection(User), {"grams": {"$all": query_grams(text)}})

    assert plan["index"] == "grams"


async def test_the_rarest_part_is_looked_up(users: UserService, engine: AIOEngine) -> None:
    """Of a text the part that the fewest have is asked for first, wherever in it; what nobody has
    is not asked for at all."""
    for at in range(20):
        await users.create(f"Common {at}", f"{new_id()}@example.com", None)
    await users.create("Rare", "rare@example.com.au", None)
    asked = AskedEngine(engine)
    looking = UserService(asked, FrozenClock(), users.blocks)
    found = [each.email for each in await looking.search(NOBODY, "@example.com.au")]
    (lookup,) = [each.filter for each in asked.asked if each.method == "aggregate"]
    asked.asked.clear()

    assert found == ["rare@example.com.au"]
    assert len(await engine.find(User, {"grams": lookup["grams"]["$all"][0]})) == 1
    assert await looking.search(NOBODY, "@example.com.nz") == []
    assert {each.method for each in asked.asked if each.model is User} == {"count_documents"}


def test_grams_are_of_the_whole_text() -> None:
    """However long a text is, eight grams of it are asked for at most, the last one included."""
    text = "".join(chr(ord("a") + at) for at in range(26)) * 3

    assert query_grams("ab") == ["ab"]
    assert query_grams("abcd") == ["abc", "bcd"]
    assert len(query_grams(text)) == 8
    assert {"abc", "zab"} <= set(query_grams(text[:28]))


async def test_a_change_is_found(users: UserService) -> None:
    """Who is renamed is found by the new name, no longer by the old, and still by the address."""
    (user,) = await _make(users, "Before")
    changed = await users.change(user.id, ProfileChange(display_name="Behind"))

    assert changed.display_name == "Behind"
    assert await _found(users, "behind") == ["Behind"]
    assert await _found(users, "before") == []
    assert await _found(users, "0000@q7") == ["Behind"]


async def test_a_change_is_what_was_given(users: UserService) -> None:
    """What is left out of a change stays, even where two change different fields at once."""
    (user,) = await _make(users, "Before")
    await asyncio.gather(
        users.change(user.id, ProfileChange(display_name="Behind")),
        users.change(user.id, ProfileChange(bio="Tea.")),
    )
    now = await users.change(user.id, ProfileChange())

    assert (now.display_name, now.bio) == ("Behind", "Tea.")
    assert (await users.change(user.id, ProfileChange(bio=""))).bio == ""


async def test_views_are_of_those_who_are(users: UserService) -> None:
    """Many users are seen at once, and unknown ids are left out."""
    one, two = await _make(users, "One", "Two")
    views = await users.views([one.id, NOBODY, two.id, one.id])

    assert {one.id: "One", two.id: "Two"} == {key: view.display_name for key, view in views.items()}
    assert await users.views([]) == {}
    assert await users.existing([]) == set()


async def test_nobody_is_not_found(users: UserService) -> None:
    """An unknown id is a user that is not there, to look at and to change."""
    assert await users.by_id(NOBODY) is None
    for attempt in (
        users.view(NOBODY),
        users.oneself(NOBODY),
        users.change(NOBODY, ProfileChange()),
        users.change(NOBODY, ProfileChange(bio="Tea.")),
    ):
        with pytest.raises(NotFound):
            await attempt
