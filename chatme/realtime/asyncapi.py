"""The AsyncAPI 3 document of `/chat`, made of the shapes that check and write its frames. Pure.

The server is the one described: it receives commands and sends events. What shapes and docstrings
do not say comes in as `Words`; nothing here knows a feature.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic.alias_generators import to_camel

from chatme.realtime.close import Close
from chatme.realtime.contract import Contract, Row, command_row, event_row
from chatme.realtime.schemas import PREFIX, Json, Schemas, frame_schemas
from chatme.shapes import Shape

CHANNEL = "#/channels/chat"
MESSAGES = f"{CHANNEL}/messages/"
_FAILED = "A frame's work failed; with the frame's `id`, where it had one."


def build(contract: Contract) -> Json:
    """The document, as JSON-ready builtins; the same contract makes the same document."""
    return _Builder(contract).document()


def message_key(name: str) -> str:
    """What the document calls the message of an event or a command."""
    return to_camel(name)


def ack_key(command: str) -> str:
    """What the document calls a command's ack."""
    return f"{message_key(command)}Ack"


class _Builder:
    """Lives for one document."""

    def __init__(self, contract: Contract) -> None:
        self._words = contract.words
        self._contract = contract
        self._commands = [command_row(each) for each in contract.commands]
        self._events = [event_row(each) for each in contract.events]
        self._schemas = Schemas(
            [
                *((row.shape, "validation") for row in self._commands),
                *((row.ack, "serialization") for row in self._commands),
                *((row.shape, "serialization") for row in self._events),
            ],
            contract.stand_ins,
        )
        self._components = {**self._schemas.components, **frame_schemas(self._words.codes)}

    def document(self) -> Json:
        messages = self._messages()
        security = {name: dict(scheme) for name, scheme in self._words.security.items()}
        return {
            "asyncapi": "3.0.0",
            "info": {
                "title": self._words.title,
                "version": self._contract.version,
                "description": self._words.description,
                "license": {"name": "MIT"},
                "x-life": [
                    {"name": step.name, "text": step.text, "frames": list(step.frames)}
                    for step in self._words.life
                ],
            },
            "defaultContentType": "application/json",
            "servers": {
                name: _server(protocol, host, list(security))
                for name, protocol, host in (
                    ("development", "ws", "localhost:3000"),
                    ("production", "wss", "chat.example.org"),
                )
            },
            "channels": {"chat": self._channel(messages)},
            "operations": self._operations(),
            "components": {
                "schemas": self._components,
                "messages": messages,
                "securitySchemes": security,
                "correlationIds": {
                    "frame": {
                        "description": "The id that the client gave its frame.",
                        "location": "$message.payload#/id",
                    }
                },
            },
        }

    def _channel(self, messages: Json) -> Json:
        text = {"type": "string"}
        return {
            "address": "/chat",
            "title": "The socket",
            "summary": self._words.summary,
            "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
            "bindings": {
                "ws": {
                    "method": "GET",
                    "query": {"type": "object", "properties": {"token": text}},
                    "headers": {"type": "object", "properties": {"Authorization": text}},
                    "bindingVersion": "0.1.0",
                }
            },
            "x-limits": [
                {"name": each.name, "value": each.value, "text": each.text}
                for each in self._contract.limits
            ],
            "x-close-codes": [
                {
                    "code": each.code,
                    "reason": each.reason,
                    "comeBack": to_camel(each.come_back.name.lower()),
                    "text": self._words.come_back[each.come_back],
                }
                for each in Close
            ],
        }

    def _messages(self) -> Json:
        error = {"$ref": f"{PREFIX}ErrorData"}
        messages = {}
        for row in self._commands:
            data = self._schemas.ref(row.shape, "validation")
            required = ["data"] if self._schemas.requires(row.shape, "validation") else []
            messages[message_key(row.name)] = self._message(
                row.name, row.text, row.name, data, ["event", *required]
            )
        for row in self._commands:
            data = self._schemas.ref(row.ack, "serialization")
            messages[ack_key(row.name)] = self._message(
                f"ack of {row.name}",
                f"The work of `{row.name}` is done, and durable.",
                "ack",
                data,
                ["event", "id", "data"],
            )
        for event in self._events:
            data = self._schemas.ref(event.shape, "serialization")
            messages[message_key(event.name)] = self._message(
                event.name, event.text, event.name, data
            )
        messages["error"] = self._message("error", _FAILED, "error", error, ["event", "data"])
        return messages

    def _message(
        self, name: str, text: str, event: str, data: Json, required: Sequence[str] = ()
    ) -> Json:
        """A frame; one that takes no ``required`` is a plain event, which has no id."""
        payload: Json = {"type": "object", "properties": {"event": {"const": event}, "data": data}}
        message: Json = {"name": name, "title": name, "summary": text}
        if required:
            payload["properties"]["id"] = {"$ref": f"{PREFIX}FrameId"}
            message["correlationId"] = {"$ref": "#/components/correlationIds/frame"}
        payload["required"] = list(required or ("event", "data"))
        example = {
            "event": event,
            **({"id": 7} if required else {}),
            "data": self._contract.samples.of(data, self._components),
        }
        return {**message, "payload": payload, "examples": [{"payload": example}]}

    def _operations(self) -> Json:
        operations = {}
        for row in self._commands:
            operations[message_key(row.name)] = {
                **self._operation("receive", row),
                "reply": {
                    "channel": {"$ref": CHANNEL},
                    "messages": [
                        {"$ref": f"{MESSAGES}{ack_key(row.name)}"},
                        {"$ref": f"{MESSAGES}error"},
                    ],
                },
            }
        error = Row("error", "realtime", _FAILED, Shape)
        for event in [*self._events, error]:
            operations[message_key(event.name)] = self._operation("send", event)
        return operations

    def _operation(self, action: str, row: Row) -> Json:
        found: Json = {
            "action": action,
            "channel": {"$ref": CHANNEL},
            "title": row.name,
            "summary": row.text,
            "tags": [{"name": row.room}],
            "messages": [{"$ref": MESSAGES + message_key(row.name)}],
        }
        if row.name in self._words.effects:
            found["description"] = self._words.effects[row.name]
        return found


def _server(protocol: str, host: str, security: list[str]) -> Json:
    return {
        "host": "{host}",
        "protocol": protocol,
        "variables": {"host": {"default": host, "description": "Where the server listens."}},
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in security],
    }
