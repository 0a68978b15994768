"""What a request's head may look like. No I/O here.

Whatever two parsers could read differently is refused (RFC 9112, 2.2, 5.1, 6.3, 11.2): in front of
us stands a proxy that must see the same requests as we do.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chatme.errors import BadRequest, ChatMeError, Code

Fields = Sequence[tuple[bytes, bytes]]
"""Header fields, names in lower case."""

END: Final = b"\r\n\r\n"
"""What ends a head, and a body in chunks."""

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE: Final = rb"[A-Z\-]+ [\x21-\x7e]+ HTTP/1\.[01]\r\n"
_FIELD_LINE: Final = _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n"
_HEAD: Final = re.compile(rb"%b(?:%b)*+\r\n" % (_REQUEST_LINE, _FIELD_LINE))
_BROKEN: Final = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|\A[^A-Z\r]")
_HOST: Final = re.compile(rb"[A-Za-z0-9.\-_~%!$&'()*+,;=:\[\]]+")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
_SUBPROTOCOLS: Final = re.compile(rb"%b(?:[\t ]*,[\t ]*%b)*+" % (_TOKEN, _TOKEN))
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_HANDSHAKE_LINE: Final = 8192 - len(b"GET  HTTP/1.1\r\n")  # what websockets reads


class HeadersTooLarge(ChatMeError):
    """The head is over its limit (RFC 6585, 5)."""

    status = 431
    code = Code.HEADERS_TOO_LARGE
    message = "The request's head is too large."


class RequestTimeout(ChatMeError):
    """The request did not arrive in time (RFC 9110, 15.5.9)."""

    status = 408
    code = Code.REQUEST_TIMEOUT
    message = "The request did not arrive in time."


class UpgradeRequired(ChatMeError):
    """A WebSocket of a version that is not spoken here (RFC 6455, 4.4)."""

    status = 426
    code = Code.BAD_REQUEST
    message = "Only version 13 of WebSocket is spoken here."


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What a connection may take, in seconds, bytes and numbers."""

    head_seconds: float = 10.0
    """For a whole head, from the connection's start or the head's first byte."""
    body_seconds: float = 60.0
    """For a whole body, from the end of its head."""
    stall_seconds: float = 60.0
    """For a client that reads to take anything at all of what we send."""
    discard_seconds: float = 2.0
    """For the rest of a body that was answered before it had come."""
    linger_seconds: float = 2.0
    """From the end of our stream to the end of the client's (RFC 9112, 9.6)."""
    head_bytes: int = 65536
    header_fields: int = 100


class BodyMeter:
    """Tells where a body ends in what was read, and what its chunks cost."""

    def __init__(self, length: int | None, allowance: int) -> None:
        self.delivered = 0
        """Bytes of the body that the parser has handed on."""
        self._left = length
        self._allowance = allowance
        self._taken = 0
        self._tail = b""

    def take(self, inbox: bytearray) -> bytes:
        """Cuts off the inbox what the parser can have without reading beyond the body's end.

        Chunks always end with an empty line, so a piece never goes beyond one.
        """
        if self._left is None:
            size = self._size_of_piece(inbox)
        else:
            size = min(self._left, len(inbox))
            self._left -= size
        piece = bytes(inbox[:size])
        del inbox[:size]
        self._taken += size
        self._tail = (self._tail + piece[-3:])[-3:]
        return piece

    def _size_of_piece(self, inbox: bytearray) -> int:
        across = (self._tail + inbox[:3]).find(END)
        if across >= 0:
            return across + len(END) - len(self._tail)
        end = inbox.find(END)
        return end + len(END) if end >= 0 else len(inbox)

    @property
    def wasteful(self) -> bool:
        """Whether sizes, extensions and trailers of the chunks are out of all proportion."""
        return self._taken - self.delivered > self._allowance + 8 * self.delivered


