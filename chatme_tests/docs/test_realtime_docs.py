"""The real-time document says what the contract promises, name by name, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chatme.errors import Code
from chatme.manual.document import realtime_document
from chatme.manual.page import render
from chatme.realtime.asyncapi import ack_key, message_key
from chatme.realtime.close import Close
from chatme_tests.fakes import settings_of
from chatme_tests.server import ROOT

# The contract's events from the client: the data's fields, and the ack's.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "send_message": (
        "conversationId content? type? replyTo? attachment? clientId?",
        "message",
    ),
    "join_conversation": ("conversationId", "conversationId"),
    "open_conversation": ("conversationId", "conversationId readSeq"),
    "close_conversation": ("conversationId", "conversationId"),
    "mark_read": ("messageId conversationId?", "messageId"),
    "typing": ("conversationId", ""),
    "stop_typing": ("conversationId", ""),
    "edit_message": ("messageId content conversationId?", "message"),
    "delete_message": ("messageId conversationId?", "messageId"),
    "add_reaction": ("messageId emoji conversationId?", "messageId emoji"),
    "remove_reaction": ("messageId conversationId?", "messageId"),
    "resume": ("conversations?", "conversations complete"),
    "auth": ("token", "userId"),
    "ping": ("", ""),
}

_MESSAGE = (
    "id conversationId seq rev clientId sender type content attachment replyTo receipts "
    "receiptCounts reactions isEdited editedAt isDeleted createdAt"
)
_CONVERSATION = (
    "id type name avatar members memberCount seq rev unreadCount lastMessage lastMessageAt "
    "createdAt"
)

# The contract's events from the server, and their data's fields.
EVENTS: Mapping[str, str] = {
    "new_message": _MESSAGE,
    "messages_delivered": "conversationId messageIds upToSeq recipientIds",
    "messages_read": "conversationId messageIds upToSeq readBy readAt",
    "user_typing": "conversationId userId",
    "user_stopped_typing": "conversationId userId",
    "message_updated": _MESSAGE,
    "message_edited": "conversationId messageId rev content editedAt",
    "message_deleted": "conversationId messageId rev deletedBy",
    "message_reaction_added": "conversationId messageId rev userId emoji",
    "message_reaction_removed": "conversationId messageId rev userId emoji",
    "user_online": "userId",
    "user_offline": "userId lastSeenAt",
    "conversation_created": _CONVERSATION,
    "conversation_updated": _CONVERSATION,
    "conversation_removed": "conversationId",
    "member_added": "conversationId user role",
    "member_removed": "conversationId userId",
    "notification": "id type payload",
    "token_expiring": "expiresAt",
    "server_restarting": "reconnectIn",
    "joined": "conversationId",
    "connected": "userId connectionId serverTime heartbeatInterval",
    "pong": "",
    "error": "code message errors retryAfter?",
}


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    """The document of a server with the usual settings."""
    return realtime_document(settings_of(tmp_path))


def _fields(document: dict[str, Any], key: str) -> set[str]:
    """The fields of a message's data; `?` marks those that may be left out."""
    components = document["components"]
    data = components["messages"][key]["payload"]["properties"]["data"]
    schema = components["schemas"][data["$ref"].rpartition("/")[2]]
    required = schema.get("required", ())
    return {name if name in required else f"{name}?" for name in schema["properties"]}


def test_every_command_is_as_promised(document: dict[str, Any]) -> None:
    """Each event from the client, its data and its ack have the contract's fields and no more."""
    for name, (data, ack) in COMMANDS.items():
        assert _fields(document, message_key(name)) == set(data.split()), name
        assert _fields(document, ack_key(name)) == set(ack.split()), name


def test_every_event_is_as_promised(document: dict[str, Any]) -> None:
    """Each event from the server has the contract's fields and no more."""
    for name, data in EVENTS.items():
        assert _fields(document, message_key(name)) == set(data.split()), name


def test_nothing_is_there_that_was_not_promised(document: dict[str, Any]) -> None:
    """The document has no event that the contract does not know."""
    promised = {message_key(name) for name in (*COMMANDS, *EVENTS)}
    acks = {ack_key(name) for name in COMMANDS}

    assert set(document["components"]["messages"]) == promised | acks


def test_the_page_names_everything(document: dict[str, Any]) -> None:
    """Every event, error code and close code stands on the page."""
    page = render(document)
    names = [
        *COMMANDS,
        *EVENTS,
        *(code.value for code in Code),
        *(str(each.code) for each in Close),
    ]

    assert [name for name in names if f">{name}<" not in page] == []


def test_the_readme_leads_to_the_page() -> None:
    """Who reads the README finds the document and its page."""
    readme = (ROOT / "README.rst").read_text()

    assert "/docs/realtime" in readme
    assert "/asyncapi.json" in readme
