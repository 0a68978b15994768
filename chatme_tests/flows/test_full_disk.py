"""A disk that takes nothing more: nothing is acked that is not kept, and it heals by itself."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatme_tests.client import Refused, Socket, User, signed_up
from chatme_tests.flows.files import kept
from chatme_tests.server import ROOT, Server


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """No file of the server's can grow, nor be written behind its beginning (EFBIG)."""
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (soft, hard))


async def _talk(users: list[User]) -> tuple[str, Socket]:
    ada, bob = users
    room = await ada.post("/conversations/direct", {"userId": bob.id})
    return room["id"], await ada.connect()


async def _send(socket: Socket, room: str, text: str) -> int:
    draft = {"conversationId": room, "content": text, "clientId": text[:40]}
    seq: int = (await socket.call("send_message", draft))["message"]["seq"]
    return seq


async def test_a_full_disk_takes_nothing_and_loses_nothing(data: Path) -> None:
    """While the disk is full a send is refused as unavailable, by frame and by REST, reading goes
    on, the socket lives; with room again the same send is taken, and numbers have no hole."""
    with Server(data, embedded=True) as server:
        async with signed_up(server.url, "Ada Full", "Bob Full") as users:
            ada = users[0]
            room, socket = await _talk(users)
            assert await _send(socket, room, "one") == 1
            with full_disk(server):
                for _ in range(3):
                    with pytest.raises(Refused) as refused:
                        await _send(socket, room, "two")
                    assert refused.value.code == "unavailable"
                    assert refused.value.error["retryAfter"] == 1
                answer = await ada.http.post(f"/messages/{room}", json={"content": "three"})
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
                assert answer.json()["code"] == "unavailable"
                page = await ada.get(f"/messages/{room}")
                assert [each["content"] for each in page["items"]] == ["one"]
            assert await _send(socket, room, "two") == 2
            server.kill()
            server.start()
            page = await ada.get(f"/messages/{room}")

    assert [each["content"] for each in page["items"]] == ["two", "one"]


@contextmanager
def filled(place: Path) -> Iterator[None]:
    """No byte is left on a disk (ENOSPC)."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    try:
        yield
    finally:
        filler.unlink()


async def test_a_full_disk_takes_no_upload(small_disk: Path) -> None:
    """Where there is no room an upload is a 507 and leaves nothing behind, messages are refused as
    unavailable, and what is there is read; with room again both are taken."""
    data = small_disk / "data"
    with Server(data, {"HEALTH_DISK_FREE_MB": "0", "WS_RATE": ""}, embedded=True) as server:
        async with signed_up(server.url, "Ada Room", "Bob Room") as users:
            ada = users[0]
            room, socket = await _talk(users)
            await _send(socket, room, "one")
            before = kept(data)
            file = {"file": ("notes.txt", b"tea " * 50_000)}
            with filled(small_disk):
                answer = await ada.http.post("/upload/file", files=file)
                assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
                assert kept(data) == before
                taken = await _send_until_refused(socket, room)
                page = await ada.get(f"/messages/{room}", limit=1)
                assert [each["seq"] for each in page["items"]] == [taken]
            assert (await ada.http.post("/upload/file", files=file)).status_code == 201
            assert await _send(socket, room, "two") == taken + 1


async def _send_until_refused(socket: Socket, room: str) -> int:
    """Sends until no more is taken, for the log's own file may have some room; the last number."""
    taken = 1
    while True:
        try:
            taken = await _send(socket, room, f"{taken} " + "tea " * 500)
        except Refused as refused:
            if refused.code != "unavailable":
                raise
            return taken


def test_a_read_only_disk_is_told(small_disk: Path) -> None:
    """On a disk that cannot be written the server does not start, and says why in one line; once it
    can be written the server starts on what is there."""
    data = small_disk / "data"
    with Server(data, embedded=True):
        pass
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        said = subprocess.run(
            [sys.executable, "-m", "chatme", "serve"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "APP_ENV": "test", "DATA_DIR": str(data), "PORT": "0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert said.returncode == 1
    assert '"cannot serve"' in said.stderr
    assert "Traceback" not in said.stderr
    with Server(data, embedded=True):
        pass
