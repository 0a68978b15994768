"""What a socket does not take: each with a close code of its own, and nobody else suffers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from chatme.realtime.frames import MAX_FRAME_BYTES
from chatme_tests.client import Refused, open_socket
from chatme_tests.flows.hostile import World, faultless_server, world
from chatme_tests.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")
PING = '{"event": "ping"}'
HALF = '{"event": "ping", "id": "half", "data": {"a": "'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits, whose log is looked at in the end."""
    with faultless_server(tmp_path_factory.mktemp("hostile") / "data") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(server: Server) -> AsyncIterator[World]:
    """A world for all tests that leave it as it is."""
    async with world(server.url) as made:
        yield made


@pytest.mark.parametrize("path", ["/", "/chat/", "/nothing", "/api/v1/chat", "/api/v1/auth/me"])
async def test_there_is_one_socket(here: World, path: str) -> None:
    """An upgrade elsewhere is not found, in the envelope that every error has."""
    url = here.ada.socket_url.removesuffix("/chat") + path
    with pytest.raises(InvalidStatus) as refused:
        await open_socket(url)

    answer = refused.value.response
    told = json.loads(answer.body or b"")
    assert (answer.status_code, told["statusCode"], told["code"]) == (404, 404, "not_found")
    assert (told["path"], told["requestId"]) == (path, answer.headers["X-Request-ID"])


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 4096, "ünïcödé", " ", "{}"])
async def test_a_bad_token_closes(here: World, token: str, signed_in: bool) -> None:
    """A token that is not genuine is told and then closes the socket with 4401."""
    headers = {"Authorization": f"Bearer {here.ada.token}"} if signed_in else None
    socket = await open_socket(here.ada.socket_url, headers)
    with pytest.raises(Refused, match="not_authenticated"):
        await socket.call("auth", {"token": token})
    assert await socket.wait_closed() == 4401
    by_query = await open_socket(f"{here.ada.socket_url}?token={quote(token)}")
    assert await by_query.wait_closed() == 4401


async def test_another_s_token_closes(here: World) -> None:
    """A socket does not pass from one user to another."""
    socket = await here.ada.connect()
    with pytest.raises(Refused, match="not_authenticated"):
        await socket.call("auth", {"token": here.bob.token})
    assert await socket.wait_closed() == 4401


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize(
    ("frame", "text", "code"),
    [
        (b"{}", False, 1003),
        (b"", False, 1003),
        (b"\xff\xfe", False, 1003),
        (PING.encode(), False, 1003),
        (b" " * (MAX_FRAME_BYTES + 1), True, 1009),
        (b" " * (2 * 1024 * 1024), True, 1009),
        (b" " * (MAX_FRAME_BYTES + 1), False, 1009),
        (b'{"event": "\xff"}', True, 1007),
        (b'{"event": "\xed\xa0\x80"}', True, 1007),
        (b'{"event": "\xc0\xaf"}', True, 1007),
        (b'{"event": "\xf0\x9f"}', True, 1007),
    ],
)
async def test_what_no_socket_takes_closes(
    here: World, frame: bytes, text: bool, code: int, signed_in: bool
) -> None:
    """A binary frame, one over 64 KiB and one that is not UTF-8 close with a code of their own."""
    headers = {"Authorization": f"Bearer {here.ada.token}"} if signed_in else None
    socket = await open_socket(here.ada.socket_url, headers)
    await socket.connection.send(frame, text=text)
    assert await socket.wait_closed() == code
    other = await here.ada.connect()
    assert await other.call("ping") == {}


async def test_a_frame_of_just_64_kib_is_worked(here: World) -> None:
    """The largest frame is worked like any other, and it may come in pieces."""
    socket = await here.ada.connect()
    text = HALF + "x" * (MAX_FRAME_BYTES - len(HALF) - 3) + '"}}'
    assert len(text) == MAX_FRAME_BYTES
    await socket.connection.send(text)
    await socket.connection.send([text[:10], text[10:999], text[999:]])
    assert await socket.call("ping") == {}
    answers = [each for each in socket.frames if each.get("id") == "half"]

    assert [each["event"] for each in answers] == ["ack", "ack"]
