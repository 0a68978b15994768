"""What every store of uploaded bytes promises, whether a folder or Cloudinary."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatme.ports import Blobs
from chatme.storage.blobs import LocalBlobs
from chatme.storage.cloudinary import CloudinaryBlobs
from chatme_tests.cloud import Cloud

IDS = "0123456789abcdef0123456789abcdef.png", "fedcba9876543210fedcba9876543210.pdf"


class Place:
    """A store, and what can be seen of it from outside."""

    def __init__(self, blobs: Blobs, folder: Path, cloud: Cloud) -> None:
        self.blobs = blobs
        self._folder = folder
        self._cloud = cloud

    def kept(self) -> list[bytes]:
        """The bytes of every file that is there."""
        here = [each for each in self._folder.glob("*") if not each.name.startswith(".")]
        return sorted([*self._cloud.files.values(), *(each.read_bytes() for each in here)])


@pytest.fixture(params=["folder", "cloudinary"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """An empty store of each kind."""
    folder = tmp_path / "uploads"
    with Cloud() as cloud:
        if request.param == "folder":
            yield Place(LocalBlobs(folder), folder, cloud)
            return
        blobs = CloudinaryBlobs(cloud.account)
        yield Place(blobs, folder, cloud)
        await blobs.aclose()


def draft(folder: Path, content: bytes) -> Path:
    """A file to be stored."""
    path = folder / "draft"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("size", [1, 100_000, 7_000_000])
async def test_a_file_is_taken_over(place: Place, tmp_path: Path, size: int) -> None:
    """Every byte is kept, at a URL that names the id, and the file given is gone."""
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    source = draft(tmp_path, content)
    url = await place.blobs.put(IDS[0], source, "image/png", "naïve ✓.png")

    assert place.kept() == [content]
    assert IDS[0] in url
    assert not source.exists()


async def test_files_are_told_apart(place: Place, tmp_path: Path) -> None:
    """Deleting one leaves the other."""
    urls = [
        await place.blobs.put(each, draft(tmp_path, each.encode()), "application/pdf", "a")
        for each in IDS
    ]
    await place.blobs.delete(IDS[0])

    assert len(set(urls)) == 2
    assert place.kept() == [IDS[1].encode()]


async def test_a_deletion_may_be_repeated(place: Place, tmp_path: Path) -> None:
    """What is not there, or no longer, is deleted without a word."""
    await place.blobs.delete(IDS[0])
    await place.blobs.put(IDS[0], draft(tmp_path, b"x"), "image/png", "a.png")
    await place.blobs.delete(IDS[0])
    await place.blobs.delete(IDS[0])

    assert place.kept() == []


async def test_an_upload_may_be_repeated(place: Place, tmp_path: Path) -> None:
    """A file that is put twice, as after a lost answer, is there once."""
    for _ in range(2):
        url = await place.blobs.put(IDS[1], draft(tmp_path, b"x"), "application/pdf", "a.pdf")

    assert place.kept() == [b"x"]
    assert url.endswith(IDS[1])
