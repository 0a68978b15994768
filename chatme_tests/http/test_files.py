"""Tests for uploaded files: in parts, cached, never run, and nobody else's."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import Message

from chatme.http.endpoint import bind
from chatme.http.files import ROUTES, SAVED, SHOWN, UploadedFile, first_byte
from chatme.http.middleware import SecurityHeaders
from chatme.ports import StoredFile
from chatme_tests.http.fakes import Doorkeeper, ask

NAME = "0123456789abcdef0123456789abcdef.png"
TAG = f'"{NAME}"'
CONTENT = bytes(range(256)) * 1000


class OneFile:
    """A shelf with one file."""

    def __init__(self, path: Path, media_type: str, name: str) -> None:
        path.write_bytes(CONTENT)
        self._stored = StoredFile(path, path.stat(), media_type, name)
        self.modified = formatdate(path.stat().st_mtime, usegmt=True)

    async def find(self, public_id: str) -> StoredFile | None:
        """The file, by its one name."""
        return self._stored if public_id == NAME else None


async def get(
    folder: Path,
    path: str = f"/uploads/{NAME}",
    method: str = "GET",
    media_type: str = "image/png",
    name: str = "a.png",
    **headers: str,
) -> httpx.Response:
    """What a browser gets."""
    shelf = OneFile(folder / "file", media_type, name)
    app = Starlette(
        routes=bind([(ROUTES, shelf)], Doorkeeper()),
        middleware=[Middleware(SecurityHeaders, production=False)],
    )
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await ask(app, method, path, headers=named)


async def test_a_file_is_served(tmp_path: Path) -> None:
    """The bytes come with their type, and everything that keeps a browser from running them."""
    answer = await get(tmp_path)

    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == TAG
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cache-control"] == "private, max-age=86400, immutable"
    assert answer.headers["content-disposition"] == 'inline; filename="a.png"'
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"sandbox", "default-src 'none'"} <= set(policy)


async def test_a_head_tells_the_same(tmp_path: Path) -> None:
    """HEAD answers as GET does, without the bytes, and knows no parts."""
    whole = await get(tmp_path)
    answer = await get(tmp_path, method="HEAD", range="bytes=0-4")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers == whole.headers


@pytest.mark.parametrize(
    "path", ["/uploads/x", "/uploads/", "/uploads/..%2Fdata", "/uploads/%00", f"/uploads/{NAME}/x"]
)
async def test_what_is_not_there_is_a_404(tmp_path: Path, path: str) -> None:
    """A name of no file is a 404, whatever it looks like."""
    assert (await get(tmp_path, path)).status_code == 404


async def test_a_404_comes_in_the_envelope(tmp_path: Path) -> None:
    """A missing file is told as any other missing thing."""
    assert (await get(tmp_path, "/uploads/x")).json()["code"] == "not_found"
    assert (await get(tmp_path, method="POST")).json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("media_type", "content_type", "disposition"),
    [
        *((kind, kind, "inline") for kind in sorted(SHOWN)),
        *((kind, kind, "attachment") for kind in sorted(SAVED - {"text/plain"})),
        ("text/plain", "text/plain; charset=utf-8", "attachment"),
        ("text/html", "application/octet-stream", "attachment"),
        ("image/svg+xml", "application/octet-stream", "attachment"),
        ("application/xhtml+xml", "application/octet-stream", "attachment"),
        ("text/javascript", "application/octet-stream", "attachment"),
        ("image/png; x=text/html", "application/octet-stream", "attachment"),
        ("", "application/octet-stream", "attachment"),
    ],
)
async def test_only_what_is_safe_is_shown(
    tmp_path: Path, media_type: str, content_type: str, disposition: str
) -> None:
    """Pictures, sound and film are shown, the rest is saved, and a page is no page."""
    answer = await get(tmp_path, media_type=media_type, name="a.html")

    assert answer.headers["content-type"] == content_type
    assert answer.headers["content-disposition"].partition(";")[0] == disposition


@pytest.mark.parametrize("name", ["naïve 日本.pdf", 'a"b\\c.pdf', "a;b=c%41.pdf", "👍" * 255])
async def test_any_name_is_passed_on(tmp_path: Path, name: str) -> None:
    """The name under which a file was uploaded is that under which it is saved (RFC 8187)."""
    answer = await get(tmp_path, media_type="application/pdf", name=name)
    kind, _, given = answer.headers["content-disposition"].partition("; filename*=utf-8''")

    assert (kind, unquote(given)) == ("attachment", name)


@pytest.mark.parametrize(
    ("field", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=255999-", 255_999, 256_000),
        ("bytes=100-999999", 100, 256_000),
        ("bytes=-5", 255_995, 256_000),
        ("bytes=-999999", 0, 256_000),
        ("Bytes= 7-8 ", 7, 9),
        ("bytes=65530-200000", 65_530, 200_001),
    ],
)
async def test_a_part_is_served(tmp_path: Path, field: str, start: int, end: int) -> None:
    """One part is a 206 that says which."""
    answer = await get(tmp_path, range=field)

    assert (answer.status_code, answer.content) == (206, CONTENT[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/256000"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize(
    "field",
    [
        *("", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=--5", "bytes=0--5"),
        *("bytes=1_0-", "bytes=+5-9", "items=0-4", "bytes=0-1,5-6", "bytes=" + "0-1," * 999),
        *("bytes=" + "9" * 5000 + "-", "0-4"),
    ],
)
async def test_a_senseless_range_is_ignored(tmp_path: Path, field: str) -> None:
    """Ranges that make no sense, or ask for several parts, are answered by the whole."""
    answer = await get(tmp_path, range=field)

    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("field", ["bytes=256000-", "bytes=999999-9999999", "bytes=-0"])
async def test_a_part_beyond_the_end_is_refused(tmp_path: Path, field: str) -> None:
    """What lies behind the end is a 416 in the envelope, which tells the size."""
    answer = await get(tmp_path, range=field)

    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == "bytes */256000"


async def test_a_part_of_something_else_is_not_served(tmp_path: Path) -> None:
    """Who has another file's beginning gets the whole, never a part that does not fit."""
    same = await get(tmp_path, range="bytes=5-9", if_range=TAG)
    modified = OneFile(tmp_path / "file", "image/png", "a.png").modified
    dated = await get(tmp_path, range="bytes=5-9", if_range=modified)
    other = await get(tmp_path, range="bytes=5-9", if_range='"other"')
    weak = await get(tmp_path, range="bytes=999999-", if_range="W/" + TAG)

    assert [each.status_code for each in (same, dated, other, weak)] == [206, 206, 200, 200]


