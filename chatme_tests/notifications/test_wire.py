"""Notifications as callers see them."""

from __future__ import annotations

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from chatme.notifications.wire import GroupPayload, MessagePayload, preview
from chatme.ports import MessageKind

ID = ObjectId("65f0c0ffee65f0c0ffee65f0")


@given(st.text(max_size=300))
def test_a_text_is_its_own_preview(text: str) -> None:
    """The preview of a text is its first hundred characters."""
    assert preview("text", text) == text[:100]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("image", "Sent an image"), ("audio", "Sent an audio message"), ("file", "Sent a file")],
)
@pytest.mark.parametrize("caption", ["", "Look!"])
def test_what_is_no_text_is_named(kind: MessageKind, expected: str, caption: str) -> None:
    """The preview of an upload says what was sent, with a caption or without."""
    assert preview(kind, caption) == expected


def test_payloads_are_json() -> None:
    """A payload is stored as it goes over the wire."""
    message = MessagePayload(
        conversation_id=ID, message_id=ID, sender_id=ID, sender_name="Ann", preview="Hi"
    )
    group = GroupPayload(conversation_id=ID, name="Tea", by_id=ID, by_name="Ann")

    assert message.to_plain() == {
        "conversationId": str(ID),
        "messageId": str(ID),
        "senderId": str(ID),
        "senderName": "Ann",
        "preview": "Hi",
    }
    assert group.to_plain() == {
        "conversationId": str(ID),
        "name": "Tea",
        "byId": str(ID),
        "byName": "Ann",
    }
