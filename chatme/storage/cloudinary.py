"""Uploaded bytes at Cloudinary, through its SDK, which blocks: in threads of its own.

The SDK reads whole files into memory; here it gets them in pieces. Its global settings, which it
takes from the environment, are not used: everything is said with each call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from cloudinary import uploader
from cloudinary.exceptions import AuthorizationRequired, BadRequest, Error, NotAllowed, NotFound

from chatme.errors import Unavailable

log = structlog.stdlib.get_logger("chatme.storage.cloudinary")

PIECE: Final = 6_000_000
"""Cloudinary takes no smaller piece than 5 MB, but for the last."""
THREADS: Final = 4

_PICTURES = frozenset({"jpg", "jpeg", "png", "webp", "gif"})
_FINAL = (AuthorizationRequired, BadRequest, NotAllowed, NotFound)


@dataclass(frozen=True, slots=True)
class CloudinaryAccount:
    """Whose files they are at Cloudinary, and where Cloudinary is."""

    cloud_name: str
    api_key: str
    api_secret: str
    api_url: str


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for one silence of Cloudinary's, for all attempts, and between them."""

    silence: float = 20.0
    whole: float = 90.0
    pauses: tuple[float, ...] = (0.5, 2.0)


PATIENCE = Patience()


class CloudinaryBlobs:
    """A store at Cloudinary; lives as long as the app; close it."""

    def __init__(self, account: CloudinaryAccount, patience: Patience = PATIENCE) -> None:
        self._options: Mapping[str, Any] = {
            "cloud_name": account.cloud_name,
            "api_key": account.api_key,
            "api_secret": account.api_secret,
            "upload_prefix": account.api_url,
            "timeout": patience.silence,
            "oauth_token": None,
            "signature_algorithm": "sha1",
            "signature_version": 2,
        }
        self._patience = patience
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="cloudinary")

    async def aclose(self) -> None:
        """Ends the threads, after what they are at."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)

    async def put(self, public_id: str, source: Path, media_type: str, name: str) -> str:
        """Sends the file up; the URL that Cloudinary gives it.

        Cloudinary tells the type by the id's ending, so ``media_type`` is not sent.
        """
        kind, cloud_id = _place(public_id)

        def send() -> str:
            with source.open("rb") as file, _sensible():
                answer = uploader.upload_large(
                    file,
                    **self._options,
                    public_id=cloud_id,
                    resource_type=kind,
                    filename=name,
                    chunk_size=PIECE,
                )
            return _url(answer)

        try:
            return await self._insist(send)
        finally:
            await asyncio.shield(asyncio.to_thread(source.unlink, missing_ok=True))

    async def delete(self, public_id: str) -> None:
        """Removes the file from Cloudinary and its caches, if there is one."""
        kind, cloud_id = _place(public_id)

        def remove() -> str:
            options = {**self._options, "resource_type": kind, "invalidate": True}
            with _sensible():
                return _outcome(uploader.destroy(cloud_id, **options))

        await self._insist(remove)

    async def _insist(self, work: Callable[[], str]) -> str:
        """Does it, again where the fault may pass; raises `Unavailable`."""
        loop = asyncio.get_running_loop()
        pauses = iter(self._patience.pauses)
        try:
            async with asyncio.timeout(self._patience.whole):
                while True:
                    try:
                        return await loop.run_in_executor(self._threads, work)
                    except Error as error:
                        pause = next(pauses, None)
                        if pause is None or isinstance(error, _FINAL):
                            raise _away(str(error)) from None
                        log.info("Cloudinary is tried again", fault=str(error)[:200])
                    await asyncio.sleep(pause)
        except TimeoutError:
            raise _away("it took too long") from None


def _place(public_id: str) -> tuple[str, str]:
    """The kind and the id under which a file is kept; Cloudinary adds a picture's ending itself."""
    stem, _, ending = public_id.rpartition(".")
    return ("image", stem) if stem and ending in _PICTURES else ("raw", public_id)


@contextmanager
def _sensible() -> Iterator[None]:
    """The SDK trips over JSON that is not as it expects: that, too, may pass."""
    try:
        yield
    except (AttributeError, LookupError, TypeError):
        raise Error("the answer makes no sense") from None


def _url(answer: object) -> str:
    url = answer.get("secure_url") if isinstance(answer, dict) else None
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise Error("the answer holds no address")
    return url


def _outcome(answer: object) -> str:
    outcome = answer.get("result") if isinstance(answer, dict) else None
    if outcome not in ("ok", "not found"):
        raise Error("the file may still be there")
    return str(outcome)


def _away(fault: str) -> Unavailable:
    log.warning("Cloudinary does not do what it should", fault=fault[:200])
    return Unavailable("Files cannot be stored for the moment.", retry_after=30)
