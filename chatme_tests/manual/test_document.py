"""The document of this very server."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import chatme
from chatme.manual.document import COMMANDS, EVENTS, realtime_document
from chatme.realtime.asyncapi import message_key
from chatme_tests.documents import Judge, faults_of
from chatme_tests.fakes import settings_of

# JSON Schema draft 7, which AsyncAPI's own schemas extend, does not know these of 2020-12.
NEWER = {"$defs", "prefixItems", "dependentRequired", "unevaluatedProperties", "$dynamicRef"}


def _tables(file: str, name: str) -> set[Any]:
    """What every table of that name holds, in all files of that name."""
    found: set[Any] = set()
    for each in pkgutil.walk_packages(chatme.__path__, "chatme."):
        if each.name.rpartition(".")[2] == file:
            found.update(getattr(importlib.import_module(each.name), name, ()))
    return found


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


def test_every_feature_s_frames_are_in_the_document(tmp_path: Path) -> None:
    """What any room's tables of commands and events hold is a message of the document."""
    document = realtime_document(settings_of(tmp_path))
    messages = document["components"]["messages"]
    events = _tables("events", "EVENTS") | _tables("commands", "EVENTS")
    commands = _tables("routes", "COMMANDS") | _tables("commands", "COMMANDS")

    assert set(COMMANDS) == commands
    assert set(EVENTS) == events
    for name in [*(each.event for each in commands), *(each.name for each in events)]:
        assert messages[message_key(name)]["name"] == name


def test_the_document_is_sound(tmp_path: Path) -> None:
    """Every reference leads somewhere, examples fit, and any reader of schemas understands it."""
    document = realtime_document(settings_of(tmp_path))
    judge = Judge(document)

    assert faults_of(document) == []
    assert not NEWER & _keys(document)
    assert json.loads(json.dumps(document)) == document
    for message in document["components"]["messages"].values():
        for example in message["examples"]:
            assert judge.faults(message["name"], example["payload"]) == []


def test_a_list_s_message_is_a_whole_message(tmp_path: Path) -> None:
    """A conversation's last message is described as the message that it is."""
    schemas = realtime_document(settings_of(tmp_path))["components"]["schemas"]

    assert schemas["ConversationView"]["properties"]["lastMessage"]["anyOf"][0] == {
        "$ref": "#/components/schemas/MessageView"
    }


def test_the_limits_are_those_that_are_set(tmp_path: Path) -> None:
    """The document tells the limits of this server, and where there is none."""
    usual = realtime_document(settings_of(tmp_path))
    unusual = realtime_document(settings_of(tmp_path, ws_rate="", ws_max_per_user=3))

    def values(document: dict[str, Any]) -> dict[str, str]:
        return {each["name"]: each["value"] for each in document["channels"]["chat"]["x-limits"]}

    assert values(usual)["Frames"] == "20 a second, 40 at once"
    assert values(usual)["Frame size"] == "64 KiB"
    assert values(unusual)["Frames"] == "none"
    assert values(unusual)["Sockets"] == "3"
