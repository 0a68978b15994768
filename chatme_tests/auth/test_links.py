"""Links: what is genuine passes for what it was made for and as long as it lasts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from chatme.auth.links import LIVES, Claim, Links, Purpose
from chatme.errors import BadRequest
from chatme_tests.auth.stage import ACCESS, REFRESH, tokens_by
from chatme_tests.fakes import FrozenClock

CLAIM = Claim(ObjectId("65f0c0ffee65f0c0ffee65f0"), "ada@example.com")
PURPOSES = list(Purpose)


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still."""
    return FrozenClock()


@pytest.fixture
def links(clock: FrozenClock) -> Links:
    """The links under their secret."""
    return Links(ACCESS, clock)


def _refuses(links: Links, purpose: Purpose, token: str) -> bool:
    try:
        links.read(purpose, token)
    except BadRequest as error:
        return error.code == "invalid_link"
    return False


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_link_says_what_it_was_given(links: Links, purpose: Purpose) -> None:
    """A token gives back its user and mark, and needs no escaping in an address."""
    token = links.make(purpose, CLAIM)

    assert links.read(purpose, token) == CLAIM
    assert token.isascii()
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@pytest.mark.parametrize(("purpose", "hours"), [(Purpose.VERIFY, 24), (Purpose.RESET, 1)])
def test_a_link_has_an_end(links: Links, clock: FrozenClock, purpose: Purpose, hours: int) -> None:
    """A link lasts exactly its life, by our clock, and is not good before it was made."""
    token = links.make(purpose, CLAIM)
    clock.move(hours=hours)
    last = links.read(purpose, token)
    clock.move(seconds=1)

    assert last == CLAIM
    assert LIVES[purpose] == timedelta(hours=hours)
    assert _refuses(links, purpose, token)
    clock.move(hours=-hours, seconds=-2)
    assert _refuses(links, purpose, token)


def test_no_purpose_serves_another(links: Links) -> None:
    """A token of one purpose is worth nothing for the other."""
    assert _refuses(links, Purpose.RESET, links.make(Purpose.VERIFY, CLAIM))
    assert _refuses(links, Purpose.VERIFY, links.make(Purpose.RESET, CLAIM))


@pytest.mark.parametrize("purpose", PURPOSES)
def test_other_tokens_are_no_links(links: Links, clock: FrozenClock, purpose: Purpose) -> None:
    """Neither a token of a session, nor one under another secret or salt, is a link."""
    tokens = tokens_by(clock)
    others = [
        tokens.access(CLAIM.user_id, ObjectId()),
        tokens.refresh(CLAIM.user_id, ObjectId(), "name", clock.now()),
        Links(REFRESH, clock).make(purpose, CLAIM),
        str(URLSafeTimedSerializer(ACCESS).dumps([str(CLAIM.user_id), CLAIM.mark])),
    ]

    assert [_refuses(links, purpose, each) for each in others] == [True] * 4


def test_links_are_no_tokens_of_sessions(links: Links, clock: FrozenClock) -> None:
    """A link signs nobody in."""
    tokens = tokens_by(clock)
    for purpose in PURPOSES:
        with pytest.raises(Exception, match="not valid"):
            tokens.read_access(links.make(purpose, CLAIM))


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize(
    "payload", [None, 7, "text", [], [1, 2], ["x", "mark"], {"a": 1}, [str(CLAIM.user_id), 7]]
)
def test_a_signature_is_not_enough(links: Links, purpose: Purpose, payload: object) -> None:
    """What is signed and says nothing of a link's is refused as well."""
    signed = str(links._serializer(purpose).dumps(payload))  # noqa: SLF001 -- nobody else can sign

    assert _refuses(links, purpose, signed)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_character_is_signed(links: Links, purpose: Purpose) -> None:
    """A token with any one character changed, left out or added is refused."""
    token = links.make(purpose, CLAIM)
    changed = [
        each
        for at in range(len(token) - 1)
        for each in (
            token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :],
            token[:at] + token[at + 1 :],
            token[:at] + "." + token[at:],
        )
    ]

    assert [each for each in changed if not _refuses(links, purpose, each)] == []


@given(token=st.text(max_size=200) | st.from_regex(r"[\w.-]*\.[\w.-]*\.[\w.-]*", fullmatch=True))
def test_rubbish_is_refused(token: str) -> None:
    """Whatever a stranger makes up is no link, and no error of ours."""
    assert _refuses(Links(ACCESS, FrozenClock()), Purpose.RESET, token)


def test_a_mark_stands_for_one_password_at_one_address(links: Links, clock: FrozenClock) -> None:
    """Another password, none, or another address has another mark, which tells none of them."""
    marks = [
        links.password_mark("ada@example.com", "$2b$one"),
        links.password_mark("ada@example.com", "$2b$two"),
        links.password_mark("ada@example.com", None),
        links.password_mark("bob@example.com", "$2b$one"),
        Links(REFRESH, clock).password_mark("ada@example.com", "$2b$one"),
    ]

    assert len(set(marks)) == 5
    assert {len(each) for each in marks} == {32}
    assert links.password_mark("ada@example.com", "$2b$one") == marks[0]
