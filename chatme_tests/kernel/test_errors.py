"""Tests for the tree of errors, and for what each carries."""

from __future__ import annotations

import errno
import re

import pytest

from chatme import errors
from chatme.errors import (
    ChatMeError,
    Code,
    Conflict,
    FieldFault,
    Invalid,
    NotFound,
    RateLimited,
    StorageFull,
)

BRANCHES = tuple(
    kind for kind in ChatMeError.__subclasses__() if kind.__module__ == errors.__name__
)


def test_the_drawn_tree_is_the_real_one() -> None:
    """The picture on top of the module names every error with its status, and no other."""
    drawn = re.findall(r"[├└]── (\w+) +(\d+)", errors.__doc__ or "")

    assert [(kind.__name__, str(kind.status)) for kind in BRANCHES] == drawn


@pytest.mark.parametrize("kind", BRANCHES, ids=lambda kind: kind.__name__)
def test_every_error_speaks(kind: type[ChatMeError]) -> None:
    """Every error has a sentence for a person and a code of its own."""
    error = kind()

    assert error.message.endswith(".")
    assert str(error) == error.message
    assert error.code is not Code.INTERNAL
    assert error.faults == ()
    assert error.retry_after is None


def test_codes_are_stable_words() -> None:
    """Every code is a snake_case word that is its name, but for the two that the wire fixed."""
    for code in Code:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code.value)
        assert code.value == code.name.lower() or code is Code.INTERNAL


def test_what_is_given_replaces_the_usual() -> None:
    """A message, a code, faults and a delay that are given take the place of the usual ones."""
    fault = FieldFault("email", "is taken")
    error = Conflict("Taken.", code=Code.EMAIL_TAKEN, faults=[fault], retry_after=1.5)

    assert (error.message, error.code, error.status) == ("Taken.", Code.EMAIL_TAKEN, 409)
    assert error.faults == (fault,)
    assert error.retry_after == 1.5


def test_one_error_does_not_colour_the_next() -> None:
    """What one error was given is not there in the next one of its kind."""
    NotFound("Nobody here.", code=Code.BLOCKED, retry_after=3)

    assert NotFound().message == NotFound.message
    assert NotFound().code is Code.NOT_FOUND
    assert NotFound().retry_after is None


def test_a_single_field_is_named() -> None:
    """One faulty field makes a whole error."""
    error = Invalid.field("email", "is not an e-mail address")

    assert error.status == 422
    assert error.faults == (FieldFault("email", "is not an e-mail address"),)


def test_a_family_is_caught_by_its_head() -> None:
    """Every error that a caller can be told is a ChatMeError, and an ordinary exception."""
    with pytest.raises(ChatMeError):
        raise RateLimited(retry_after=2)

    assert issubclass(ChatMeError, Exception)


def test_a_full_disk_is_told_from_other_faults() -> None:
    """Only what means that no room is left is told as such."""
    full = [OSError(number, "x") for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]

    assert all(StorageFull.told_by(error) for error in full)
    assert not StorageFull.told_by(OSError(errno.EACCES, "x"))
    assert not StorageFull.told_by(OSError())
