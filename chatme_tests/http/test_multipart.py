"""Tests for uploads: one file, to the disk as it arrives, within its limit, and never left."""

from __future__ import annotations

import asyncio
import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from chatme.errors import (
    BadRequest,
    ChatMeError,
    FieldFault,
    Invalid,
    StorageFull,
    TooLarge,
    UnsupportedType,
)
from chatme.http.multipart import OVERHEAD, Draft, Received, Upload, receive
from chatme_tests.http.fakes import Stream, request

B = b"xYzZY"
FORM = ("content-type", f"multipart/form-data; boundary={B.decode()}")
UPLOAD = Upload("file", 1000)


def part(content: bytes, disposition: bytes = b'name="file"; filename="a.txt"') -> bytes:
    """One part of a form."""
    head = b"--" + B + b"\r\nContent-Disposition: form-data; " + disposition
    return head + b"\r\nContent-Type: image/png\r\n\r\n" + content + b"\r\n"


END = b"--" + B + b"--\r\n"


async def upload(
    folder: Path, *pieces: bytes, header: tuple[str, str] = FORM, limit: int = 1000
) -> tuple[str, bytes]:
    """What was received: its name and its bytes."""
    call = request(Stream(pieces), [header])
    async with receive(call, Upload("file", limit), folder) as received:
        content = received.path.read_bytes()
        assert received.size == len(content)
        assert received.path.parent == folder
        return received.name, content


def left(folder: Path) -> list[str]:
    """The files that are in a folder."""
    return [each.name for each in folder.glob("*")]


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
async def test_a_file_arrives(tmp_path: Path, size: int) -> None:
    """The file's bytes arrive as they are, however the body is cut, beside other fields."""
    content = b"\r\n--xYz\r\n--xYzZ" + bytes(range(256)) + b"\r\n--xYzZ"
    body = part(b"v", b'name="note"') + part(content) + part(b"w", b'name="file2"') + END
    pieces = [body[i : i + size] for i in range(0, len(body), size)]

    assert await upload(tmp_path / "new", *pieces) == ("a.txt", content)
    assert left(tmp_path / "new") == []


