"""A slow reader harms only itself: it is cut off, and nobody beside it notices."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

from chatme_tests.client import Socket, User, open_socket, sign_up
from chatme_tests.flows.life_crowd import Face, crowd
from chatme_tests.flows.life_readers import (
    Arrivals,
    Reader,
    close_readers,
    open_reader,
    resident_kib,
)
from chatme_tests.flows.life_talk import settle, sound_server
from chatme_tests.server import Server

OTHERS = 200
SLOW = 10
BEFORE, MOST, AFTER = 30, 400, 10
TEXT = "😀" * 4000  # 16,000 bytes: a hundred or two are over what a socket and the kernel hold
MIB = 1024
PATIENCE = 60
TOO_SLOW = 4499


@dataclass
class Phase:
    """How long each message took to reach all two hundred, and the most memory that the server
    held, in KiB."""

    spans: list[float] = field(default_factory=list)
    memory: int = 0


class _Group:
    """A group of two hundred readers, one writer, and ten sockets of one slow user."""

    def __init__(self, server: Server, ada: User, faces: list[Face]) -> None:
        self.server = server
        self.ada = ada
        self.slow_face, *self.faces = faces
        self.arrivals = Arrivals()
        self.readers: list[Reader] = []
        self.slow: list[Reader] = []
        self.room = ""

    async def open(self) -> Socket:
        """Makes the group and connects all; the writer's socket."""
        ids = [each.user_id for each in (self.slow_face, *self.faces)]
        made = await self.ada.post("/conversations/group", {"name": "All", "memberIds": ids})
        self.room = made["id"]
        url = self.server.url
        for face in self.faces:
            self.readers.append(await open_reader(url, face.token, self.arrivals))
        return await self.ada.connect()

    async def stall(self) -> None:
        """The slow user's sockets open, and read no more."""
        for _ in range(SLOW):
            token = self.slow_face.token
            reader = await open_reader(self.server.url, token, Arrivals(), small=True)
            reader.stop_reading()
            self.slow.append(reader)

    async def say(self, socket: Socket, most: int) -> Phase:
        """Sends one message after the other, until the slow are no longer told, and a few more."""
        await settle(socket)
        phase, sent, more = Phase(), set[str](), AFTER
        while len(phase.spans) < most and more:
            start = perf_counter()
            ack = await socket.call("send_message", {"conversationId": self.room, "content": TEXT})
            await self.arrivals.everywhere(ack["message"]["seq"], OTHERS)
            phase.spans.append(perf_counter() - start)
            phase.memory = max(phase.memory, resident_kib(self.server.pid))
            sent.add(ack["message"]["id"])
            # What is told late of an earlier phase says nothing of this one.
            told = [
                each["recipientIds"]
                for each in socket.of("messages_delivered")
                if not sent.isdisjoint(each["messageIds"])
            ]
            is_cut = self.slow and told and self.slow_face.user_id not in told[-1]
            more = more - 1 if is_cut else AFTER
        return phase


async def test_two_hundred_notice_nothing_of_ten_that_stop_reading(data: Path) -> None:
    """Sockets that stop reading are closed with 4499 and hold about 1 MiB each until then; all
    others get every message, as fast as before; and the slow come back and resume."""
    faces = await crowd(data, OTHERS + 1)
    with sound_server(data.parent) as server:
        ada = await sign_up(server.url, "Ada Speaks")
        everybody = _Group(server, ada, faces)
        try:
            socket = await everybody.open()
            calm = await everybody.say(socket, BEFORE)
            await everybody.stall()
            stalled = await everybody.say(socket, MOST)
            for each in everybody.slow:
                each.read_on()
            for each in everybody.slow:
                await asyncio.wait_for(each.gone.wait(), PATIENCE)
            codes = [each.close_code for each in everybody.slow]
            late = await open_socket(f"{server.socket_url}?token={everybody.slow_face.token}")
            known = BEFORE + len(everybody.slow[0].seqs)
            answer = await late.call("resume", {"conversations": {everybody.room: known}})
            caught_up = [each["seq"] for each in late.of("new_message")]
            await late.aclose()
        finally:
            await close_readers(everybody.readers + everybody.slow)
            await ada.aclose()

    total = BEFORE + len(stalled.spans)
    assert codes == [TOO_SLOW] * SLOW
    for reader in everybody.readers:
        assert reader.seqs == list(range(1, total + 1))
    for each in everybody.slow:
        assert len(each.seqs) < len(stalled.spans)
        assert each.seqs == list(range(BEFORE + 1, BEFORE + 1 + len(each.seqs)))
    assert caught_up == list(range(known + 1, total + 1))
    assert answer["conversations"][everybody.room] == {"rev": total, "limited": False}
    assert median(stalled.spans) < 3 * median(calm.spans) + 0.01
    assert stalled.memory - calm.memory < 1.5 * SLOW * MIB + 8 * MIB
