"""Users as they are stored: what a search finds them by."""

from __future__ import annotations

from itertools import combinations
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from pymongo import IndexModel

from chatme.users.models import User, grams, new_user, search_text
from chatme.users.service import query_grams
from chatme_tests.fakes import SOMETIME


def test_a_search_looks_through_name_and_address() -> None:
    """Both are searched without case, apart from each other, accents and all."""
    assert search_text("Zoë ÅNG", "Zoe@example.com") == "zoë ång\nzoe@example.com"
    assert search_text("Straße", "a@b.cd") == "strasse\na@b.cd"


def test_grams_are_neighbours() -> None:
    """All pairs and triples of neighbouring characters, each once, in order."""
    assert grams("anna") == ["an", "ann", "na", "nn", "nna"]
    assert grams("ab") == ["ab"]
    assert grams("a") == []
    assert grams("") == []
    assert grams("aaaa") == ["aa", "aaa"]


@given(st.text(min_size=2, max_size=30))
def test_the_grams_of_a_part_are_the_grams_of_the_whole(text: str) -> None:
    """Whatever part of two or more characters is looked for, its grams are all in the whole."""
    whole = set(grams(text))

    for start, stop in combinations(range(len(text) + 1), 2):
        part = text[start:stop]
        if len(part) > 1:
            assert set(query_grams(part)) <= whole


def test_a_query_has_few_grams() -> None:
    """A short query asks for its pair, a longer one for triples, a bounded number of them."""
    assert query_grams("ab") == ["ab"]
    assert query_grams("abc") == ["abc"]
    assert query_grams("abcd") == ["abc", "bcd"]
    assert query_grams("aaaa") == ["aaa"]
    assert len(query_grams("abcdefghijklmnopqrstuvwxyz")) == 8


def test_a_new_user_can_be_found() -> None:
    """A fresh user is active, unverified, no admin, and carries what a search needs."""
    user = new_user("Ada", "ada@example.com", None, SOMETIME)

    assert (user.is_active, user.is_verified, user.role) == (True, False, "user")
    assert (user.bio, user.avatar, user.last_seen_at) == ("", None, None)
    assert (user.search_text, user.grams) == (
        "ada\nada@example.com",
        grams("ada\nada@example.com"),
    )
    assert user.created_at == SOMETIME


def test_users_have_their_indexes() -> None:
    """An address and an account elsewhere belong to one user, and grams are looked up."""
    listed = User.model_config["indexes"]
    assert listed is not None
    made = {each.document["name"]: each.document for each in cast("list[IndexModel]", listed())}

    assert {"email", "grams", "identities"} == set(made)
    assert made["email"]["unique"]
    assert made["identities"]["unique"]
    assert "unique" not in made["grams"]
