"""Sockets that keep what they sent and got, so that it can be held against the document."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from chatme_tests.client import WAIT_SECONDS, Json, Socket, User
from chatme_tests.documents import Judge
from chatme_tests.judging import rest_client
from chatme_tests.server import Server


class Witness(Socket):
    """A socket that knows which command each ack is for."""

    def __init__(self, connection: ClientConnection) -> None:
        super().__init__(connection)
        self.sent: dict[object, Json] = {}

    async def send(self, event: str, data: Json | None = None, **more: Any) -> None:
        """Sends a frame, as `Socket.send`, and keeps it by its id."""
        self.sent[more.get("id")] = {"event": event, "data": data or {}, **more}
        await super().send(event, data, **more)

    def named(self) -> Iterator[tuple[str, Json]]:
        """Every frame that came, by its message's name in the document."""
        for frame in self.frames:
            is_ack = frame["event"] == "ack"
            yield f"ack of {self.sent[frame['id']]['event']}" if is_ack else frame["event"], frame

    def accepted(self) -> Iterator[Json]:
        """Every frame that was sent and acked."""
        return (self.sent[frame["id"]] for frame in self.frames if frame["event"] == "ack")

    def invalid(self) -> Iterator[Json]:
        """Every frame that was sent with an id and refused for its data."""
        for frame in self.frames:
            if frame["event"] == "error" and frame["data"]["code"] == "validation_failed":
                yield self.sent[frame["id"]]


@dataclass
class Court:
    """The document that the server serves, and the sockets whose frames it must describe."""

    document: Json
    witnesses: list[Witness] = field(default_factory=list)

    @classmethod
    async def of(cls, server: Server) -> Court:
        """The court over a running server's own document."""
        async with rest_client(base_url=server.url) as http:
            return cls((await http.get("/asyncapi.json")).raise_for_status().json())

    async def open(self, url: str, token: str = "") -> Witness:
        """A socket, signed in by its header where there is a token."""
        headers = {"Authorization": f"Bearer {token}"} if token else None
        connection = await connect(
            url, additional_headers=headers, compression=None, ping_interval=None, proxy=None
        )
        witness = Witness(connection)
        self.witnesses.append(witness)
        if token:
            await witness.wait_for("connected")
        return witness

    async def call_in(self, user: User) -> Witness:
        """A user's signed-in socket."""
        return await self.open(user.socket_url, user.token)

    def faults(self) -> list[str]:
        """Where frames and document do not agree: what came, what was taken, what was refused."""
        judge = Judge(self.document)
        found = []
        for witness in self.witnesses:
            for name, frame in witness.named():
                found += judge.faults(name, frame)
            for frame in witness.accepted():
                found += judge.faults(frame["event"], frame)
            found += [
                f"the document takes {frame}, the server does not"
                for frame in witness.invalid()
                if not judge.faults(frame["event"], frame)
            ]
        return found

    def seen(self) -> set[str]:
        """The names of all messages that came."""
        return {name for witness in self.witnesses for name, _ in witness.named()}

    def sendable(self) -> set[str]:
        """The names of all messages that the document says the server sends."""
        refs: list[Json] = []
        for operation in self.document["operations"].values():
            refs += operation["messages"] if operation["action"] == "send" else []
            refs += operation.get("reply", {}).get("messages", [])
        messages = self.document["components"]["messages"]
        return {messages[ref["$ref"].rpartition("/")[2]]["name"] for ref in refs}

    def close_codes(self) -> set[int]:
        """The codes of all closes that the document knows."""
        return {each["code"] for each in self.document["channels"]["chat"]["x-close-codes"]}

    async def aclose(self) -> None:
        """Closes what is still open."""
        async with asyncio.timeout(WAIT_SECONDS):
            for witness in self.witnesses:
                await witness.aclose()
