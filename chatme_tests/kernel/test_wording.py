"""Tests for pydantic's faults in ChatMe's words."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from chatme.errors import Code, FieldFault, Invalid
from chatme.shapes import DIGITS, Id, Omittable, Shape, Text, Trimmed
from chatme.wording import describe, invalid

WORD = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=8,
)


class Colour(StrEnum):
    """An Enum."""

    RED = "red"
    BLUE = "blue"


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


class Inner(Shape):
    """A shape in a shape."""

    deep_name: Text


class Sample(Shape):
    """One field for each kind of fault."""

    word: Annotated[Text, Field(min_length=2, max_length=3)] = "ab"
    name: Annotated[Trimmed, Field(min_length=2, max_length=3)] = "ab"
    count: Annotated[int, Field(ge=1, le=9)] = 1
    even: Annotated[int, AfterValidator(_even)] = 2
    ratio: float = 1.0
    flag: bool = True
    many: Annotated[list[int], Field(min_length=1, max_length=2)] = Field([1])
    table: dict[str, int] = Field({})
    inner: Inner | None = None
    kind: Literal["a", "b"] = "a"
    owner_id: Id | None = None
    bio: Omittable[Text] = None
    page: Annotated[int, DIGITS] = 1


def faults(value: object) -> tuple[FieldFault, ...]:
    """What is said about a value that is no Sample."""
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(value)
    return invalid(caught.value).faults


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("word", 1, "must be a string"),
        ("word", None, "must be a string"),
        ("word", "a", "must have at least 2 characters"),
        ("word", "abcd", "must have at most 3 characters"),
        ("name", " a ", "must have at least 2 characters"),
        ("name", "abcd", "must have at most 3 characters"),
        ("word", "a\0", "must not contain a NUL character"),
        ("count", "1", "must be a whole number"),
        ("count", 1.5, "must be a whole number"),
        ("count", True, "must be a whole number"),
        ("count", 0, "must be at least 1"),
        ("count", 10, "must be at most 9"),
        ("even", 3, "must be even"),
        ("ratio", "1", "must be a number"),
        ("flag", 1, "must be true or false"),
        ("many", "ab", "must be a list"),
        ("many", [], "must have at least 1 items"),
        ("many", [1, 2, 3], "must have at most 2 items"),
        ("table", [], "must be an object"),
        ("inner", [], "must be an object"),
        ("kind", "c", "must be 'a' or 'b'"),
        ("ownerId", "x", "must be an id of 24 hex digits"),
        ("bio", None, "must not be null"),
        ("page", "1x", "must be a number in plain digits"),
    ],
)
def test_each_fault_has_its_words(field: str, value: object, words: str) -> None:
    """A fault is told in words that follow the field's name."""
    assert faults({field: value}) == (FieldFault(field, words),)


def test_an_enums_members_are_listed() -> None:
    """A value outside an Enum, as settings have them, is told what stands inside."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Colour).validate_python("green")

    assert describe(caught.value.errors()[0]) == "must be 'red' or 'blue'"


def test_other_faults_keep_pydantics_words() -> None:
    """A fault without words of ours is told in pydantic's, which show no value either."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[float, Field(multiple_of=2)]).validate_python(3.0)

    assert describe(caught.value.errors()[0]) == "Input should be a multiple of 2"


def test_a_nested_field_is_dotted_and_camel_case() -> None:
    """A field inside another is named by its way from the top, as the caller wrote it."""
    assert faults({"inner": {}}) == (FieldFault("inner.deepName", "is required"),)
    assert faults({"many": [1, "x"]}) == (FieldFault("many.1", "must be a whole number"),)


def test_a_fault_of_the_whole_is_the_bodys() -> None:
    """A value that is no object at all is a fault of the body."""
    assert faults([]) == (FieldFault("body", "must be an object"),)


def test_every_field_is_named_at_once() -> None:
    """All faulty fields are told together, in the shape's order."""
    found = faults({"flag": 1, "word": 1, "count": 0})

    assert [fault.field for fault in found] == ["word", "count", "flag"]


def test_a_prefix_goes_ahead() -> None:
    """A prefix stands in front of every name."""
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({"inner": {}})
    error = invalid(caught.value, prefix=["data"])

    assert isinstance(error, Invalid)
    assert error.code is Code.VALIDATION_FAILED
    assert error.faults[0].field == "data.inner.deepName"


def test_what_was_sent_is_not_repeated() -> None:
    """The words of a fault never show the value that was sent."""
    found = faults({"word": "hunter2hunter2", "kind": "hunter2", "ownerId": "hunter2"})

    assert len(found) == 3
    assert not any("hunter2" in fault.message for fault in found)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([field.alias for field in Sample.model_fields.values()]), JSON)
)
def test_every_fault_can_be_told(value: dict[str, object]) -> None:
    """Whatever is sent, it is taken or each of its faults has a field and words."""
    try:
        Sample.model_validate(value)
    except ValidationError as error:
        told = invalid(error).faults
        assert told
        assert all(fault.field and fault.message and "{" not in fault.message for fault in told)
