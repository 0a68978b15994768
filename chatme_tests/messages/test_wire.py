"""What the shapes of messages let in: one emoji, words, bounded lists."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chatme.messages.wire import (
    MAX_CONTENT,
    MAX_EMOJI_BYTES,
    MAX_RESUMED_NAMES,
    MessageDraft,
    MessageEdit,
    ReactionWanted,
    ResumeWanted,
)
from chatme.shapes import Shape

MESSAGE = str(ObjectId())


def _fits(shape: type[Shape], data: dict[str, Any]) -> bool:
    try:
        shape.model_validate(data)
    except ValidationError:
        return False
    return True


def _reacts(emoji: object) -> bool:
    return _fits(ReactionWanted, {"messageId": MESSAGE, "emoji": emoji})


def _edits(content: object) -> bool:
    return _fits(MessageEdit, {"messageId": MESSAGE, "content": content})


@pytest.mark.parametrize("emoji", ["👍", "👍🏽", "❤️", "🇩🇪", "👩‍👩‍👧‍👦", "1️⃣", "☺", "🏴‍☠️"])
def test_one_emoji_is_one(emoji: str) -> None:
    """Skin tones, flags, families and keycaps are one emoji each."""
    assert _reacts(emoji)


@pytest.mark.parametrize(
    "emoji",
    ["", " ", "a", "👍👍", "👍 ", ":+1:", "1", "👍\x00", "\u200d", "\ufe0f", None, 1, ["👍"]],
)
def test_anything_else_is_none(emoji: object) -> None:
    """Text, two emojis, names, joiners alone and other types are no emoji."""
    assert not _reacts(emoji)


@given(st.text(max_size=12))
def test_an_emoji_is_short(text: str) -> None:
    """Whatever text comes, what is taken for an emoji has at most 32 bytes."""
    if _reacts(text):
        assert 0 < len(text.encode()) <= MAX_EMOJI_BYTES


def test_a_long_emoji_is_refused() -> None:
    """An emoji of more than 32 bytes is refused, though it is one."""
    kiss = "👩🏽‍❤️‍💋‍👩🏿"

    assert len(kiss.encode()) > MAX_EMOJI_BYTES
    assert not _reacts(kiss)


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u00a0", "\u2003\u2028", "\u3000"])
def test_an_edit_says_something(blank: str) -> None:
    """Nothing and only white space are no other words; around words it stays."""
    assert not _edits(blank)
    assert _edits(f"{blank}a{blank}")
    data = {"messageId": MESSAGE, "content": " a "}
    assert MessageEdit.model_validate(data).content == " a "


def test_a_text_is_bounded() -> None:
    """A text has at most 4,000 characters, however many bytes they are, and no NUL."""
    longest = "🎉" * MAX_CONTENT

    assert _edits(longest)
    assert _fits(MessageDraft, {"content": longest})
    assert not _edits(longest + "a")
    assert not _fits(MessageDraft, {"content": longest + "a"})
    assert not _edits("a\x00b")


@pytest.mark.parametrize(
    ("data", "fits"),
    [
        ({}, True),
        ({"clientId": "x" * 64}, True),
        ({"clientId": "x" * 65}, False),
        ({"clientId": ""}, False),
        ({"clientId": None}, False),
        ({"clientId": 1}, False),
        ({"type": "image"}, True),
        ({"type": "video"}, False),
        ({"type": None}, False),
        ({"content": None}, False),
        ({"content": {"$ne": 1}}, False),
        ({"replyTo": MESSAGE.upper()}, True),
        ({"replyTo": "x"}, False),
        ({"replyTo": None}, False),
        ({"attachment": {"publicId": "a"}}, True),
        ({"attachment": {}}, False),
        ({"attachment": "a"}, False),
        ({"unknown": [1]}, True),
    ],
)
def test_a_draft_is_checked(data: dict[str, Any], fits: bool) -> None:
    """A draft's fields have their types, null stands nowhere, and unknown fields are ignored."""
    assert _fits(MessageDraft, data) == fits


@pytest.mark.parametrize(
    ("conversations", "fits"),
    [
        ({}, True),
        ({"anything": 0}, True),
        ({MESSAGE: 2**53}, True),
        ({MESSAGE: 2**53 + 1}, False),
        ({MESSAGE: -1}, False),
        ({MESSAGE: 1.5}, False),
        ({MESSAGE: True}, False),
        ({MESSAGE: "1"}, False),
        ({MESSAGE: None}, False),
        ([], False),
        ({str(at): 1 for at in range(MAX_RESUMED_NAMES)}, True),
        ({str(at): 1 for at in range(MAX_RESUMED_NAMES + 1)}, False),
    ],
)
def test_what_a_client_knows_is_checked(conversations: object, fits: bool) -> None:
    """Revisions are numbers from 0, as many as a client may name."""
    assert _fits(ResumeWanted, {"conversations": conversations}) == fits
