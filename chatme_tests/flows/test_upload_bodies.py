"""Uploads that lie, overflow, break off or hide something, against the real server."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
import pytest_asyncio

from chatme.uploads.wire import MAX_FILE_BYTES
from chatme_tests.client import User, signed_up
from chatme_tests.images.gallery import SECRET, photo, png
from chatme_tests.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE, IMAGE = "/upload/file", "/upload/image"
MEGABYTE = 1024 * 1024
OPENING = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
PAGE = b"<!doctype html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server over a fresh data folder."""
    with Server(tmp_path_factory.mktemp("uploads") / "data") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(server: Server) -> AsyncIterator[User]:
    """Somebody who uploads."""
    async with signed_up(server.url, "Ada") as (user,):
        yield user


async def send(user: User, path: str, content: bytes, name: str = "a.bin") -> httpx.Response:
    """Uploads a file."""
    return await user.http.post(path, files={"file": (name, content)})


async def fetch(server: Server, url: str, **headers: str) -> httpx.Response:
    """What anybody gets at an upload's address."""
    async with httpx.AsyncClient() as browser:
        return await browser.get(urljoin(server.url, url), headers=headers)


def kept(server: Server) -> set[str]:
    """The files that the server keeps, and those that are arriving."""
    return {
        each.name for folder in ("uploads", "incoming") for each in (server.data / folder).glob("*")
    }


def memory(server: Server, what: str) -> int:
    """The server's resident memory in KiB: now (``VmRSS``), or at its peak (``VmHWM``)."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = re.search(rf"{what}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


def memory_from_now(server: Server) -> int:
    """The server's resident memory; its peak begins anew."""
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")
    return memory(server, "VmRSS")


async def raw(server: Server, user: User, head: str, *pieces: bytes) -> tuple[int, int]:
    """The status of an upload by hand, and how many bytes of its body could be sent."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /api/v1{FILE} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {user.token}\r\n"
        f"Content-Type: multipart/form-data; boundary=B\r\n{head}\r\n\r\n".encode()
    )
    answer = asyncio.create_task(reader.readline())
    sent = 0
    try:
        for piece in pieces:
            if answer.done():
                break
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
        line = await asyncio.wait_for(answer, 20)
    finally:
        writer.close()
    return int(line.split()[1]), sent


async def test_twenty_megabytes_take_no_memory(server: Server, ada: User) -> None:
    """A file of the full size raises the server's memory by less than 2 MB, even for a moment."""
    content = os.urandom(MEGABYTE) * (MAX_FILE_BYTES // MEGABYTE)
    for _ in range(2):
        assert (await send(ada, FILE, content)).status_code == 201
    before = memory_from_now(server)
    answer = await send(ada, FILE, content)
    grown = memory(server, "VmHWM") - before

    assert answer.status_code == 201
    assert grown < 2048
    assert (await fetch(server, answer.json()["url"])).content == content


async def test_a_declared_length_is_refused_unread(server: Server, ada: User) -> None:
    """A body that is announced too large is refused before its client has sent any of it."""
    before = kept(server)
    for head in (f"Content-Length: {10**12}", f"Expect: 100-continue\r\nContent-Length: {10**9}"):
        assert await raw(server, ada, head) == (413, 0)

    assert kept(server) == before


async def test_a_body_without_a_length_is_not_read_on(server: Server, ada: User) -> None:
    """A body in chunks is refused at the limit, not at its end, and leaves nothing."""
    before = kept(server)
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    opening = b"%x\r\n%b\r\n" % (len(OPENING), OPENING)
    status, sent = await raw(
        server, ada, "Transfer-Encoding: chunked", opening, *[chunk] * (200 * 16)
    )

    assert status == 413
    assert MAX_FILE_BYTES < sent < MAX_FILE_BYTES + 40 * MEGABYTE
    assert kept(server) == before


async def test_a_form_that_lies_or_ends_too_soon_is_refused(server: Server, ada: User) -> None:
    """A length that is too short, a form without its end and a broken one are 400s."""
    before = kept(server)
    for length, body in (
        (len(OPENING) + 5, OPENING + b"x" * 5),
        (len(OPENING) + 6, OPENING + b"x\r\n--B--\r\n"),
        (9, b"x" * 9),
    ):
        status, _ = await raw(server, ada, f"Content-Length: {length}", body)
        assert status == 400

    assert kept(server) == before


async def test_a_client_that_goes_away_leaves_nothing(server: Server, ada: User) -> None:
    """A file of which half had come goes with its client."""
    before = kept(server)
    host, _, port = server.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /api/v1{FILE} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ada.token}\r\n"
        f"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {10**7}\r\n\r\n".encode()
    )
    writer.write(OPENING + b"x" * MEGABYTE)
    await until(lambda: len(kept(server)) > len(before))
    writer.close()
    await until(lambda: kept(server) == before)


