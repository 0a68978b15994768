"""Uploaded files as browsers get them: in parts, cached, and never run.

Whoever knows a file's name may have it; nobody can guess one. What people upload is shown only
where it is a picture, sound or film, and else saved; nothing is passed off as a page.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from chatme.errors import ChatMeError, Code, NotFound
from chatme.http.endpoint import Call, Endpoint
from chatme.http.replies import error_response
from chatme.ports import Shelf

SHOWN: Final = frozenset(
    f"{kind}/{name}"
    for kind, names in (
        ("image", "jpeg png webp gif"),
        ("audio", "aac amr flac mp4 mpeg ogg wav webm"),
        ("video", "mp4 ogg quicktime webm"),
    )
    for name in names.split()
)
"""What a browser may show by itself."""
SAVED: Final = frozenset(
    {
        "application/gzip",
        "application/pdf",
        "application/x-7z-compressed",
        "application/zip",
        "text/plain",
        "video/x-matroska",
    }
)
"""What is called by its name but saved; everything else is just bytes."""
BYTES: Final = "application/octet-stream"

_HEADERS: Final = {
    # A name is never given to other bytes; what is deleted is forgotten within a day.
    "Cache-Control": "private, max-age=86400, immutable",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    # Our pages may live on another site, and the name is the key.
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE | re.ASCII)


class RangeNotSatisfiable(ChatMeError):
    """The file ends before what is asked for (RFC 9110, 15.5.17)."""

    status = 416
    code = Code.RANGE_NOT_SATISFIABLE
    message = "The file ends before that."


class UploadedFile(FileResponse):
    """A file, whole or one part of it; several parts, or senseless ones, are answered by all."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it; a 404 where it was deleted since it was found.

        It is held open meanwhile, so that a deletion breaks no answer that has begun.
        """
        try:
            held = await asyncio.to_thread(open, self.path, "rb")
        except FileNotFoundError:
            await error_response(NotFound(), scope)(scope, receive, send)
            return
        with held:
            self.path = f"/dev/fd/{held.fileno()}"
            await self._send(scope, receive, send)

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope)
        size = int(self.headers["content-length"])
        start = first_byte(asked.get("range", ""), size) if scope["method"] == "GET" else None
        if start is None or not self._is_what_is_known(asked):
            fields = [(name, value) for name, value in scope["headers"] if name != b"range"]
            await super().__call__({**scope, "headers": fields}, receive, send)
        elif start < size:
            await super().__call__(scope, receive, send)
        else:
            extra = {"Content-Range": f"bytes */{size}"}
            await error_response(RangeNotSatisfiable(), scope, extra)(scope, receive, send)

    def _is_what_is_known(self, asked: Headers) -> bool:
        """Whether a part fits to what the browser has already (RFC 9110, 13.1.5)."""
        tags = self.headers["etag"], self.headers["last-modified"]
        return asked.get("if-range", tags[0]) in tags


async def serve(shelf: Shelf, call: Call) -> Response:
    """A file that somebody uploaded."""
    name = call.request.path_params["name"]
    stored = await shelf.find(name)
    if stored is None:
        raise NotFound
    headers = {**_HEADERS, "ETag": f'"{name}"'}
    known = stored.media_type in SHOWN | SAVED
    file = UploadedFile(
        stored.path,
        headers=headers,
        media_type=stored.media_type if known else BYTES,
        filename=stored.name,
        stat_result=stored.stat,
        content_disposition_type="inline" if stored.media_type in SHOWN else "attachment",
    )
    if _is_known(call.request.headers, file.headers):
        return Response(status_code=304, headers=headers)
    return file


def first_byte(field: str, size: int) -> int | None:
    """Where the one part begins that a ``Range`` asks for; nothing where it asks otherwise."""
    match = _RANGE.fullmatch(field)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        # The last so many bytes, of which there may be fewer, but not none.
        return max(0, size - int(last)) if last else None
    return None if last and int(last) < int(first) else int(first)


def _is_known(asked: Headers, has: Headers) -> bool:
    """Whether the browser has the file (RFC 9110, 13.1.2 and 13.1.3)."""
    tags = asked.getlist("if-none-match")
    if not tags:
        return asked.get("if-modified-since") == has["last-modified"]
    known = ",".join(tags).split(",")
    return any(each.strip().removeprefix("W/") in (has["etag"], "*") for each in known)


ROUTES = (
    Endpoint(
        "GET",
        "/uploads/{name}",
        serve,
        public=True,
        codes=(Code.RANGE_NOT_SATISFIABLE,),
        headers=("ETag", "Content-Disposition"),
        also=(206, 304),
        media="*/*",
    ),
)
