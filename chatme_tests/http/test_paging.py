"""Tests for cursors: opaque, and checked when they come back."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from typing import Annotated

import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from chatme.errors import FieldFault, Invalid
from chatme.http.paging import MAX_LIMIT, CursorText, Limit, Page, decode_cursor, encode_cursor
from chatme.shapes import Id, Shape

POSITION = TypeAdapter(tuple[int, Id])
BOUNDED = TypeAdapter(tuple[Annotated[int, Field(ge=0, le=2**53)]])
HERE = ObjectId("65f0c0ffee65f0c0ffee65f0")


class Query(Shape):
    """A list's query."""

    limit: Limit = 30
    cursor: CursorText | None = None


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_comes_back_as_it_went(number: int) -> None:
    """A position that was encoded is the same when it is decoded, and fits into a URL bare."""
    cursor = encode_cursor([number, str(HERE)])

    assert decode_cursor(cursor, POSITION) == (number, HERE)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,512}", cursor)


def wrapped(text: bytes) -> str:
    """A text as if it were a cursor's content."""
    return urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "a",
        "=",
        "====",
        "é",
        "\0",
        "not a cursor",
        encode_cursor([1]),
        encode_cursor([1, str(HERE), 2]),
        encode_cursor([1, "x"]),
        encode_cursor(["x", str(HERE)]),
        encode_cursor([str(HERE), 1]),
        wrapped(b"{}"),
        wrapped(b"null"),
        wrapped(b"[1e999, null]"),
        wrapped(b"[NaN]"),
        wrapped(b"\xff\xfe"),
        wrapped(b"[" * 300),
        wrapped(b"[1, {}]"),
    ],
    ids=lambda cursor: repr(cursor)[:20],
)
def test_rubbish_is_a_fault_of_the_cursor(cursor: str) -> None:
    """A word that is no cursor of this list is a 422 on the cursor."""
    with pytest.raises(Invalid) as caught:
        decode_cursor(cursor, POSITION)

    assert caught.value.faults == (FieldFault("cursor", "is not a cursor of this list"),)


@pytest.mark.parametrize("number", [b"-1", b"9007199254740993", b"9" * 400, b"9" * 5000])
def test_a_lists_bounds_hold(number: bytes) -> None:
    """A forged number outside what the list's shape allows is refused like any rubbish."""
    with pytest.raises(Invalid):
        decode_cursor(wrapped(b"[" + number + b"]"), BOUNDED)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_word_is_a_cursor_or_refused(word: str) -> None:
    """Whatever word comes, it is a position or a 422."""
    fields = ["cursor"]
    try:
        decode_cursor(word, POSITION)
    except Invalid as error:
        fields = [fault.field for fault in error.faults]
    assert fields == ["cursor"]


@pytest.mark.parametrize("limit", ["1", "30", str(MAX_LIMIT)])
def test_a_page_holds_up_to_a_hundred(limit: str) -> None:
    """A limit of 1 to 100 is taken."""
    assert Query.model_validate({"limit": limit}).limit == int(limit)


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"cursor": ""}, {"cursor": "x" * 513}]
)
def test_out_of_range_is_refused(query: dict[str, str]) -> None:
    """A limit outside 1 to 100, an empty or an endless cursor are faults."""
    with pytest.raises(ValidationError):
        Query.model_validate(query)


def test_the_last_page_says_so() -> None:
    """A page without a next one carries null, not nothing."""
    assert Page().to_json() == b'{"next":null}'
