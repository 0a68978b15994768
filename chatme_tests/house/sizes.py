"""How large a file, a function and a constructor may be."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from chatme_tests.house.source import Breach, Function, Source

SOFT_FILE = 250
HARD_FILE = 400
FUNCTION = 50
PARAMETERS = 8


def length(source: Source) -> int:
    """The lines of a file."""
    return len(source.text.splitlines())


def file_is_small(source: Source) -> Iterator[Breach]:
    """A file has at most 400 lines."""
    if length(source) > HARD_FILE:
        yield Breach(length(source), f"{length(source)} lines, {HARD_FILE} at most: part it")


def function_is_short(source: Source) -> Iterator[Breach]:
    """A function's body has at most 50 lines."""
    for function in source.functions():
        if body_length(function) > FUNCTION:
            words = f"{function.name} has {body_length(function)} lines, {FUNCTION} at most"
            yield Breach(function.lineno, words)


def body_length(function: Function) -> int:
    """The lines from the first statement to the last, the docstring left out."""
    has_docstring = ast.get_docstring(function, clean=False) is not None
    body = function.body[1:] if has_docstring else function.body
    if not body:
        return 0
    return (body[-1].end_lineno or 0) - _first_line(body[0]) + 1


def _first_line(statement: ast.stmt) -> int:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return min([statement.lineno, *(mark.lineno for mark in statement.decorator_list)])
        case _:
            return statement.lineno


def constructor_is_narrow(source: Source) -> Iterator[Breach]:
    """A constructor takes at most eight parameters besides self."""
    for function in source.functions():
        given = function.args
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        count = sum(parameter is not None for parameter in named) - 1
        if function.name == "__init__" and count > PARAMETERS:
            yield Breach(function.lineno, f"{count} parameters, {PARAMETERS} at most")


def large(files: Iterable[Source]) -> list[str]:
    """The files over the soft limit, largest first: allowed, but worth a look."""
    over = sorted(((length(file), file.path) for file in files), reverse=True)
    return [f"{lines} {path}" for lines, path in over if lines > SOFT_FILE]
