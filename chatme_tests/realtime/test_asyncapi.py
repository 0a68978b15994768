"""The AsyncAPI document: every frame is in it, by the shapes that check it."""

from __future__ import annotations

from chatme.errors import Code
from chatme.realtime.asyncapi import ack_key, build, message_key
from chatme.realtime.close import Close
from chatme_tests.documents import Judge, faults_of
from chatme_tests.realtime.toy import CONTRACT

DOCUMENT = build(CONTRACT)


def test_the_document_is_sound() -> None:
    """Every reference leads somewhere, nothing is named twice, and nothing lies about unused."""
    assert faults_of(DOCUMENT) == []
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_the_same_contract_makes_the_same_document() -> None:
    """A document does not change from one start to the next."""
    assert build(CONTRACT) == DOCUMENT


def test_commands_are_received_and_answered() -> None:
    """A command is an operation that the server receives, with its own ack or an error."""
    operation = DOCUMENT["operations"][message_key("throw_bottle")]

    assert operation["action"] == "receive"
    assert operation["summary"] == "Throws a bottle."
    assert operation["description"] == "Then `bottle_found`."
    assert operation["tags"] == [{"name": "realtime"}]
    assert [each["$ref"].rpartition("/")[2] for each in operation["reply"]["messages"]] == [
        ack_key("throw_bottle"),
        "error",
    ]


def test_events_are_sent() -> None:
    """An event and an error are operations that the server sends."""
    operations = DOCUMENT["operations"]

    assert operations["bottleFound"]["action"] == operations["error"]["action"] == "send"
    assert operations["bottleFound"]["summary"] == "Somebody found a bottle."
    assert "reply" not in operations["bottleFound"]


def test_each_message_has_an_example_that_fits() -> None:
    """The example of every message is such a message."""
    judge = Judge(DOCUMENT)
    for message in DOCUMENT["components"]["messages"].values():
        (example,) = message["examples"]

        assert judge.faults(message["name"], example["payload"]) == []


def test_a_frame_is_held_to_its_shape() -> None:
    """Another event's name, a missing field, a field too many or a null is no such frame."""
    judge = Judge(DOCUMENT)
    data = {"bottleId": "65f0c0ffee65f0c0ffee65f0"}
    frame = {"event": "throw_bottle", "id": "a", "data": data}
    bad = (
        {**frame, "event": "throw"},
        {**frame, "id": None},
        {**frame, "data": {}},
        {**frame, "data": {**data, "note": None}},
        {**frame, "data": {**data, "lable": "x"}},
        {"event": "throw_bottle"},
    )

    assert judge.faults("throw_bottle", frame) == []
    assert [len(judge.faults("throw_bottle", each)) for each in bad] == [1] * len(bad)
    assert judge.faults("bottle_thrown", frame) == ["there is no message bottle_thrown"]


def test_an_ack_needs_its_id_and_an_event_has_none() -> None:
    """Only what answers a frame carries the frame's id; an error may."""
    messages = DOCUMENT["components"]["messages"]

    assert "id" in messages["throwBottleAck"]["payload"]["required"]
    assert "id" not in messages["bottleFound"]["payload"]["properties"]
    assert "id" in messages["error"]["payload"]["properties"]
    assert "id" not in messages["error"]["payload"]["required"]


def test_errors_and_closes_are_all_there() -> None:
    """Every error code and every close code is listed, with what it means."""
    codes = DOCUMENT["components"]["schemas"]["ErrorCode"]
    closes = DOCUMENT["channels"]["chat"]["x-close-codes"]

    assert codes["enum"] == list(codes["x-meanings"]) == [code.value for code in Code]
    assert codes["x-meanings"]["not_found"] == "Lost at sea."
    assert [each["code"] for each in closes] == [each.code for each in Close]
    assert closes[0] == {
        "code": 1003,
        "reason": "Frames are JSON text.",
        "comeBack": "no",
        "text": "NO!",
    }


def test_words_have_their_places() -> None:
    """Limits, the client's life and the ways to sign in stand in the document."""
    channel = DOCUMENT["channels"]["chat"]

    assert channel["address"] == "/chat"
    assert channel["x-limits"] == [
        {"name": "Bottles", "value": "3", "text": "Then the sea is full."}
    ]
    assert DOCUMENT["info"]["x-life"] == [
        {"name": "Throw", "text": "Far out.", "frames": ["> splash"]}
    ]
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"message"}
    assert {each["protocol"] for each in DOCUMENT["servers"].values()} == {"ws", "wss"}
