"""Paths of the application that go together."""

from __future__ import annotations

from collections.abc import Iterable


class Paths:
    """Some paths, and all below them: ``/docs`` and ``/docs/realtime``, but not ``/docsthing``."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._below = tuple(f"{path}/" for path in self._paths)

    def __contains__(self, path: str) -> bool:
        return path in self._paths or path.startswith(self._below)
