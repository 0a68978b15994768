"""Users' shapes: which addresses and names are taken, and how they are kept."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from chatme.users.models import Identity, new_user
from chatme.users.wire import (
    DisplayName,
    ProfileChange,
    found_user,
    normal_email,
    oneself,
    user_view,
)
from chatme_tests.fakes import SOMETIME

NAME = TypeAdapter[str](DisplayName)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  Ada@Example.COM\n", "ada@example.com"),
        ("ADA+chat@EXAMPLE.co.uk", "ada+chat@example.co.uk"),
        ("o'hara@example.com", "o'hara@example.com"),
        ("ÅSA@Müller.example.org", "åsa@müller.example.org"),
        ("a\u030asa@example.com", "åsa@example.com"),
        ("asa@xn--mller-kva.example.org", "asa@müller.example.org"),
        ("ada@house.test", "ada@house.test"),
    ],
)
def test_an_address_is_kept_in_one_form(given_: str, kept: str) -> None:
    """Case, space around it and spellings of the same letters make no other address."""
    assert normal_email(given_) == kept
    assert normal_email(kept) == kept


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@localhost",
        "a b@example.com",
        "ada@@example.com",
        "ada@exa mple.com",
        "ada@example..com",
        ".ada@example.com",
        "ada@example.com,bob@example.com",
        "Ada <ada@example.com>",
        "ada@[127.0.0.1]",
        "ada\x00@example.com",
        "ada\n@example.com",
        "ada@example.com\x00",
        "ada@" + "x" * 64 + ".example.com",
    ],
)
def test_what_is_no_address_is_refused(value: str) -> None:
    """An address has a name, one at sign and a dotted domain, and nothing else."""
    with pytest.raises(PydanticCustomError, match="is not an e-mail address"):
        normal_email(value)


@given(st.emails())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_kept_form_is_final(value: str) -> None:
    """An address that was kept once is kept the same again, in capitals or not."""
    try:
        kept = normal_email(value)
    except PydanticCustomError:
        assume(False)

    assert normal_email(kept) == kept
    assert normal_email(kept.upper()) == kept


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("Al", "Al"),
        ("  Ada L.  ", "Ada L."),
        ("x" * 50, "x" * 50),
        ("雪 ☃ 👩‍👩‍👧", "雪 ☃ 👩‍👩‍👧"),
        ("<b>Ada</b>", "<b>Ada</b>"),
        ("\u2003Ada\u2003", "Ada"),
    ],
)
def test_a_name_is_any_text(given_: str, kept: str) -> None:
    """A display name is any text of 2 to 50 characters, without the space around it."""
    assert NAME.validate_python(given_) == kept


@pytest.mark.parametrize(
    "value",
    [
        "",
        "A",
        "  A  ",
        " " * 10,
        "x" * 51,
        "A\x00da",
        "A\nda",
        "A\x1b[31mda",
        "A\u2028da",
        "A\x7fda",
        None,
        7,
        ["Ada"],
        {"$ne": 1},
        b"Ada",
    ],
)
def test_what_is_no_name_is_refused(value: object) -> None:
    """A display name holds no control character, and is neither too short nor too long."""
    with pytest.raises(ValidationError):
        NAME.validate_python(value, strict=True)


def test_others_see_no_address() -> None:
    """Others see four fields, a search shows the address too, and nobody sees a hash."""
    user = new_user("Ada", "ada@example.com", "$2b$hash", SOMETIME)
    user.identities.append(
        Identity(provider="github", provider_id="77", email="a@b.cd", key="github 77")
    )
    base = {"id": str(user.id), "displayName": "Ada", "avatar": None, "bio": ""}

    assert user_view(user).to_plain() == base
    assert found_user(user).to_plain() == {**base, "email": "ada@example.com"}
    assert oneself(user).to_plain() == {
        **base,
        "email": "ada@example.com",
        "role": "user",
        "isVerified": False,
        "identities": [{"provider": "github", "email": "a@b.cd"}],
        "createdAt": "2040-01-31T12:00:00.000Z",
        "lastSeenAt": None,
    }


def test_a_change_leaves_out_but_never_empties() -> None:
    """Fields of a profile may be left out, not be null; the bio may be empty."""
    assert ProfileChange.model_validate({}) == ProfileChange()
    assert ProfileChange.model_validate({"bio": ""}).bio == ""
    for body in ({"displayName": None}, {"bio": None}, {"bio": "x" * 161}, {"displayName": "A"}):
        with pytest.raises(ValidationError):
            ProfileChange.model_validate(body)


@settings(deadline=None)
@given(st.text(st.sampled_from("ab é👍\n\x00\x7f\x85\xa0\u2028"), max_size=60))
def test_the_pattern_of_a_name_is_true(value: str) -> None:
    """The pattern that schemas show of a name finds what the check finds."""
    try:
        NAME.validate_python(value)
    except ValidationError:
        fits = False
    else:
        fits = True

    assert bool(re.search(NAME.json_schema()["pattern"], value)) is fits
