"""Ready frames: encoded once, written to any number of sockets. No I/O here.

A server's frames are not masked (RFC 6455, 5.1), so the very same bytes serve every socket.
"""

from __future__ import annotations

import struct
from typing import Final, Protocol

EXTENSION: Final = "chatme.ready_frames"
"""Where a socket's `ReadyFrames` stands in ``scope["extensions"]``; absent on other servers."""

_FINAL_TEXT = 0x81


class ReadyFrames(Protocol):
    """One socket's outgoing side, for frames that are encoded already.

    Its write buffer is the socket's outbox: watch `buffered` and close the socket that overruns.
    """

    def write(self, frame: bytes) -> None:
        """Hands one whole frame to the socket, in the order of all writes and sends.

        Before the handshake and once the socket is closing, the frame is dropped in silence.
        """
        ...

    def buffered(self) -> int:
        """Bytes that the peer has not taken yet."""
        ...

    def closing(self) -> bool:
        """Whether a write would be dropped because the socket is closing or gone."""
        ...


def encode_text_frame(text: str | bytes) -> bytes:
    """One whole text as one unmasked frame (RFC 6455, 5.2); ``bytes`` must be UTF-8 already."""
    payload = text.encode() if isinstance(text, str) else text
    length = len(payload)
    if length < 126:
        return struct.pack("!BB", _FINAL_TEXT, length) + payload
    if length < 65536:
        return struct.pack("!BBH", _FINAL_TEXT, 126, length) + payload
    return struct.pack("!BBQ", _FINAL_TEXT, 127, length) + payload
