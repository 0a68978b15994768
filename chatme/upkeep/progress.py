"""How far something is, in a line that is written over, for whoever sits at the terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

_WIDTH = 30
_SECONDS = 0.1


class Progress:
    """One line from the beginning to the end of the `with`; nothing where nobody looks.

    ``total`` may turn out wrong: it is an estimate while a server writes.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._label, self._total, self._done = "", 0, 0
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Takes the line away, so that words can be written in its place."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def begin(self, label: str, total: int) -> None:
        """Something with so many parts begins."""
        self._label, self._total, self._done = label, total, 0
        self._draw(0.0)

    def advance(self, parts: int = 1) -> None:
        """So many more are done."""
        self._done += parts
        now = time.monotonic()
        if now - self._last > _SECONDS:
            self._draw(now)

    def _draw(self, now: float) -> None:
        if self._shown:
            self._last = now
            self._stream.write(f"\r\x1b[K{line(self._label, self._done, self._total)}")
            self._stream.flush()


def line(label: str, done: int, total: int) -> str:
    """``messages        ███████░░░░░░░  51% 510/1,000``."""
    share = min(done / total, 1.0) if total > 0 else 1.0
    full = int(share * _WIDTH)
    bar = "█" * full + "░" * (_WIDTH - full)
    return f"{label:16} {bar} {share:4.0%} {done:,}/{max(total, done):,}"
