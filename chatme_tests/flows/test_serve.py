"""The process: how it starts, stops, keeps its folder to itself, and what it writes down."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatme_tests.client import PASSWORD, open_socket, sign_up, signed_up
from chatme_tests.judging import rest_client
from chatme_tests.server import ROOT, Server

PATIENCE = 10


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "APP_ENV": "test",
        "DATA_DIR": str(folder),
        "PORT": "0",
        "PASSWORD_COST": "4",
    }


def _command() -> list[str]:
    return [sys.executable, "-m", "chatme", "serve"]


def _lines(server: Server) -> Iterator[dict[str, Any]]:
    for line in server.read_log().splitlines():
        yield json.loads(line)


async def test_a_running_server_is_healthy(server: Server) -> None:
    """Health answers without a sign-in, names its parts, and is not to be kept."""
    async with rest_client(base_url=f"{server.url}/api/v1") as http:
        health, live = await http.get("/health"), await http.get("/health/live")

    assert (health.status_code, live.status_code) == (200, 200)
    assert health.json()["status"] == "ok"
    assert {"mongodb", "memory_heap", "disk"} == set(health.json()["info"])
    assert live.json() == {"status": "ok"}
    assert health.headers["cache-control"] == "no-store"


async def test_sigterm_drains(data: Path) -> None:
    """A request that is under way gets its answer, sockets get 1012, and the process ends with
    0."""
    with Server(data) as server:
        async with signed_up(server.url, "Ada Drain", "Bob Drain") as (ada, bob):
            sockets = [await ada.connect(), await bob.connect()]
            parts = urlsplit(server.url)
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            body = json.dumps({"bio": "Said while it stopped."}).encode()
            head = (
                "PATCH /api/v1/users/me HTTP/1.1\r\nHost: chat\r\nContent-Type: application/json"
                f"\r\nAuthorization: Bearer {ada.token}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body[:5])
            await writer.drain()
            await ada.get("/auth/me")  # the head before it is here by now
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            codes = [await socket.wait_closed() for socket in sockets]
            writer.write(body[5:])
            answer = await asyncio.wait_for(reader.read(), PATIENCE)
            status = await stopping
            writer.close()
            await writer.wait_closed()

    assert codes == [1012, 1012]
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Said while it stopped." in answer
    assert status == 0
    assert "ChatMe has stopped" in server.read_log()


def test_an_early_sigterm_is_heard(data: Path) -> None:
    """A server that is stopped while it starts ends by itself, and well."""
    started = subprocess.Popen(
        _command(), cwd=ROOT, env=_environment(data), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + PATIENCE
    while not (data / "chatme.db.lock").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    started.send_signal(signal.SIGTERM)
    _, said = started.communicate(timeout=PATIENCE)

    assert started.returncode == 0, said
    assert "Traceback" not in said


async def test_sigint_is_as_good(data: Path) -> None:
    """Ctrl-C ends the server as SIGTERM does."""
    with Server(data) as server:
        os.kill(server.pid, signal.SIGINT)
        assert await asyncio.to_thread(server.stop) == 0
    assert "Traceback" not in server.read_log()


@pytest.fixture
def embedded(data: Path) -> Iterator[Server]:
    """A server on the embedded database, whatever the others are on."""
    with Server(data, embedded=True) as running:
        yield running


async def test_a_folder_has_one_server(embedded: Server) -> None:
    """A second server on the same folder is refused in words, and the first goes on."""
    server = embedded
    second = await asyncio.to_thread(
        subprocess.run,
        _command(),
        cwd=ROOT,
        env=_environment(server.data),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert second.returncode == 1
    assert "in use by another process" in second.stderr
    assert str(server.pid) in second.stderr
    assert "Traceback" not in second.stderr
    async with signed_up(server.url, "Ada Still") as (ada,):
        assert (await ada.get("/auth/me"))["displayName"] == "Ada Still"


async def test_only_the_owner_reads_the_folder(embedded: Server) -> None:
    """Secrets and database files are for their owner alone, and so is the folder."""
    server = embedded
    async with signed_up(server.url, "Ada Files"):
        found = [each for each in server.data.rglob("*") if not each.is_dir()]
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in found}

    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert {"jwt_secret", "jwt_refresh_secret", "chatme.db", "chatme.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_sessions_outlive_a_restart(data: Path) -> None:
    """After a restart tokens and cookies are as good as before, and what was said is there."""
    with Server(data) as server:
        ada, bob = [await sign_up(server.url, name) for name in ("Ada Again", "Bob Again")]
        talk = await ada.post("/conversations/direct", {"userId": bob.id})
        await ada.post(f"/messages/{talk['id']}", {"content": "before"})
        assert await asyncio.to_thread(server.stop) == 0
        server.start()

        assert (await ada.get("/auth/me"))["id"] == ada.id
        await ada.post(f"/messages/{talk['id']}", {"content": "after"})
        history = await bob.get(f"/messages/{talk['id']}")
        assert [each["content"] for each in history["items"]] == ["after", "before"]
        socket = await ada.connect()
        assert await socket.call("ping") == {}
        fresh = await ada.http.post("/auth/refresh")
        assert fresh.status_code == 200
        for user in (ada, bob):
            await user.aclose()


async def test_the_log_keeps_secrets(data: Path) -> None:
    """The log is JSON lines with request ids, and holds no token, password, text or address."""
    with Server(data, {"LOG_LEVEL": "debug"}) as server:
        async with signed_up(server.url, "Ada Logged", "Bob Logged") as (ada, bob):
            talk = await ada.post("/conversations/direct", {"userId": bob.id})
            mine, theirs = await ada.connect(), await bob.connect()
            spoken = {"conversationId": talk["id"], "content": "a whispered word"}
            await mine.call("send_message", spoken)
            await theirs.wait_for("new_message")
            await ada.post(f"/messages/{talk['id']}", {"content": "another whisper"})
            by_query = await open_socket(f"{server.socket_url}?token={bob.token}")
            await by_query.wait_for("connected")
            await by_query.aclose()
            by_frame = await open_socket(server.socket_url)
            await by_frame.send("auth", {"token": ada.token})
            await by_frame.wait_for("connected")
            await by_frame.aclose()
            await ada.get("/users/search", q="logged-by-query")
            cookie = ada.http.cookies["refresh_token"]
            credentials = {"email": ada.email, "password": "Wrong-Secret-1"}
            await ada.http.post("/auth/login", json=credentials)
            named = await ada.http.get("/auth/me", headers={"X-Request-ID": "my-name-1"})
            await ada.http.post("/auth/refresh")
            assert named.headers["x-request-id"] == "my-name-1"
        assert await asyncio.to_thread(server.stop) == 0

        lines = list(_lines(server))
        requests = [each for each in lines if each["event"] == "request"]
        text = server.read_log()

    assert len(requests) >= 8
    for line in lines:
        assert {"event", "level", "timestamp", "logger"} <= set(line)
    for line in requests:
        assert {"method", "path", "status", "ms", "request_id"} <= set(line)
    assert len({each["request_id"] for each in requests}) == len(requests)
    assert "my-name-1" in {each["request_id"] for each in requests}
    secrets = [ada.token, bob.token, cookie, PASSWORD, "Wrong-Secret-1", "whisper"]
    secrets += [part.rpartition(".")[2] for part in (ada.token, cookie)]
    secrets += [(data / name).read_text() for name in ("jwt_secret", "jwt_refresh_secret")]
    assert [each for each in secrets if each in text] == []
    assert "logged-by-query" not in text
    assert ada.email not in text
