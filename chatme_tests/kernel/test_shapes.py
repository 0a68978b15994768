"""Tests for ids, times, texts and the base of every shape on the wire."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated

import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from chatme.shapes import (
    DIGITS,
    NO_NUL,
    NOT_BLANK,
    Id,
    Omittable,
    Says,
    Shape,
    Text,
    Timestamp,
    Trimmed,
    check_text,
    parse_id,
)

HEX = "65f0c0ffee65f0c0ffee65f0"
BAD_IDS = (
    None,
    "",
    HEX[:-1],
    HEX + "0",
    HEX[:-1] + "g",
    HEX + "\n",
    " " + HEX[1:],
    "\u0660" * 24,
    "\uff10" * 24,
    b"twelve bytes",
    HEX.encode(),
    0x65F0C0FFEE65F0C0FFEE65F0,
    True,
    [HEX],
    {"$oid": HEX},
)
BAD_DIGITS = (
    *("", "-1", "+1", " 1", "1 ", "1\n", "1_0", "1.0", "1e3", "0x1"),
    *("\u0661", "\uff11", "²", "9" * 10, "9" * 5000, None, True, 1.5),
)


class Sample(Shape):
    """A shape with a field of each kind."""

    owner_id: Id = ObjectId(HEX)
    made_at: Timestamp = datetime(2026, 1, 31, 12)
    body: Text = ""
    title: Annotated[Trimmed, Field(min_length=1)] = "-"
    bio: Omittable[Text] = None
    reply_to: Id | None = None
    count: int = 0
    flag: bool = False
    ratio: float = 0.0
    limit: Annotated[int, DIGITS] = 1


def is_refused(**fields: object) -> bool:
    """Tell whether a Sample of these fields is faulty."""
    try:
        Sample.model_validate(fields)
    except ValidationError:
        return True
    return False


def test_an_id_is_24_hex_digits() -> None:
    """An id is read from its digits in either case, and comes back in lowercase."""
    sample = Sample.model_validate({"ownerId": HEX.upper()})

    assert sample.owner_id == parse_id(HEX) == parse_id(HEX.upper()) == ObjectId(HEX)
    assert sample.to_plain()["ownerId"] == HEX
    assert parse_id(ObjectId(HEX)) == ObjectId(HEX)


@pytest.mark.parametrize("value", BAD_IDS, ids=repr)
def test_what_is_no_id_names_nothing(value: object) -> None:
    """Anything but 24 ASCII hex digits is no id, and never makes up a new one."""
    assert parse_id(value) is None
    assert is_refused(ownerId=value)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_no_text_is_an_id_by_accident(text: str) -> None:
    """An id that is read from a text is written as that text in lowercase."""
    parsed = parse_id(text)

    assert parsed is None or str(parsed) == text.lower()


def test_null_is_an_id_only_where_it_is_allowed() -> None:
    """An optional id may be null, a required one may not."""
    assert Sample.model_validate({"replyTo": None}).reply_to is None
    assert is_refused(ownerId=None)


def test_times_go_out_with_milliseconds() -> None:
    """A moment is written as RFC 3339 with milliseconds and Z."""
    assert Sample().to_plain()["madeAt"] == "2026-01-31T12:00:00.000Z"


@pytest.mark.parametrize("field", ["body", "title", "bio"])
def test_nul_is_refused(field: str) -> None:
    """No text takes a NUL, wherever it stands."""
    for text in ("\0", "a\0b", "a\0"):
        assert is_refused(**{field: text})


def test_check_text_refuses_nul() -> None:
    """The check by hand passes a text on and refuses one with a NUL."""
    assert check_text("a") == "a"
    with pytest.raises(ValueError, match="NUL"):
        check_text("\0")


def test_trimmed_texts_lose_their_margins() -> None:
    """White space around a trimmed text is gone before its length counts."""
    assert Sample.model_validate({"title": " \t\u3000a b\n"}).title == "a b"
    assert Sample.model_validate({"body": " a "}).body == " a "
    assert is_refused(title=" \n\u00a0")


def test_omittable_is_left_out_but_never_null() -> None:
    """A field that may be left out is None then, and refuses an explicit null."""
    assert Sample.model_validate({}).bio is None
    assert Sample.model_validate({"bio": ""}).bio == ""
    assert is_refused(bio=None)
    assert is_refused(bio=1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", "1"),
        ("count", 1.0),
        ("count", True),
        ("count", None),
        ("flag", 1),
        ("flag", "true"),
        ("ratio", "1.0"),
        ("body", 1),
        ("body", b"a"),
        ("madeAt", "2026-01-31T12:00:00.000Z"),
    ],
)
def test_no_type_stands_for_another(field: str, value: object) -> None:
    """A value of another type is refused, however easily it could be converted."""
    assert is_refused(**{field: value})


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("999999999", 999_999_999)])
def test_digits_are_a_number(text: str, number: int) -> None:
    """A query string's number is its plain digits."""
    assert Sample.model_validate({"limit": text}).limit == number


