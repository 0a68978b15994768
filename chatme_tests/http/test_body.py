"""Tests for request bodies and queries: bounded, checked, before a handler sees them."""

from __future__ import annotations

from typing import Annotated

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from chatme.errors import BadRequest, ChatMeError, FieldFault, Invalid, TooLarge, UnsupportedType
from chatme.http.body import MAX_JSON_BYTES, read_json, read_query
from chatme.shapes import DIGITS, Shape, Text
from chatme_tests.http.fakes import Stream, request


class Letter(Shape):
    """A body."""

    to_whom: Annotated[Text, Field(min_length=1)]
    copies: int = 1


class Search(Shape):
    """A query."""

    q: Text
    limit: Annotated[int, Field(ge=1, le=100), DIGITS] = 30


class Wish(Shape):
    """A body in which everything may be left out."""

    copies: int = 1


JSON = (("content-type", "application/json"),)


async def read(body: bytes) -> Letter:
    """The Letter in a body."""
    return await read_json(request(Stream([body])), Letter)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;",
    ],
)
async def test_json_is_read(content_type: str) -> None:
    """A JSON body becomes the shape, however its type is spelt and its bytes are cut."""
    body = '{"toWhom": "Zoë", "copies": 2, "unknown": [1]}'.encode()
    pieces = [body[i : i + 1] for i in range(len(body))]
    letter = await read_json(request(Stream(pieces), [("content-type", content_type)]), Letter)

    assert letter == Letter(to_whom="Zoë", copies=2)


@pytest.mark.parametrize(
    "headers",
    [[]]
    + [
        [("content-type", value)]
        for value in ("", "text/plain", "application/jsonp", "application/json,text/html")
    ]
    + [[("content-type", "application/x-www-form-urlencoded")], [("content-type", "json")]],
)
async def test_another_type_is_refused(headers: list[tuple[str, str]]) -> None:
    """A body of another type is a 415, and is not read."""
    stream = Stream([b'{"toWhom": "you"}'])

    with pytest.raises(UnsupportedType):
        await read_json(request(stream, headers), Letter)
    assert stream.taken == 0


async def test_a_declared_size_over_the_limit_is_refused_unread() -> None:
    """A body that says that it is too large is a 413 before a byte of it is read."""
    stream = Stream([b"x"])
    headers = [*JSON, ("content-length", str(MAX_JSON_BYTES + 1))]

    with pytest.raises(TooLarge):
        await read_json(request(stream, headers), Letter)
    assert stream.taken == 0


async def test_an_undeclared_size_over_the_limit_is_not_read_on() -> None:
    """A body that turns out too large is a 413, and what comes after that is not read."""
    stream = Stream([b" " * 1024] * 5000)

    with pytest.raises(TooLarge):
        await read_json(request(stream), Letter)
    assert stream.taken == MAX_JSON_BYTES // 1024 + 1


async def test_the_limit_itself_is_allowed() -> None:
    """A body of exactly 1 MiB is read."""
    body = b'{"toWhom": "you"}'.ljust(MAX_JSON_BYTES)
    headers = [*JSON, ("content-length", str(MAX_JSON_BYTES))]

    assert await read_json(request(Stream([body]), headers), Letter) == Letter(to_whom="you")


@pytest.mark.parametrize("length", ["", "x", "1e3", "9" * 5000, "\xb2"])
async def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    """A Content-Length that a server let through and that is no number is a 400."""
    with pytest.raises(BadRequest):
        await read_json(request(Stream([b"{}"]), [*JSON, ("content-length", length)]), Letter)


async def test_a_body_that_breaks_off_is_refused() -> None:
    """A client that goes away within its body is a 400 that nobody reads, not a fault of ours."""
    with pytest.raises(BadRequest):
        await read_json(request(Stream([b'{"toWhom"'], breaks_off=True)), Letter)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"toWhom=you",
        b"{'toWhom': 'you'}",
        b'{"toWhom": "you",}',
        b'{"toWhom": "you"} {}',
        b'{"toWhom": NaN}',
        b'{"copies": Infinity}',
        b'{"copies": 1e999}',
        b'{"copies": ' + b"9" * 5000 + b"}",
        b'{"copies": 0x10}',
        b'{"toWhom": "\\ud800"}',
        b'{"toWhom": "\\udc00\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"toWhom": "\xed\xa0\x80"}',
        b'{"toWhom": "\xff"}',
        b'{"toWhom": "a\nb"}',
        b'{"toWhom": "a\0b"}',
        b"\xef\xbb\xbf{}",
        '{"toWhom": "you"}'.encode("utf-16"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda body: repr(body)[:24],
)
async def test_what_is_not_json_is_refused(body: bytes) -> None:
    """A body that is not JSON, or JSON that breaks something further down, is a 400."""
    with pytest.raises(BadRequest):
        await read(body)


