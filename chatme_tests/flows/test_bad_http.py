"""Requests that are no clean HTTP, to the whole application over raw sockets.

Each hides a second request that would say something in Ada's name. It must never be heard, whatever
became of the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import orjson
import pytest
import pytest_asyncio

from chatme.app import create_app
from chatme.http.head import HttpLimits
from chatme.http.server import ChatHttpProtocol
from chatme.wiring import open_services
from chatme_tests.client import Json, User, signed_up
from chatme_tests.fakes import settings_of
from chatme_tests.serving import PATIENCE, Peer, Running, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEGABYTE = 1024 * 1024
CHUNKED = b"Transfer-Encoding: chunked\r\n"
JSON = b"Content-Type: application/json\r\n"


class Hasty(ChatHttpProtocol):
    """With deadlines that a test can wait for; the limits of size are those that ship."""

    limits = HttpLimits(head_seconds=0.3, body_seconds=0.3, discard_seconds=0.3, linger_seconds=0.1)


@dataclass(frozen=True)
class Stage:
    """Ada, who has a conversation with Bob in which nothing was said yet."""

    server: Running
    ada: User
    bob: str
    talk: str

    def post(
        self,
        framing: bytes = b"",
        body: bytes = b"",
        line: bytes = b"POST %b HTTP/1.1",
        path: str = "",
        token: str = "",
    ) -> bytes:
        """A request to say something, with this between the head's first lines and its end."""
        target = path or f"/api/v1/messages/{self.talk}"
        bearer = b"Authorization: Bearer %b\r\n" % (token or self.ada.token).encode()
        first = line % target.encode() + b"\r\nHost: chat\r\n"
        return first + bearer + JSON + framing + b"\r\n" + body

    def say(self, words: str) -> bytes:
        """A clean request to say something."""
        body = orjson.dumps({"content": words})
        return self.post(b"Content-Length: %d\r\n" % len(body), body)

    @property
    def hidden(self) -> bytes:
        """What must not be heard."""
        return self.say("smuggled")

    async def check_refused(self, answer: bytes, *statuses: int) -> Json:
        """The one answer is a refusal in the envelope, nothing was said, and all goes on."""
        found = _answers(answer)
        assert [status for status, _ in found] in [[status] for status in statuses], answer[:500]
        assert found[0][1]["statusCode"] == found[0][0]
        await self.check_silence()
        return found[0][1]

    async def check_silence(self) -> None:
        """Nothing was said."""
        assert (await self.ada.get(f"/messages/{self.talk}"))["items"] == []


