"""Why a socket is closed: the code, the words, and what the client should do (RFC 6455, 7.4)."""

from __future__ import annotations

from enum import Enum, auto


class ComeBack(Enum):
    """What a client should do after a close."""

    #: The client did something that it should not do again.
    NO = auto()
    #: Come back only with a new token.
    SIGNED_IN = auto()
    #: Come back after a growing random delay, and resume.
    AFTER_DELAY = auto()


class Close(Enum):
    """Every close that the server begins; the value is the code on the wire."""

    BINARY = 1003, "Frames are JSON text.", ComeBack.NO
    BAD_TEXT = 1007, "A text frame was not UTF-8.", ComeBack.NO
    TOO_BIG = 1009, "A frame was over 64 KiB.", ComeBack.NO
    FAULT = 1011, "Something went wrong on our side.", ComeBack.AFTER_DELAY
    RESTART = 1012, "The server restarts.", ComeBack.AFTER_DELAY
    NOT_AUTHENTICATED = 4401, "Not, or no longer, authenticated.", ComeBack.SIGNED_IN
    NO_AUTH_IN_TIME = 4408, "No auth frame came in time.", ComeBack.AFTER_DELAY
    REPLACED = 4409, "A newer socket took this one's place.", ComeBack.AFTER_DELAY
    TOO_MANY_FRAMES = 4429, "Too many frames.", ComeBack.AFTER_DELAY
    TOO_SLOW = 4499, "The client reads too slowly.", ComeBack.AFTER_DELAY

    def __init__(self, code: int, reason: str, come_back: ComeBack) -> None:
        self.code = code
        self.reason = reason
        self.come_back = come_back
