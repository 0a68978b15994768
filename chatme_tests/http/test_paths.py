"""Tests for paths that go together."""

from __future__ import annotations

import pytest

from chatme.http.paths import Paths


@pytest.mark.parametrize(
    ("path", "belongs"),
    [
        ("/docs", True),
        ("/docs/", True),
        ("/docs/realtime", True),
        ("/docsthing", False),
        ("/doc", False),
        ("/api/docs", False),
        ("", False),
        ("/a.json", True),
    ],
)
def test_a_path_and_all_below_it(path: str, belongs: bool) -> None:
    """What is named belongs, and what is below it, and nothing that only begins like it."""
    assert (path in Paths(["/docs", "/a.json"])) is belongs


def test_no_paths() -> None:
    """Where none is named none belongs."""
    assert "/" not in Paths(())