@pytest.mark.parametrize("value", BAD_DIGITS, ids=lambda value: repr(value)[:12])
def test_what_is_no_plain_digits_is_no_number(value: object) -> None:
    """Signs, spaces, underscores, other scripts' digits and endless ones are refused."""
    assert is_refused(limit=value)


def test_names_are_camel_case_outside() -> None:
    """A shape is read and written with camelCase names."""
    sample = Sample.model_validate({"ownerId": "0" * 24})

    assert sample.owner_id == ObjectId("0" * 24)
    assert set(sample.to_plain()) >= {"ownerId", "madeAt", "replyTo"}
    assert json.loads(sample.to_json()) == sample.to_plain()


def test_code_builds_shapes_by_their_own_names() -> None:
    """Inside the program a shape is built with its Python names."""
    assert Sample(owner_id=ObjectId("0" * 24)).owner_id == ObjectId("0" * 24)


def test_unknown_fields_are_ignored() -> None:
    """A field that the shape does not know is dropped without a word."""
    assert "other" not in Sample.model_validate({"other": 1}).to_plain()


def test_a_shape_does_not_change() -> None:
    """A shape that was checked stays as it was checked."""
    with pytest.raises(ValidationError):
        Sample().__setattr__("count", 5)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_every_text_survives(text: str) -> None:
    """A text without NUL goes out as UTF-8 JSON and is the same when it is read."""
    sample = Sample.model_validate({"body": text})

    assert json.loads(sample.to_json())["body"] == text


class Said(Shape):
    """Texts of whose checks their schemas tell."""

    text: Annotated[Text, Field(max_length=9)]
    mail: Annotated[Text, Says(format="email")]
    name: Annotated[
        Trimmed, Field(min_length=1, max_length=9), Says("^x$", text="1 to 9.", trimmed=True)
    ]


def test_a_schema_says_what_python_checks() -> None:
    """A pattern or a format stands beside the bounds, or in their place where it tells them."""
    found = Said.model_json_schema()["properties"]

    assert found["text"] | {"title": ""} == {
        "title": "",
        "type": "string",
        "maxLength": 9,
        "pattern": NO_NUL,
    }
    assert (found["mail"]["format"], found["mail"]["pattern"]) == ("email", NO_NUL)
    assert (found["name"]["pattern"], found["name"]["description"]) == ("^x$", "1 to 9.")
    assert not {"minLength", "maxLength"} & set(found["name"])


@pytest.mark.parametrize(("text", "fits"), [("a", True), (" \n", True), ("", True), ("a\0", False)])
def test_the_pattern_of_a_text_is_true(text: str, fits: bool) -> None:
    """The pattern that schemas show of a text finds what the check finds."""
    assert bool(re.search(NO_NUL, text)) is fits
    assert bool(re.search(NOT_BLANK, text)) is (fits and bool(text.strip()))
