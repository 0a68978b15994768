"""Tests for the store at Cloudinary: signed, in pieces, tried again, and within a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import cloudinary
import pytest

from chatme.errors import Unavailable
from chatme.storage.cloudinary import PIECE, CloudinaryBlobs, Patience
from chatme_tests.cloud import KEY, NAME, SECRET, Cloud, Fault
from chatme_tests.postbox import closed_port

HASTE = Patience(silence=5, whole=20, pauses=(0, 0))
ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """An empty Cloudinary."""
    with Cloud() as running:
        yield running


@pytest.fixture
async def blobs(cloud: Cloud) -> AsyncIterator[CloudinaryBlobs]:
    """A store there, in a hurry."""
    made = CloudinaryBlobs(cloud.account, HASTE)
    yield made
    await made.aclose()


def draft(folder: Path, content: bytes = b"hello") -> Path:
    """A file to be stored."""
    path = folder / "draft"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("public_id", "kind", "cloud_id"),
    [
        (f"{ID}.png", "image", ID),
        (f"{ID}.jpg", "image", ID),
        (f"{ID}.webp", "image", ID),
        (f"{ID}.gif", "image", ID),
        (f"{ID}.pdf", "raw", f"{ID}.pdf"),
        (f"{ID}.svg", "raw", f"{ID}.svg"),
        (ID, "raw", ID),
    ],
)
async def test_files_come_and_go(
    tmp_path: Path, cloud: Cloud, blobs: CloudinaryBlobs, public_id: str, kind: str, cloud_id: str
) -> None:
    """Pictures are kept as such, the rest as it is, and each is removed from where it was put."""
    url = await blobs.put(public_id, draft(tmp_path), "image/png", 'naïve & "co".png')
    kept = dict(cloud.files)
    await blobs.delete(public_id)

    assert kept == {(kind, cloud_id): b"hello"}
    assert url.startswith(f"https://res.cloudinary.com/{NAME}/{kind}/upload/v1/{cloud_id}")
    assert cloud.names[kind, cloud_id] == "naïve & %22co%22.png"
    assert cloud.files == {}


async def test_a_wrong_secret_is_refused(tmp_path: Path, cloud: Cloud) -> None:
    """What is signed with another secret is not taken, not tried again, and told as an absence."""
    stranger = CloudinaryBlobs(replace(cloud.account, api_secret="another"), HASTE)
    with pytest.raises(Unavailable):
        await stranger.put(ID, draft(tmp_path), "text/plain", "a.txt")
    with pytest.raises(Unavailable):
        await stranger.delete(ID)
    await stranger.aclose()

    assert (cloud.files, len(cloud.calls)) == ({}, 2)


async def test_a_large_file_goes_in_pieces(
    tmp_path: Path, cloud: Cloud, blobs: CloudinaryBlobs
) -> None:
    """No more than a piece of a file is in memory at a time, and the file arrives whole."""
    content = bytes(range(256)) * 60_000
    await blobs.put(ID, draft(tmp_path, content), "application/zip", "a.zip")

    assert cloud.files["raw", ID] == content
    assert cloud.largest == PIECE
    assert len(cloud.calls) == 3


@pytest.mark.parametrize("fault", ["500", "503", "busy", "page", "nonsense", "nowhere", "drop"])
async def test_a_passing_fault_is_outlived(
    tmp_path: Path, cloud: Cloud, blobs: CloudinaryBlobs, fault: Fault
) -> None:
    """What fails twice for a reason that may pass is tried a third time."""
    cloud.faults.extend([fault] * 2)
    await blobs.put(ID, draft(tmp_path), "text/plain", "a.txt")
    cloud.faults.extend([fault] * 2)
    await blobs.delete(ID)

    assert (cloud.files, len(cloud.calls)) == ({}, 6)


async def test_a_fault_within_a_large_file_begins_anew(
    tmp_path: Path, cloud: Cloud, blobs: CloudinaryBlobs
) -> None:
    """A file of which a piece was lost is sent again, whole."""
    content = b"x" * (PIECE + 1)
    source = draft(tmp_path, content)
    cloud.faults.append("500")
    await blobs.put(ID, source, "application/zip", "a.zip")

    assert cloud.files["raw", ID] == content


@pytest.mark.parametrize("fault", ["500", "page", "nonsense", "refused"])
async def test_a_lasting_fault_is_told(
    tmp_path: Path, cloud: Cloud, blobs: CloudinaryBlobs, fault: Fault
) -> None:
    """What goes on failing is a 503, and the file does not stay behind."""
    cloud.faults.extend([fault] * 3)
    source = draft(tmp_path)

    with pytest.raises(Unavailable) as caught:
        await blobs.put(ID, source, "text/plain", "a.txt")
    assert caught.value.retry_after == 30
    assert len(cloud.calls) == (1 if fault == "refused" else 3)
    assert not source.exists()


async def test_silence_is_outlived(tmp_path: Path, cloud: Cloud) -> None:
    """A Cloudinary that says nothing is left after a while, and tried again."""
    impatient = CloudinaryBlobs(cloud.account, replace(HASTE, silence=0.2))
    cloud.faults.append("hang")
    await impatient.put(ID, draft(tmp_path), "text/plain", "a.txt")
    await impatient.aclose()

    assert cloud.files["raw", ID] == b"hello"


async def test_no_one_waits_for_ever(tmp_path: Path, cloud: Cloud) -> None:
    """However long each attempt may take, all together end in time."""
    impatient = CloudinaryBlobs(cloud.account, replace(HASTE, silence=1, whole=0.1))
    cloud.faults.append("hang")
    source = draft(tmp_path)

    with pytest.raises(Unavailable):
        await impatient.put(ID, source, "text/plain", "a.txt")
    assert not source.exists()
    await impatient.aclose()


async def test_nobody_there_is_told(tmp_path: Path, cloud: Cloud) -> None:
    """Where nothing listens the answer is a 503."""
    where = f"http://127.0.0.1:{closed_port()}"
    blobs = CloudinaryBlobs(replace(cloud.account, api_url=where), HASTE)

    with pytest.raises(Unavailable):
        await blobs.put(ID, draft(tmp_path), "text/plain", "a.txt")
    await blobs.aclose()


async def test_a_file_that_is_not_gone_is_told(cloud: Cloud, blobs: CloudinaryBlobs) -> None:
    """What is there no more is gone; any other outcome than these is none."""
    await blobs.delete(ID)
    cloud.faults.extend(["nonsense"] * 3)

    with pytest.raises(Unavailable):
        await blobs.delete(ID)


async def test_the_sdk_s_own_settings_stay_untouched(
    tmp_path: Path, cloud: Cloud, blobs: CloudinaryBlobs
) -> None:
    """Two stores in one process do not get into each other's way."""
    other = CloudinaryBlobs(replace(cloud.account, cloud_name="other"), HASTE)
    with pytest.raises(Unavailable):
        await other.put(ID, draft(tmp_path), "text/plain", "a.txt")
    await asyncio.gather(blobs.put(ID, draft(tmp_path), "text/plain", "a.txt"), other.aclose())

    config = vars(cloudinary.config())
    assert not {NAME, KEY, SECRET, cloud.url} & {str(value) for value in config.values()}
    assert ("raw", ID) in cloud.files
