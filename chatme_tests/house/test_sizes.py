"""Small rooms: files, functions and constructors stay within their limits."""

from __future__ import annotations

import pytest

from chatme_tests.house import sizes
from chatme_tests.house.source import Rule, Source, bitten, breaches, listing, sources

RULES: tuple[Rule, ...] = (
    sizes.file_is_small,
    sizes.function_is_short,
    sizes.constructor_is_narrow,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rooms_are_small(rule: Rule) -> None:
    """No file of the package or of its tests is larger than this rule allows."""
    found = breaches(rule, sources("chatme", "chatme_tests"))

    assert not found, listing(found)


def test_a_long_file_is_named() -> None:
    """The line after the four hundredth is one too many."""
    assert bitten(sizes.file_is_small, "chatme/app.py", "\n" * 401) == [401]
    assert bitten(sizes.file_is_small, "chatme/app.py", "\n" * 400) == []


@pytest.mark.parametrize("opening", ["def f():", "async def f():", 'def f():\n    """Doc."""'])
def test_a_long_function_is_named(opening: str) -> None:
    """The line after a body's fiftieth is one too many, its docstring not counted."""
    line = "    x = 1\n"

    assert bitten(sizes.function_is_short, "chatme/app.py", f"{opening}\n{line * 51}") == [1]
    assert bitten(sizes.function_is_short, "chatme/app.py", f"{opening}\n{line * 50}") == []


def test_a_function_of_words_only_is_empty() -> None:
    """A body that is only a docstring has no lines, however long the docstring."""
    text = '@overload\ndef f():\n    """' + "\n" * 60 + '    """'

    assert bitten(sizes.function_is_short, "chatme/app.py", text) == []


@pytest.mark.parametrize("eight", ["a, b, c, d, e, f, g, h", "a, b, /, c, *d, e, f, g, **h"])
def test_a_parameter_wall_is_named(eight: str) -> None:
    """A constructor's ninth parameter is one too many, of whatever kind."""
    rule = sizes.constructor_is_narrow

    assert bitten(rule, "chatme/app.py", f"def __init__(self, i, {eight}): ...") == [1]
    assert bitten(rule, "chatme/app.py", f"def __init__(self, {eight}): ...") == []
    assert bitten(rule, "chatme/app.py", f"def other(self, i, {eight}): ...") == []


def test_large_files_are_listed() -> None:
    """The soft limit lists the larger file first and leaves the small ones out."""
    files = [Source("a.py", "\n" * 251), Source("b.py", "\n" * 300), Source("c.py", "\n" * 250)]

    assert sizes.large(files) == ["300 b.py", "251 a.py"]