async def until(true: Callable[[], bool]) -> None:
    """Waits until it is so; for ever never."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.01)


async def test_a_bomb_is_refused(ada: User) -> None:
    """A small PNG of a hundred thousand pixels each way is a 413 and is never unpacked."""
    bomb = png(100_000, 100_000, b"\0" * 10_000_000)
    answer = await send(ada, IMAGE, bomb, "bomb.png")

    assert len(bomb) < 20_000
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "content",
    [PAGE, SVG, SVG + photo("PNG"), photo("PNG")[:200], b"GIF89a" + PAGE, b"\xff\xd8\xff"],
)
async def test_what_is_no_picture_is_a_415(ada: User, content: bytes) -> None:
    """A page, a drawing with a script and a broken picture are no pictures, whatever their name."""
    answer = await send(ada, IMAGE, content, "picture.png")

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_a_picture_tells_nothing_else(server: Server, ada: User, kind: str) -> None:
    """Where a picture was taken, by whom, and what hangs behind it, nobody is told."""
    answer = await send(ada, IMAGE, photo(kind, orientation=6) + SECRET + PAGE, "../../x.html")
    shown = await fetch(server, answer.json()["url"])

    assert (answer.status_code, answer.json()["format"]) == (201, kind.lower())
    assert answer.json()["size"] == len(shown.content)
    assert shown.headers["content-type"] == f"image/{kind.lower()}"
    assert SECRET not in shown.content
    assert b"<script>" not in shown.content


@pytest.mark.parametrize(
    "content", [PAGE, SVG, b"alert(1)", b"%PDF-1.7 <script>", b"\0MZ"], ids=range(5)
)
async def test_what_is_uploaded_is_never_run(server: Server, ada: User, content: bytes) -> None:
    """Files that a browser could run are saved instead, and run in no case."""
    answer = await send(ada, FILE, content, "page.html")
    shown = await fetch(server, answer.json()["url"])

    assert shown.content == content
    assert shown.headers["content-type"].partition(";")[0] in (
        *("text/plain", "application/pdf", "application/octet-stream"),
    )
    assert shown.headers["content-disposition"] == 'attachment; filename="page.html"'
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in shown.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("x" * 4096 + ".txt", "x" * 251 + ".txt"),
        ("naïve ✓.txt", "naïve ✓.txt"),
        ("..", "file"),
    ],
)
async def test_a_name_leads_nowhere(ada: User, name: str, cleaned: str) -> None:
    """Names keep nothing of folders, hidden turns of the text, or more than 255 characters."""
    assert (await send(ada, FILE, b"hello", name)).json()["originalName"] == cleaned


async def test_a_file_is_served_in_parts_and_cached(server: Server, ada: User) -> None:
    """Players seek, and browsers ask whether they have the file already."""
    url = (await send(ada, FILE, bytes(range(256)) * 100)).json()["url"]
    part = await fetch(server, url, range="bytes=256-259")
    beyond = await fetch(server, url, range="bytes=99999-")
    again = await fetch(server, url, if_none_match=part.headers["etag"])
    known = await fetch(server, url, **{"if-none-match": part.headers["etag"]})

    assert (part.status_code, part.content) == (206, b"\0\1\2\3")
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
    assert (again.status_code, known.status_code) == (200, 304)
