"""Tests for the folder of uploaded files: whole or not at all, and nobody else's."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatme.errors import StorageFull
from chatme.storage.blobs import LocalBlobs, open_stores
from chatme_tests.cloud import KEY, NAME, SECRET, Cloud
from chatme_tests.fakes import settings_of

ID, NEW = "0123456789abcdef0123456789abcdef.png", "fedcba9876543210fedcba9876543210.txt"


def draft(folder: Path, content: bytes = b"hello") -> Path:
    """A file to be stored."""
    path = folder / "draft"
    path.write_bytes(content)
    return path


async def test_a_file_is_kept_with_what_was_said_of_it(tmp_path: Path) -> None:
    """What is put in is found, with its type and name, at the URL that was given."""
    blobs = LocalBlobs(tmp_path / "uploads", "https://chat.example.org")
    source = draft(tmp_path)
    url = await blobs.put(ID, source, "image/png", "naïve.png")
    found = await blobs.find(ID)

    assert url == f"https://chat.example.org/uploads/{ID}"
    assert found is not None
    assert (found.path.read_bytes(), found.stat.st_size) == (b"hello", 5)
    assert (found.media_type, found.name) == ("image/png", "naïve.png")
    assert not source.exists()


async def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Nobody else on the machine reads what was uploaded."""
    source = draft(tmp_path)
    source.chmod(0o644)
    await LocalBlobs(tmp_path / "uploads").put(ID, source, "image/png", "a.png")
    modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "uploads").iterdir()}

    assert modes == {ID: 0o600, f".{ID}.json": 0o600}
    assert (tmp_path / "uploads").stat().st_mode & 0o777 == 0o700


async def test_what_is_deleted_is_gone(tmp_path: Path) -> None:
    """Nothing of a deleted file stays, and deleting it again is nothing new."""
    blobs = LocalBlobs(tmp_path / "uploads")
    await blobs.delete(ID)
    await blobs.put(ID, draft(tmp_path), "image/png", "a.png")
    await blobs.delete(ID)
    await blobs.delete(ID)

    assert await blobs.find(ID) is None
    assert list((tmp_path / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../secret", "/etc/passwd", f"../uploads/{ID}", f"{ID}/", f".{ID}.json"),
        *(f"{ID}\0", f"a\0{ID}", f"{ID}\n", "x" * 5000, "short.png", f"{ID}.png", "é" * 32),
    ],
)
async def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    """What is no id finds nothing, removes nothing and is not written."""
    (tmp_path / "secret").write_text("x")
    blobs = LocalBlobs(tmp_path / "uploads")
    await blobs.put(ID, draft(tmp_path), "image/png", "a.png")
    await blobs.delete(name)

    assert await blobs.find(name) is None
    with pytest.raises(ValueError, match="not an id"):
        await blobs.put(name, draft(tmp_path), "image/png", "a.png")
    assert (tmp_path / "secret").exists()
    assert await blobs.find(ID) is not None


@given(st.text(max_size=60) | st.from_regex(r"[./a-f0-9\x00-]{0,40}"))
async def test_any_name_finds_nothing(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever is asked for, what is not there is nothing."""
    assert await LocalBlobs(tmp_path_factory.getbasetemp()).find(name) is None


async def test_a_file_without_what_was_said_of_it_is_not_served(tmp_path: Path) -> None:
    """What a crash left half removed is not found, and can still be removed."""
    blobs = LocalBlobs(tmp_path / "uploads")
    await blobs.put(ID, draft(tmp_path), "image/png", "a.png")
    (tmp_path / "uploads" / f".{ID}.json").unlink()
    found = await blobs.find(ID)
    await blobs.delete(ID)

    assert found is None
    assert list((tmp_path / "uploads").iterdir()) == []


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
    """Where no room is left the answer is a 507, and nothing stays behind."""
    blobs, source = LocalBlobs(tmp_path / "uploads"), draft(tmp_path)

    with files_of_at_most(10), pytest.raises(StorageFull):
        await blobs.put(ID, source, "image/png", "a.png")
    assert not source.exists()
    assert list((tmp_path / "uploads").iterdir()) == []


async def test_a_fault_of_another_kind_is_ours(tmp_path: Path) -> None:
    """A file that is not there is no full disk, and leaves nothing either."""
    blobs = LocalBlobs(tmp_path / "uploads")

    with pytest.raises(FileNotFoundError):
        await blobs.put(ID, tmp_path / "missing", "image/png", "a.png")
    assert os.listdir(tmp_path / "uploads") == []


@pytest.mark.parametrize(
    ("settings", "base"),
    [
        ({}, ""),
        ({"port": 3000}, "http://127.0.0.1:3000"),
        ({"port": 3000, "host": "::1"}, "http://[::1]:3000"),
        ({"port": 3000, "host": "0.0.0.0"}, "http://localhost:3000"),  # noqa: S104 -- not bound
        ({"port": 3000, "host": "::"}, "http://localhost:3000"),
        ({"port": 3000, "public_url": "https://chat.example.org"}, "https://chat.example.org"),
        (
            {"port": 3000, "app_env": "production", "password_cost": 12}
            | {"jwt_secret": "a" * 32, "jwt_refresh_secret": "b" * 32},
            "",
        ),
    ],
)
async def test_urls_lead_here(tmp_path: Path, settings: dict[str, object], base: str) -> None:
    """A URL begins with PUBLIC_URL, in development with where the server listens, else it is
    relative."""
    async with open_stores(settings_of(tmp_path / "data", **settings)) as stores:
        url = await stores.blobs.put(ID, draft(tmp_path), "image/png", "a.png")
        assert await stores.shelf.find(ID) is not None

    assert url == f"{base}/uploads/{ID}"
    assert (tmp_path / "data" / "uploads" / ID).exists()


async def test_cloudinary_takes_over_where_it_is_set(tmp_path: Path) -> None:
    """With an account new files go to Cloudinary; old ones are served until they are removed."""
    before = LocalBlobs(tmp_path / "data" / "uploads")
    await before.put(ID, draft(tmp_path), "image/png", "a.png")
    with Cloud() as cloud:
        settings = settings_of(
            tmp_path / "data",
            cloudinary_cloud_name=NAME,
            cloudinary_api_key=KEY,
            cloudinary_api_secret=SECRET,
            cloudinary_api_url=cloud.url,
        )
        async with open_stores(settings) as stores:
            url = await stores.blobs.put(NEW, draft(tmp_path), "text/plain", "a.txt")
            there = dict(cloud.files)
            served = await stores.shelf.find(ID)
            for each in (ID, NEW):
                await stores.blobs.delete(each)
            left = await stores.shelf.find(ID)

    assert url.startswith("https://res.cloudinary.com/")
    assert there == {("raw", NEW): b"hello"}
    assert served is not None
    assert (left, cloud.files) == (None, {})
