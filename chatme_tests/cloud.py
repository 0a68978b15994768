"""A Cloudinary on this machine: it checks signatures as the real one does, keeps files, and fails
when it is told to."""

from __future__ import annotations

import json
import re
from collections import deque
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, Literal, Self

from chatme.storage.cloudinary import CloudinaryAccount

NAME, KEY, SECRET = "a-cloud", "123456789", "a-secret-of-the-cloud"
UNSIGNED = ("file", "signature", "api_key", "cloud_name", "resource_type")

Fault = Literal["500", "503", "busy", "refused", "page", "nonsense", "nowhere", "hang", "drop"]

_ANSWERS = {
    "500": (500, b'{"error": {"message": "a fault"}}'),
    "503": (503, b'{"error": {"message": "a fault"}}'),
    "busy": (420, b'{"error": {"message": "too much"}}'),
    "refused": (401, b'{"error": {"message": "unknown api_key"}}'),
    "page": (502, b"<html>Bad Gateway</html>"),
    "nonsense": (200, b'["nonsense"]'),
    "nowhere": (200, b'{"public_id": "x", "secure_url": null}'),
}


class Cloud:
    """`with` it. ``files`` are what it keeps by kind and id, ``faults`` what it answers first."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], bytes] = {}
        self.names: dict[tuple[str, str], str] = {}
        self.faults: deque[Fault] = deque(maxlen=100)
        self.calls: list[str] = []
        self.largest = 0
        self._pieces: dict[str, bytes] = {}
        self._over = Event()
        cloud = self

        class Handler(_Handler):
            """Answers for this cloud."""

            def do_POST(self) -> None:
                """An upload or a removal."""
                self.answer(cloud)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def account(self) -> CloudinaryAccount:
        """A customer of this cloud."""
        return CloudinaryAccount(NAME, KEY, SECRET, self.url)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Says nothing until the test is over."""
        self._over.wait(30)

    def work(
        self, path: str, fields: dict[str, str], file: bytes, headers: Any
    ) -> tuple[int, dict[str, Any]]:
        """One call; its status and answer."""
        match = re.fullmatch(rf"/v1_1/{NAME}/(image|raw|video)/(upload|destroy)", path)
        if match is None:
            return 404, {"error": {"message": "no such path"}}
        if fields.get("api_key") != KEY or fields.get("signature") != signature(fields):
            return 401, {"error": {"message": "Invalid Signature"}}
        key = match[1], fields["public_id"]
        if match[2] == "destroy":
            return 200, {"result": "ok" if self.files.pop(key, None) is not None else "not found"}
        return 200, self._keep(key, file, headers)

    def _keep(self, key: tuple[str, str], file: bytes, headers: Any) -> dict[str, Any]:
        start, end, total = map(int, re.findall("[0-9]+", headers.get("Content-Range", "0-0/0")))
        upload = headers.get("X-Unique-Upload-Id", "")
        before = self._pieces.pop(upload, b"") if start else b""
        whole = before + file
        self.largest = max(self.largest, len(file))
        if total and end + 1 < total:
            self._pieces[upload] = whole
            return {"done": False, "public_id": key[1]}
        self.files[key] = whole
        ending = ".png" if key[0] == "image" else ""
        return {
            "public_id": key[1],
            "bytes": len(whole),
            "secure_url": f"https://res.cloudinary.com/{NAME}/{key[0]}/upload/v1/{key[1]}{ending}",
        }


def signature(fields: dict[str, str]) -> str:
    """What the fields must be signed with: all but a few, sorted, and the secret behind."""
    told = sorted(f"{k}={v.replace('&', '%26')}" for k, v in fields.items() if k not in UNSIGNED)
    return sha1(("&".join(told) + SECRET).encode(), usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, cloud: Cloud) -> None:
        """Reads the form, then fails or answers."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        cloud.calls.append(self.path)
        fault = cloud.faults.popleft() if cloud.faults else None
        if fault in ("hang", "drop"):
            if fault == "hang":
                cloud.wait()
            self.close_connection = True
            return
        if fault is not None:
            self._send(*_ANSWERS[fault])
            return
        boundary = self.headers["Content-Type"].partition("boundary=")[2]
        fields, file, name = parsed(body, b"--" + boundary.encode())
        status, told = cloud.work(self.path, fields, file, self.headers)
        if name and status == 200:
            kind = self.path.split("/")[3]
            cloud.names[kind, fields["public_id"]] = name
        self._send(status, json.dumps(told).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


def parsed(body: bytes, boundary: bytes) -> tuple[dict[str, str], bytes, str]:
    """The fields of a form, its file and the file's name."""
    fields, file, name = {}, b"", ""
    for part in body.split(boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        if found := re.search(rb'filename="(.*?)"', head):
            file, name = content, found[1].decode()
        elif found := re.search(rb'name="(.*?)"', head):
            fields[found[1].decode()] = content.decode()
    return fields, file, name
