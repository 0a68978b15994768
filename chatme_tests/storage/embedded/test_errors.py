"""Refusals as pymongo raises them."""

from __future__ import annotations

import pytest
from pymongo.errors import DuplicateKeyError, OperationFailure, WriteError

from chatme.storage.embedded import errors
from chatme.storage.embedded.errors import CODE_NAMES, Refusal, UnsupportedError


def test_a_refused_write() -> None:
    """A refused write is a WriteError with the reply's entry."""
    error = Refusal(28, "words", {"more": 1}).as_write_error()

    assert type(error) is WriteError
    assert error.details == {"index": 0, "code": 28, "more": 1, "errmsg": "words"}


def test_a_refused_command() -> None:
    """A refused command is an OperationFailure with the whole reply."""
    error = Refusal(2, "words").as_command_error()

    assert type(error) is OperationFailure
    assert error.details == {"ok": 0.0, "errmsg": "words", "code": 2, "codeName": "BadValue"}
    assert (Refusal(51091, "words").as_command_error().details or {})["codeName"] == "Location51091"


def test_a_duplicate() -> None:
    """A duplicate is a DuplicateKeyError either way."""
    refusal = Refusal(11000, "E11000")

    for error in (refusal.as_write_error(), refusal.as_command_error()):
        assert type(error) is DuplicateKeyError
        assert error.code == 11000


def test_what_is_unsupported_is_named() -> None:
    """What the engine lacks is named, and carried for whoever catches it."""
    error = UnsupportedError("$where in a filter")

    assert error.what == "$where in a filter"
    assert "does not support $where in a filter" in str(error)
    assert error.code == 238
    assert CODE_NAMES[238] == "NotImplemented"


@pytest.mark.parametrize(
    "name", ["UnsupportedError", "QueueFullError", "StorageFailureError", "DatabaseInUseError"]
)
def test_the_tree_is_drawn(name: str) -> None:
    """Every error that callers may catch stands in the tree at the top."""
    assert name in (errors.__doc__ or "")
    assert hasattr(errors, name)