@pytest.mark.parametrize("known", [TAG, "W/" + TAG, "*", f'"a", {TAG}', f'"a",W/{TAG} '])
async def test_a_known_file_is_not_sent_again(tmp_path: Path, known: str) -> None:
    """Who has the file is told so, and nothing more."""
    answer = await get(tmp_path, if_none_match=known, range="bytes=0-1")

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == TAG
    assert "content-type" not in answer.headers


async def test_a_file_of_that_date_is_not_sent_again(tmp_path: Path) -> None:
    """Who knows only the date is told so too; a name that is told counts before it."""
    modified = OneFile(tmp_path / "file", "image/png", "a.png").modified
    dated = await get(tmp_path, if_modified_since=modified)
    named = await get(tmp_path, if_modified_since=modified, if_none_match='"other"')
    earlier = await get(tmp_path, if_modified_since="Thu, 01 Jan 1970 00:00:00 GMT")

    assert [each.status_code for each in (dated, named, earlier)] == [304, 200, 200]


async def test_an_unknown_file_is_sent(tmp_path: Path) -> None:
    """Who has something else gets the file."""
    assert (await get(tmp_path, if_none_match='"a", "b"')).status_code == 200


class Losing(OneFile):
    """A shelf whose file is deleted as soon as it was found."""

    async def find(self, public_id: str) -> StoredFile | None:
        """What was there a moment ago."""
        stored = await super().find(public_id)
        if stored is not None:
            stored.path.unlink()
        return stored


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_file_that_goes_before_its_answer_is_a_404(tmp_path: Path, method: str) -> None:
    """A deletion between the look-up and the answer makes a clean answer, not a broken one."""
    shelf = Losing(tmp_path / "file", "image/png", "a.png")
    app = Starlette(routes=bind([(ROUTES, shelf)], Doorkeeper()))

    assert (await ask(app, method, f"/uploads/{NAME}")).status_code == 404


@pytest.mark.parametrize("part", [None, b"bytes=1000-99999"])
async def test_a_file_that_goes_during_its_answer_is_sent_whole(
    tmp_path: Path, part: bytes | None
) -> None:
    """What was announced arrives to its last byte, deleted or not."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    fields = [(b"range", part)] if part else []
    scope = {"type": "http", "method": "GET", "headers": fields, "asgi": {"spec_version": "2.4"}}
    arrived = bytearray()

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        path.unlink(missing_ok=True)
        arrived.extend(message.get("body", b""))

    await UploadedFile(path, stat_result=path.stat())(scope, receive, send)

    assert not path.exists()
    assert arrived == (CONTENT[1000:100_000] if part else CONTENT)


@given(st.text("bytes=-0123456789, ", max_size=20), st.integers(1, 1000))
def test_any_range_begins_somewhere_or_nowhere(field: str, size: int) -> None:
    """Whatever is asked for, a part never begins before the file."""
    start = first_byte(field, size)

    assert start is None or start >= 0
