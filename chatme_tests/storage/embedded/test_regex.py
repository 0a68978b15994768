"""Regular expressions as MongoDB reads them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bson import Regex
from pymongo.errors import OperationFailure

from chatme.storage.embedded.errors import Refusal, UnsupportedError
from chatme.storage.embedded.regex import compile_regex, literal_prefix


@pytest.mark.parametrize(
    "pattern",
    [r"\p{L}", r"\Qa\E", r"\h", r"[[:alpha:]]", r"a\Z", r"(*UTF)a", r"(?>a)", r"(?P<n>a)", r"a*+"],
)
def test_foreign_patterns(pattern: str) -> None:
    """What PCRE and Python read differently is refused by name."""
    with pytest.raises(UnsupportedError):
        compile_regex(pattern)


def test_classes_without_case() -> None:
    """Character classes that ignore case would differ beyond ASCII."""
    with pytest.raises(UnsupportedError):
        compile_regex(r"\w", "i")
    assert None is compile_regex(r"^\w$").search("é")


def test_a_backslash_before_a_letter() -> None:
    """An escaped backslash escapes nothing after it."""
    assert compile_regex(r"\\p").search("\\p")


@pytest.mark.parametrize("pattern", ["(", "[a", "*a"])
def test_broken_patterns(pattern: str) -> None:
    """A broken pattern is refused as MongoDB refuses it."""
    with pytest.raises(Refusal) as refused:
        compile_regex(pattern)
    assert refused.value.code == 51091


def test_options() -> None:
    """Options come from the pattern and beside it; an unknown one is refused."""
    bytes_pattern: Any = Regex(b"a")
    assert compile_regex(Regex("a", "i"), "m").flags & (re.I | re.M) == re.I | re.M
    with pytest.raises(Refusal):
        compile_regex("a", "q")
    with pytest.raises(OperationFailure):
        compile_regex(Regex("a", "l"))
    with pytest.raises(OperationFailure):
        compile_regex(bytes_pattern)


@pytest.mark.parametrize(
    ("pattern", "options", "expected"),
    [
        ("^abc", "", "abc"),
        ("^abc.*", "", "abc"),
        ("^abc?", "", "ab"),
        ("^abc*", "", "ab"),
        ("^abc+", "", "abc"),
        ("^abc{0}", "", "ab"),
        (r"^a\.b", "", "a.b"),
        (r"^a\d", "", "a"),
        ("^a|b", "", ""),
        ("abc", "", ""),
        ("^abc", "i", ""),
        ("^abc", "m", ""),
        ("^", "", ""),
    ],
)
def test_literal_prefix(pattern: str, options: str, expected: str) -> None:
    """The beginning that every match shares is known, where it surely is."""
    assert expected == literal_prefix(compile_regex(pattern, options))