def _answers(stream: bytes) -> list[tuple[int, Json]]:
    """Status and JSON of each answer in a stream."""
    found = []
    while stream:
        head, _, rest = stream.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append((int(head.split()[1]), orjson.loads(rest[:length])))
        stream = rest[length:]
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The whole application, with short deadlines."""
    settings = settings_of(tmp_path_factory.mktemp("bad") / "data", rate_limit_auth=None)
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings))
        app = create_app(settings, services)
        server = await stack.enter_async_context(
            serving(app, http=Hasty)  # type: ignore[arg-type]  # Starlette's own types of ASGI
        )
        url = f"http://127.0.0.1:{server.port}"
        ada, bob = await stack.enter_async_context(signed_up(url, "Ada Raw", "Bob Raw"))
        talk = await ada.post("/conversations/direct", {"userId": bob.id})
        yield Stage(server, ada, bob.id, talk["id"])


async def test_what_is_hidden_could_be_heard(stage: Stage) -> None:
    """The second request is a good one: behind an honest first it is answered and acted upon."""
    group = await stage.ada.post("/conversations/group", {"name": "Tea", "memberIds": [stage.bob]})
    open_stage = replace(stage, talk=group["id"])
    peer = await stage.server.peer()
    await peer.send(open_stage.say("first") + open_stage.hidden)
    await peer.send(b"GET / HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n")
    answers = _answers(await peer.rest())
    found = (await stage.ada.get(f"/messages/{group['id']}"))["items"]

    assert [status for status, _ in answers] == [201, 201, 404]
    assert [each["content"] for each in found] == ["smuggled", "first"]


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 19\r\nContent-Length: 0\r\n",
        b"Content-Length: 19\r\nContent-Length: 19\r\n",
        b"Content-Length: 19, 19\r\n",
        b"Content-Length: 19\r\n" + CHUNKED,
        CHUNKED + b"Content-Length: 19\r\n",
        CHUNKED + CHUNKED,
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked;q=1\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 19\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: chunked\nContent-Length: 0\r\n",
        b"Content-Length : 17\r\n",
        b" Content-Length: 19\r\n",
        b"Content-Length: -19\r\n",
        b"Content-Length: +19\r\n",
        b"Content-Length: 0x13\r\n",
        b"Content-Length: 1_9\r\n",
        b"Content-Length: 19.0\r\n",
        b"Content-Length: 1 9\r\n",
        b"Content-Length: 18446744073709551635\r\n",
        b"Content-Length: \xd9\xa1\xd9\xa9\r\n",
        b"Content-Length:\r\n",
        b"X: a\r\n b\r\nContent-Length: 19\r\n",
        b"X: a\x00b\r\nContent-Length: 19\r\n",
        b"X: a\rContent-Length: 19\r\n",
        b"Content-Length: 19\n",
        b"Host: elsewhere\r\nContent-Length: 19\r\n",
        b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 19\r\n",
    ],
)
async def test_an_ambiguous_length_is_refused(stage: Stage, framing: bytes) -> None:
    """Where a body's end could be read in two ways the request is a 400, and the connection ends
    before whatever follows it."""
    body = orjson.dumps({"content": "first"})
    assert len(body) == 19
    answer = await stage.server.ask(stage.post(framing, body + stage.hidden))

    assert (await stage.check_refused(answer, 400))["code"] == "bad_request"


@pytest.mark.parametrize(
    "line",
    [
        b"post %b HTTP/1.1",
        b"POST %b HTTP/1.2",
        b"POST %b HTTP/2.0",
        b"POST %b HTTP/1.1 ",
        b"POST  %b HTTP/1.1",
        b"POST\t%b\tHTTP/1.1",
        b"POST %b",
        b" POST %b HTTP/1.1",
        b"POST %b\x00 HTTP/1.1",
        b"POST %b\xff HTTP/1.1",
        b"POST ftp://chat%b HTTP/1.1",
    ],
)
async def test_a_strange_first_line_is_refused(stage: Stage, line: bytes) -> None:
    """A first line that is not just method, target and version is a 400."""
    body = orjson.dumps({"content": "first"})
    framing = b"Content-Length: %d\r\n" % len(body)
    answer = await stage.server.ask(stage.post(framing, body + stage.hidden, line=line))

    await stage.check_refused(answer, 400)


async def test_bare_line_feeds_are_refused(stage: Stage) -> None:
    """A head whose lines end with LF alone is a 400, wherever the first of them is."""
    for count in (1, 3, -1):
        request = stage.say("first").replace(b"\r\n", b"\n", count)
        await stage.check_refused(await stage.server.ask(request + stage.hidden), 400)


@pytest.mark.parametrize(
    "chunks",
    [
        b"13\r\n%b\r\n",
        b"13\n%b\n0\n\n",
        b"0x13\r\n%b\r\n0\r\n\r\n",
        b"-13\r\n%b\r\n0\r\n\r\n",
        b"+13\r\n%b\r\n0\r\n\r\n",
        b"13 \r\n%b\r\n0\r\n\r\n",
        b" 13\r\n%b\r\n0\r\n\r\n",
        b"12\r\n%b\r\n0\r\n\r\n",
        b"14\r\n%b\r\n0\r\n\r\n",
        b"10000000000000013\r\n%b\r\n0\r\n\r\n",
        b"ffffffffffffffffffff\r\n%b\r\n0\r\n\r\n",
        b"13\r\n%b0\r\n\r\n",
        b"13\r\n%b\r\n0\r\nX\x00: y\r\n\r\n",
        b"13\r\n%b\r\n0\r\n X: y\r\n\r\n",
    ],
)
async def test_broken_chunks_are_refused(stage: Stage, chunks: bytes) -> None:
    """A body in chunks that are malformed, overflow or never end is refused whole."""
    body = chunks % orjson.dumps({"content": "first"})
    answer = await stage.server.ask(stage.post(CHUNKED, body + stage.hidden))

    await stage.check_refused(answer, 400, 408)


async def _two(peer: Peer, stage: Stage) -> list[int]:
    """The statuses of an answer and of that to an honest request after it."""
    await peer.send(b"GET /api/v1/health/live HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n")
    found = [status for status, _ in _answers(await peer.rest())]
    await stage.check_silence()
    return found


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"token": "forged"}, 401),
        ({"path": "/api/v1/nothing"}, 404),
        ({"path": "/api/v1/users/me/export"}, 405),
        ({}, 400),
    ],
)
async def test_a_refused_body_is_no_request(stage: Stage, change: Json, status: int) -> None:
    """The body of what was refused unread is skipped, even where it looks like a request, and the
    connection serves the next one."""
    length = b"Content-Length: %d\r\n" % len(stage.hidden)
    peer = await stage.server.peer()
    await peer.send(stage.post(length, stage.hidden, **change))

    assert await _two(peer, stage) == [status, 200]


async def test_too_long_a_body_is_not_read_on(stage: Stage) -> None:
    """Over 1 MiB, said beforehand or found in chunks without an end, the answer is a 413 at once;
    what is hidden in the rest is not heard, and a rest that does not come ends the connection."""
    padding = b" " * 65536
    said = stage.post(b"Content-Length: %d\r\n" % (2 * MEGABYTE)) + stage.hidden
    found = stage.post(CHUNKED) + (b"10000\r\n" + padding + b"\r\n") * 17
    found += b"%x\r\n%b\r\n" % (len(stage.hidden), stage.hidden)
    for request in (said, found):
        answer = await stage.server.ask(request)
        assert (await stage.check_refused(answer, 413))["code"] == "payload_too_large"


async def test_an_endless_body_is_hung_up_on(stage: Stage) -> None:
    """Who goes on sending after a 413 is read no longer than a moment."""
    peer = await stage.server.peer()
    await peer.send(stage.post(CHUNKED))
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer = asyncio.create_task(peer.rest())
    async with asyncio.timeout(PATIENCE):
        while not answer.done():
            peer.writer.write(piece)
            await asyncio.sleep(0.005)

    await stage.check_refused(await answer, 413)


@pytest.mark.parametrize(
    ("framing", "begin", "drip"),
    [
        (b"Content-Length: 1000\r\n", b'{"content": "half it', b"."),
        (CHUNKED, b'13\r\n{"content":"half it\r\n', b"1\r\n.\r\n"),
    ],
)
async def test_a_slow_body_has_a_deadline(
    stage: Stage, framing: bytes, begin: bytes, drip: bytes
) -> None:
    """A body that drips is ended in time, and what came of it is not acted upon."""
    peer = await stage.server.peer()
    await peer.send(stage.post(framing, begin))
    answer = asyncio.create_task(peer.rest())
    async with asyncio.timeout(PATIENCE):
        while not answer.done():
            peer.writer.write(drip)
            await asyncio.sleep(0.02)

    assert (await stage.check_refused(await answer, 408))["code"] == "request_timeout"


async def test_a_slow_head_has_a_deadline(stage: Stage) -> None:
    """A head that drips is a 408, however busily it does."""
    peer = await stage.server.peer()
    await peer.send(stage.say("first")[:60])
    answer = asyncio.create_task(peer.rest())
    async with asyncio.timeout(PATIENCE):
        while not answer.done():
            peer.writer.write(b"a")
            await asyncio.sleep(0.02)

    await stage.check_refused(await answer, 408)


@pytest.mark.parametrize(
    "fields",
    [
        b"X: " + b"a" * MEGABYTE + b"\r\n",
        b"X: y\r\n" * 10_000,
        b"a" * MEGABYTE + b": y\r\n",
        b"Cookie: refresh_token=" + b"a" * 65536 + b"\r\n",
    ],
    ids=["long", "many", "name", "cookie"],
)
async def test_a_large_head_is_refused(stage: Stage, fields: bytes) -> None:
    """A megabyte of head, in one field or in thousands, is a 431."""
    answer = await stage.server.ask(stage.post(fields) + stage.hidden)

    assert (await stage.check_refused(answer, 431))["code"] == "headers_too_large"


async def test_a_large_target_is_refused(stage: Stage) -> None:
    """10,000 parameters with names and values are more than a head may hold: a 431."""
    query = "&".join(f"name{number}=value{number}" for number in range(10_000))
    answer = await stage.server.ask(stage.post(path=f"/api/v1/auth/login?{query}") + stage.hidden)

    await stage.check_refused(answer, 431)


async def test_who_leaves_halfway_said_nothing(stage: Stage) -> None:
    """A body cut off by its sender's end, or by a reset, is not acted upon."""
    request = stage.say("first")
    for cut in (-1, -10, request.index(b"\r\n\r\n") + 4, 30):
        peer = await stage.server.peer()
        await peer.send(request[:cut])
        peer.writer.write_eof()
        await peer.gone()
        other = await stage.server.peer()
        await other.send(request[:cut])
        other.writer.transport.abort()
    await stage.check_silence()
