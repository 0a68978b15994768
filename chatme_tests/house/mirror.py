"""The tests mirror the source: each file has its test, each test its file."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator, Sequence

from chatme_tests.house import plan
from chatme_tests.house.source import Source

# Rooms of the tests that look at the house as a whole.
FREE_ROOMS = frozenset({"house", "conformance", "flows", "bench", "autobahn", "docs", "mongodb"})


def place_of_test(path: str) -> str:
    """The test's place for a source file: single modules meet in kernel/."""
    *rooms, file = path.split("/")[1:]
    return "/".join(["chatme_tests", *(rooms or ["kernel"]), f"test_{file}"])


def place_of_source(path: str) -> str:
    """The source file's place for a test; a test outside every room has none."""
    *rooms, file = path.split("/")[1:]
    if not rooms:
        return ""
    return "/".join(["chatme", *([] if rooms == ["kernel"] else rooms), file[len("test_") :]])


def strays(tests: Iterable[Source], files: Iterable[Source]) -> list[str]:
    """The tests that mirror no source file."""
    known = {source.path for source in files}
    return [test.path for test in _mirrors(tests) if place_of_source(test.path) not in known]


def _mirrors(tests: Iterable[Source]) -> Iterator[Source]:
    for test in tests:
        *rooms, file = test.path.split("/")[1:]
        if file.startswith("test_") and rooms[:1] not in [[room] for room in FREE_ROOMS]:
            yield test


def untested(
    files: Iterable[Source],
    tests: Iterable[Source],
    elsewhere: Container[str] = (),
    feature_files: Container[str] = (),
) -> list[str]:
    """The source files with code of their own that no test mirrors."""
    known = {test.path for test in tests}
    return [
        f"{source.path} wants {place_of_test(source.path)}"
        for source in files
        if place_of_test(source.path) not in known
        and has_code(source.tree.body)
        and source.path not in elsewhere
        and not _is_excused(source, feature_files)
    ]


def _is_excused(source: Source, feature_files: Container[str]) -> bool:
    """Tell whether a feature's file is covered elsewhere; events only while without logic."""
    file = plan.file_of(source.name)
    is_there = plan.room_of(source.name) in plan.FEATURES and file in feature_files
    return is_there and not (file == "events" and any(source.functions()))


def has_code(body: Sequence[ast.stmt]) -> bool:
    """Tell whether a module holds more than imports, words and its own dunder names."""
    for statement in body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                continue
            case ast.Assign(targets=[ast.Name(id=name)]) if name.startswith("__"):
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
                continue
            case _:
                return True
    return False