def fault_so_far(head: bytes | bytearray, scanned: int) -> ChatMeError | None:
    """What is wrong already with the beginning of a head, ``scanned`` bytes of which were fine."""
    return BadRequest() if _BROKEN.search(head, max(0, scanned - 1)) else None


def fault_in_lines(head: bytes | bytearray, limits: HttpLimits) -> ChatMeError | None:
    """What is wrong with the bytes of a whole head: bare LF or CR, folded lines, space before a
    colon, control characters, other versions, or too many fields."""
    if head.count(b"\r\n") - 2 > limits.header_fields:
        return HeadersTooLarge()
    return None if _HEAD.fullmatch(head) else BadRequest()


def fault_in_fields(version: str, target: bytes, fields: Fields) -> ChatMeError | None:
    """What is ambiguous about a request's target, its host or where its body ends."""
    hosts = _values(fields, b"host")
    lengths = _values(fields, b"content-length")
    codings = _values(fields, b"transfer-encoding")
    if not target.startswith((b"/", b"http://", b"https://")):
        return BadRequest("The request's target must be a path.")
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return BadRequest("Exactly one Host must be named.")
    if hosts and not _HOST.fullmatch(hosts[0]):
        return BadRequest("The Host is malformed.")
    if len(lengths) > 1 or (lengths and not _LENGTH.fullmatch(lengths[0])):
        return BadRequest("The Content-Length is malformed.")
    if codings and (lengths or version != "1.1" or [c.lower() for c in codings] != [b"chunked"]):
        return BadRequest("The only Transfer-Encoding is chunked, without a Content-Length.")
    return None


def fault_in_handshake(
    method: bytes, version: str, target: bytes, fields: Fields
) -> ChatMeError | None:
    """What is wrong with a WebSocket's opening (RFC 6455, 4.2.1)."""
    keys = _values(fields, b"sec-websocket-key")
    versions = _values(fields, b"sec-websocket-version")
    if (
        method != b"GET"
        or version != "1.1"
        or not target.startswith(b"/")
        or body_length(fields) != 0
    ):
        return BadRequest("A WebSocket is opened by a GET in HTTP/1.1 without a body.")
    if versions != [b"13"]:
        return UpgradeRequired()
    if len(keys) != 1 or not _is_key(keys[0]):
        return BadRequest("The Sec-WebSocket-Key is malformed.")
    if not all(_SUBPROTOCOLS.fullmatch(v) for v in _values(fields, b"sec-websocket-protocol")):
        return BadRequest("The Sec-WebSocket-Protocol is malformed.")
    if max(len(target), *(len(n) + len(v) + 4 for n, v in fields)) > _HANDSHAKE_LINE:
        return HeadersTooLarge()
    return None


def body_length(fields: Fields) -> int | None:
    """How long the body is; ``None`` where its chunks will tell."""
    if _values(fields, b"transfer-encoding"):
        return None
    lengths = _values(fields, b"content-length")
    return int(lengths[0]) if lengths else 0


def upgrades_to_websocket(fields: Fields) -> bool:
    """Whether the client asks for a WebSocket, and for nothing else."""
    connection = b",".join(_values(fields, b"connection")).lower().split(b",")
    upgrade = b",".join(_values(fields, b"upgrade")).strip().lower()
    return upgrade == b"websocket" and b"upgrade" in [token.strip() for token in connection]


def sane_request_id(fields: Fields) -> str | None:
    """The client's own name for the request, where it is fit to be repeated."""
    names = [value.decode("latin-1") for value in _values(fields, b"x-request-id")]
    return names[0] if len(names) == 1 and _REQUEST_ID.fullmatch(names[0]) else None


def extra_fields(error: ChatMeError) -> list[tuple[bytes, bytes]]:
    """Fields that an answer needs beyond those of every answer."""
    if isinstance(error, UpgradeRequired):
        return [(b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")]
    return []


def _values(fields: Fields, name: bytes) -> list[bytes]:
    return [value.strip(b" \t") for field, value in fields if field == name]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False
