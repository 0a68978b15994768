"""What a rule reads: one parsed file, its imports, and its nodes by kind."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

ROOT = Path(__file__).resolve().parents[2]

Node = TypeVar("Node", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Breach(NamedTuple):
    """One place that breaks a rule, and what to do about it."""

    line: int
    words: str


class Import(NamedTuple):
    """One imported name, absolute: ``from a.b import c`` is ``a.b.c``."""

    target: str
    line: int
    column: int

    @property
    def vendor(self) -> str:
        """The distribution's top name."""
        return self.target.partition(".")[0]

    def is_below(self, package: str) -> bool:
        """Tell whether the import names `package` or something inside it."""
        return f"{self.target}.".startswith(f"{package}.")


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root of the repository, and its text."""

    path: str
    text: str

    @property
    def is_package(self) -> bool:
        return self.path.endswith("__init__.py")

    @cached_property
    def name(self) -> str:
        """The dotted name under which the file is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def _by_kind(self) -> defaultdict[type[ast.AST], list[ast.AST]]:
        kinds: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        for node in ast.walk(self.tree):
            kinds[type(node)].append(node)
        return kinds

    def nodes(self, kind: type[Node]) -> Iterator[Node]:
        """Every node of exactly this kind; the tree is walked once for all rules."""
        for node in self._by_kind[kind]:
            if isinstance(node, kind):
                yield node

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        yield from self.nodes(ast.FunctionDef)
        yield from self.nodes(ast.AsyncFunctionDef)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import at any depth, those for type checkers included."""
        plain = (
            Import(alias.name, node.lineno, node.col_offset)
            for node in self.nodes(ast.Import)
            for alias in node.names
        )
        named = (
            Import(f"{self._base(node)}.{alias.name}", node.lineno, node.col_offset)
            for node in self.nodes(ast.ImportFrom)
            for alias in node.names
        )
        return (*plain, *named)

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        up = node.level - 1 if self.is_package else node.level
        parts = self.name.split(".")
        return ".".join([*parts[: len(parts) - up], *filter(None, [node.module])])


Rule = Callable[[Source], Iterable[Breach]]


@cache
def sources(*packages: str) -> Sequence[Source]:
    """Every Python file of these packages, as it stands in the work tree."""
    return tuple(
        Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
    )


def breaches(rule: Rule, files: Iterable[Source], but: Container[str] = ()) -> list[str]:
    """Apply one rule to the files not in `but`; each answer is a line an editor can open."""
    return [
        f"{source.path}:{breach.line}: {breach.words}"
        for source in files
        if source.path not in but
        for breach in rule(source)
    ]


def listing(lines: Iterable[str]) -> str:
    """What a failed test tells: one breach a line, none left out."""
    return "\n".join(["", *lines])


def bitten(rule: Rule, path: str, text: str) -> list[int]:
    """The lines at which a rule bites a made-up file."""
    return [breach.line for breach in rule(Source(path, text))]


def last_name(node: ast.expr) -> str:
    """``c`` of ``a.b.c``, ``a.b.c[int]`` or ``c``; nothing for other expressions."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return last_name(value)
        case _:
            return ""


def number(node: ast.expr | None) -> float | None:
    """The value of a literal number, or nothing."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case _:
            return None


def argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    """The argument given at this position or under this keyword."""
    for given in call.keywords:
        if given.arg == keyword:
            return given.value
    return call.args[position] if len(call.args) > position else None
