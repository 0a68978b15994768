"""Uploads to a Cloudinary, from the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from chatme_tests.client import User, signed_up
from chatme_tests.cloud import KEY, NAME, SECRET, Cloud, Fault
from chatme_tests.images.gallery import SECRET as TOLD
from chatme_tests.images.gallery import photo
from chatme_tests.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """An empty Cloudinary."""
    with Cloud() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Iterator[Server]:
    """A server with an account there."""
    settings = {
        "CLOUDINARY_CLOUD_NAME": NAME,
        "CLOUDINARY_API_KEY": KEY,
        "CLOUDINARY_API_SECRET": SECRET,
        "CLOUDINARY_API_URL": cloud.url,
    }
    with Server(tmp_path_factory.mktemp("cloud") / "data", settings) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(server: Server) -> AsyncIterator[User]:
    """Somebody who uploads."""
    async with signed_up(server.url, "Ada") as (user,):
        yield user


async def send(user: User, kind: str, content: bytes) -> httpx.Response:
    """Uploads a file."""
    return await user.http.post(f"/upload/{kind}", files={"file": ("a.txt", content)})


async def test_uploads_go_to_the_cloud(server: Server, cloud: Cloud, ada: User) -> None:
    """Signed, stripped, at the address that Cloudinary gives; nothing stays on this machine."""
    picture = (await send(ada, "image", photo("PNG"))).json()
    large = b"0123456789abcdef" * 1_000_000
    file = (await send(ada, "file", large)).json()
    stem = picture["publicId"].removesuffix(".png")

    assert picture["url"] == f"https://res.cloudinary.com/{NAME}/image/upload/v1/{stem}.png"
    assert TOLD not in cloud.files["image", stem]
    assert len(cloud.files["image", stem]) == picture["size"]
    assert cloud.files["raw", file["publicId"]] == large
    assert file["url"] == f"https://res.cloudinary.com/{NAME}/raw/upload/v1/{file['publicId']}"
    assert not any((server.data / "incoming").iterdir())
    assert not (server.data / "uploads").exists()


async def test_a_cloud_that_stumbles_is_outlived(cloud: Cloud, ada: User) -> None:
    """What fails once is tried again; the caller sees nothing of it."""
    faults: tuple[Fault, ...] = ("500", "drop")
    for fault in faults:
        cloud.faults.append(fault)
        assert (await send(ada, "file", b"hello")).status_code == 201


async def test_a_cloud_that_fails_is_told(server: Server, cloud: Cloud, ada: User) -> None:
    """Where it goes on failing the answer is a 503, in words that show nothing of it."""
    before = dict(cloud.files)
    cloud.faults.extend(["page"] * 3)
    answer = await send(ada, "file", b"hello")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "30"
    assert "cloudinary" not in answer.text.lower()
    assert SECRET not in server.read_log()
    assert cloud.files == before
    assert not any((server.data / "incoming").iterdir())