async def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Nobody else on the machine reads what was sent, and it is gone after the block."""
    call = request(Stream([part(b"x") + END]), [FORM])
    async with receive(call, UPLOAD, tmp_path / "new") as received:
        modes = received.path.stat().st_mode & 0o777, received.path.parent.stat().st_mode & 0o777

    assert modes == (0o600, 0o700)
    assert left(tmp_path / "new") == []


async def test_a_file_may_be_moved_away(tmp_path: Path) -> None:
    """Who takes the file over keeps it."""
    async with receive(request(Stream([part(b"x") + END]), [FORM]), UPLOAD, tmp_path) as received:
        received.path.rename(tmp_path / "kept")

    assert left(tmp_path) == ["kept"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "", "multipart/mixed; boundary=x", "multipart/form-datax; boundary=x"],
)
async def test_another_type_is_refused(tmp_path: Path, content_type: str) -> None:
    """A body that is no form is a 415, and is not read."""
    stream = Stream([part(b"x") + END])

    with pytest.raises(UnsupportedType):
        async with receive(request(stream, [("content-type", content_type)]), UPLOAD, tmp_path):
            pass
    assert stream.taken == 0


@pytest.mark.parametrize(
    "boundary", ["", "; boundary=", '; boundary=""', "; boundary=" + "x" * 71, "; boundary=a\xe9"]
)
async def test_a_bad_boundary_is_refused(tmp_path: Path, boundary: str) -> None:
    """A boundary that is missing, too long or of other characters is a 400."""
    with pytest.raises(BadRequest):
        await upload(tmp_path, END, header=("content-type", "multipart/form-data" + boundary))


async def test_a_quoted_boundary_is_read(tmp_path: Path) -> None:
    """A boundary may stand in quotes, beside other parameters."""
    header = ("content-type", f'Multipart/Form-Data; charset=utf-8; boundary="{B.decode()}"')

    assert await upload(tmp_path, part(b"x") + END, header=header) == ("a.txt", b"x")


async def test_the_limit_itself_is_allowed(tmp_path: Path) -> None:
    """A file of exactly the limit arrives, whatever its form adds."""
    content = b"x" * 1000
    call = part(b"y" * 60_000, b'name="note"') + part(content) + END

    assert (await upload(tmp_path, call))[1] == content


async def test_a_file_over_the_limit_is_not_read_on(tmp_path: Path) -> None:
    """A file that turns out too large is a 413, what follows is not read, nothing is left."""
    stream = Stream([part(b"x" * 1000)[:-2], b"y", *[b"z"] * 1000])

    with pytest.raises(TooLarge):
        async with receive(request(stream, [FORM]), UPLOAD, tmp_path):
            pass
    assert stream.taken == 2
    assert left(tmp_path) == []


async def test_a_declared_length_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    """A body that says that it is too large is a 413 before a byte of it is read."""
    stream = Stream([part(b"x") + END])
    length = ("content-length", str(UPLOAD.limit + OVERHEAD + 1))

    with pytest.raises(TooLarge):
        async with receive(request(stream, [FORM, length]), UPLOAD, tmp_path):
            pass
    assert stream.taken == 0


async def test_a_length_that_lies_is_no_way_around(tmp_path: Path) -> None:
    """A length that is too small lets nothing more through."""
    stream = Stream([part(b"x" * 1001), b"y"])

    with pytest.raises(TooLarge):
        async with receive(request(stream, [FORM, ("content-length", "5")]), UPLOAD, tmp_path):
            pass
    assert stream.taken == 1


@pytest.mark.parametrize(
    "flood",
    [
        part(b"y" * 1000, b'name="note"'),
        part(b"", b'name="note"'),
        b"\r\n" * 500,
        END + b"epilogue" * 100,
    ],
    ids=["fields", "empty fields", "line ends", "epilogue"],
)
async def test_what_surrounds_a_file_is_bounded(tmp_path: Path, flood: bytes) -> None:
    """Fields, parts and padding without end are a 413, and are not read on."""
    stream = Stream([flood] * 10_000)

    with pytest.raises(TooLarge):
        async with receive(request(stream, [FORM]), UPLOAD, tmp_path):
            pass
    assert stream.taken <= OVERHEAD // len(flood) + 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--",
        part(b"x"),
        part(b"x")[:-5],
        part(b"x") + END[:-4],
        part(b"x").partition(b"\r\n\r\n")[0],
        b"--other\r\n\r\n--other--\r\n",
        b"no form",
        b"--" + B + b"\r\n: no name\r\n\r\nx\r\n" + END,
        b"--" + B + b"\r\nBad\x00Name: x\r\n\r\nx\r\n" + END,
        b"--" + B + b"\r\n\r\nx\r\n" + END,
        b"--" + B + b'\r\nContent-Disposition: attachment; name="file"\r\n\r\nx\r\n' + END,
        b"--" + B + b"\r\n" + b"A: b\r\n" * 9 + b"\r\nx\r\n" + END,
        b"--" + B + b"\r\nA: " + b"b" * 30_000 + b"\r\n\r\nx\r\n" + END,
        part(b"eA==", b'name="file"; filename="a"\r\nContent-Transfer-Encoding: base64') + END,
    ],
    ids=range(15),
)
async def test_a_malformed_form_is_refused(tmp_path: Path, body: bytes) -> None:
    """A form that is cut short, or that is none, is a 400 and leaves nothing."""
    with pytest.raises(BadRequest):
        await upload(tmp_path, body)
    assert left(tmp_path) == []


async def test_a_client_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    """A body that breaks off is a 400 that nobody reads; its file is removed."""
    stream = Stream([part(b"x" * 900)[:-2]], breaks_off=True)

    with pytest.raises(BadRequest):
        async with receive(request(stream, [FORM]), UPLOAD, tmp_path):
            pass
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (END, "is missing: it must be a file"),
        (part(b"x", b'name="other"'), "is missing: it must be a file"),
        (part(b"x", b'name="file"'), "is missing: it must be a file"),
        (part(b""), "is empty"),
        (part(b"", b'name="file"; filename=""'), "is empty"),
        (part(b"x") + part(b"y"), "must be the form's only file"),
        (part(b"x", b'name="other"; filename="a"'), "must be the form's only file"),
        (part(b"x", b'filename="a"'), "must be the form's only file"),
    ],
)
async def test_a_form_without_its_one_file_is_invalid(
    tmp_path: Path, body: bytes, message: str
) -> None:
    """A field that is missing, empty or not the only file is a 422 that names it."""
    with pytest.raises(Invalid) as caught:
        await upload(tmp_path, body + END if body != END else END)

    assert caught.value.faults == (FieldFault("file", message),)
    assert left(tmp_path) == []


async def test_a_name_of_4000_characters_is_cut(tmp_path: Path) -> None:
    """A very long name in any script does not fail the upload."""
    body = part(b"x", b'name="file"; filename="' + ("好" * 4000).encode() + b'.png"') + END

    assert await upload(tmp_path, body) == ("好" * 251 + ".png", b"x")


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from([part(b"x")[:30], part(b"x"), END, B, b"--", b"\r\n", b'"', b";", b":"])
        | st.binary(max_size=40),
        max_size=12,
    )
)
async def test_any_bytes_are_received_or_refused(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    """Whatever bytes come, they hold a file or an error that can be told, and none is left."""
    folder = tmp_path_factory.getbasetemp() / "forms"
    try:
        await upload(folder, *pieces)
        status = 201
    except ChatMeError as error:
        status = error.status

    assert status in (201, 400, 422)
    assert left(folder) == []


async def test_a_cancelled_request_leaves_nothing(tmp_path: Path) -> None:
    """A request that is cancelled within its body takes its file with it."""
    waits, never = asyncio.Event(), asyncio.Event()
    pieces = iter([part(b"x" * 300_000)[:-2]])

    async def body() -> Message:
        piece = next(pieces, None)
        if piece is None:
            waits.set()
            await never.wait()
        return {"type": "http.request", "body": piece, "more_body": True}

    scope = {"type": "http", "headers": [tuple(word.encode() for word in FORM)]}

    async def take() -> None:
        async with receive(Request(scope, body), Upload("file", 10**6), tmp_path):
            pass

    task = asyncio.create_task(take())
    await waits.wait()
    there = left(tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(there) == 1
    assert left(tmp_path) == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk with so little room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """Where no room is left the answer is a 507, and what was written is removed."""
    with files_of_at_most(400_000), pytest.raises(StorageFull):
        await upload(tmp_path, *[part(b"x" * 900_000), END], limit=10**6)

    assert left(tmp_path) == []


async def test_a_fault_of_another_kind_is_ours(tmp_path: Path) -> None:
    """A folder that cannot be is no full disk."""
    (tmp_path / "file").touch()

    with pytest.raises(FileExistsError):
        await upload(tmp_path / "file", part(b"x") + END)


def test_what_is_written_late_is_lost(tmp_path: Path) -> None:
    """A thread that comes to write after its upload was given up leaves nothing."""
    draft = Draft(tmp_path)
    draft.discard()
    draft.write(b"late")
    draft.discard()

    assert left(tmp_path) == []


async def test_a_large_file_takes_no_memory(tmp_path: Path) -> None:
    """While 20 MB arrive, less than 2 MB are held at any time."""
    limit, piece = 20 * 1024 * 1024, 64 * 1024

    async def receive_all() -> Received:
        head, tail = part(b"").split(b"\r\n\r\n")[0] + b"\r\n\r\n", b"\r\n" + END
        pieces = (bytes(piece) for _ in range(limit // piece))
        call = request(Stream(body for group in ([head], pieces, [tail]) for body in group), [FORM])
        async with receive(call, Upload("file", limit), tmp_path) as received:
            return received

    await receive_all()
    tracemalloc.start()
    try:
        received = await receive_all()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert received.size == limit
    assert peak < 2 * 1024 * 1024