@pytest.mark.parametrize("body", [b"[]", b"[{}]", b"null", b"1", b'"toWhom"', b"true"])
async def test_what_is_no_object_is_invalid(body: bytes) -> None:
    """JSON that is no object is a 422 on the body."""
    with pytest.raises(Invalid) as caught:
        await read(body)

    assert caught.value.faults == (FieldFault("body", "must be an object"),)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["toWhom"]),
        ({"toWhom": ""}, ["toWhom"]),
        ({"toWhom": None, "copies": None}, ["toWhom", "copies"]),
        ({"toWhom": "a\0b"}, ["toWhom"]),
        ({"toWhom": "you", "copies": "2"}, ["copies"]),
        ({"toWhom": "you", "copies": True}, ["copies"]),
        ({"toWhom": ["you"], "copies": 1.5}, ["toWhom", "copies"]),
        ({"toWhom": "you", "copies": 2**64}, ["copies"]),
        ({"to_whom": "you"}, ["toWhom"]),
    ],
)
async def test_each_faulty_field_is_named(body: dict[str, object], fields: list[str]) -> None:
    """Fields that are missing, mistyped or misspelt are a 422 that names each."""
    text = repr(body).replace("'", '"').replace("None", "null").replace("True", "true")

    with pytest.raises(Invalid) as caught:
        await read(text.replace("\\x00", "\\u0000").encode())
    assert [fault.field for fault in caught.value.faults] == fields


@settings(deadline=None)
@given(st.binary(max_size=64) | st.from_regex(rb'\A[\[\]{}",:0-9truefalsn\\ ]{0,32}\Z'))
async def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Whatever bytes come, they are a Letter or an error that can be told."""
    try:
        status = 200 if isinstance(await read(body), Letter) else 500
    except ChatMeError as error:
        status = error.status
    assert status in (200, 400, 422)


def test_a_query_is_read() -> None:
    """A query string becomes the shape, percent and plus decoded."""
    assert read_query(request(query=b"q=a%20b+c%C3%A9&limit=5&other=1"), Search) == Search(
        q="a b cé", limit=5
    )


def test_the_last_of_a_repeated_name_counts() -> None:
    """Of a name that comes twice the last value is taken, never both."""
    assert read_query(request(query=b"q=a&q=b"), Search).q == "b"


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (b"", ["q"]),
        (b"q=a&limit=", ["limit"]),
        (b"q=a&limit=0", ["limit"]),
        (b"q=a&limit=101", ["limit"]),
        (b"limit=-1", ["q", "limit"]),
        (b"q=%00&limit=1_0", ["q", "limit"]),
        (b"q=a&limit=%D9%A1", ["limit"]),
        (b"q=a&limit=%2B5", ["limit"]),
    ],
)
def test_each_faulty_parameter_is_named(query: bytes, fields: list[str]) -> None:
    """Parameters that are missing, mistyped or out of range are a 422 that names each."""
    with pytest.raises(Invalid) as caught:
        read_query(request(query=query), Search)

    assert [fault.field for fault in caught.value.faults] == fields


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    """Whatever bytes a query holds, it is a Search whose text is UTF-8, or a 422."""
    try:
        search = read_query(request(query=query), Search)
    except Invalid:
        return
    assert orjson.loads(search.to_json())["q"] == search.q


async def test_a_body_of_no_needed_fields_may_be_missing() -> None:
    """Where every field may be left out, so may the body and its type, and nothing else."""
    nothing = Stream([])
    left_out = await read_json(request(nothing, ()), Wish)
    also = await read_json(request(nothing, [("content-length", "0")]), Wish)

    assert left_out == also == Wish()
    with pytest.raises(UnsupportedType):
        await read_json(request(nothing, ()), Letter)
    for header in (("content-length", "2"), ("transfer-encoding", "chunked")):
        with pytest.raises(UnsupportedType):
            await read_json(request(Stream([b"{}"]), [header]), Wish)
    with pytest.raises(BadRequest):
        await read_json(request(nothing, JSON), Wish)
