"""Habits of the tests: fakes over mocks, frozen clocks over sleeps, no silent skips."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from chatme_tests.house.source import Breach, Function, Source, argument, last_name, number

MOCKS = frozenset({"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "PropertyMock", "mocker"})
SKIPS = frozenset({"skip", "skipif", "xfail", "importorskip"})


def no_mocks(source: Source) -> Iterator[Breach]:
    """Tests use fakes and real parts, never mocks or patches."""
    for found in source.imports:
        if found.is_below("unittest.mock") or found.vendor in {"mock", "pytest_mock"}:
            yield Breach(found.line, "write a fake: no mock")
    for name in source.nodes(ast.Name):
        if name.id in MOCKS:
            yield Breach(name.lineno, "write a fake: no mock")
    for part in source.nodes(ast.Attribute):
        if part.attr in MOCKS or part.attr == "setattr":
            yield Breach(part.lineno, "hand the part in: no patching")


def no_sleeping(source: Source) -> Iterator[Breach]:
    """Tests wait for what they expect, never for a second or more of the wall clock."""
    for call in source.nodes(ast.Call):
        seconds = number(argument(call, 0, "seconds") or argument(call, 0, "delay"))
        if last_name(call.func) == "sleep" and seconds is not None and seconds >= 1:
            yield Breach(call.lineno, "wait for the event, or move a frozen clock")


def skips_say_why(source: Source) -> Iterator[Breach]:
    """A test that is left out, or known to fail, gives its reason."""
    explained = {
        id(call.func)
        for call in source.nodes(ast.Call)
        if any(keyword.arg == "reason" and _is_text(keyword.value) for keyword in call.keywords)
        or (_is_imperative(call.func) and call.args and _is_text(call.args[0]))
    }
    for line, node in _skips(source):
        if id(node) not in explained:
            yield Breach(line, "say why with reason=")


def no_skips(source: Source) -> Iterator[Breach]:
    """A test is left out, or known to fail, only in the files that say so."""
    for line, _ in _skips(source):
        yield Breach(line, "nothing is skipped here: add the file and its reason, or mend it")


def _skips(source: Source) -> Iterator[tuple[int, ast.expr]]:
    for node in source.nodes(ast.Attribute):
        if node.attr in SKIPS and last_name(node.value) in {"pytest", "mark", "unittest"}:
            yield node.lineno, node
    for found in source.imports:
        module, _, name = found.target.rpartition(".")
        if module in {"pytest", "unittest"} and name in SKIPS | {"mark"}:
            yield found.line, ast.Name(name)


def _is_imperative(function: ast.expr) -> bool:
    """Tell ``pytest.skip("why")`` from ``pytest.mark.skip(...)``."""
    is_direct = isinstance(function, ast.Attribute) and last_name(function.value) == "pytest"
    return is_direct and last_name(function) in {"skip", "xfail"}


def _is_text(node: ast.expr) -> bool:
    return not (isinstance(node, ast.Constant) and not node.value)


SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)[.!?][\"')\]`]*\s+\S")


def tests_promise(source: Source) -> Iterator[Breach]:
    """A test's docstring is one sentence with a full stop: what the code promises."""
    if not source.path.rpartition("/")[2].startswith("test_"):
        return
    for function in source.functions():
        if function.name.startswith("test_") and not _is_promise(function):
            yield Breach(function.lineno, f"{function.name}: one sentence with a full stop")


def _is_promise(function: Function) -> bool:
    words = " ".join((ast.get_docstring(function) or "").split())
    return len(words) > 1 and words.endswith(".") and not SENTENCE_END.search(words)
