"""The import directions of the house as rules."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from chatme_tests.house import plan
from chatme_tests.house.source import Breach, Import, Source


def has_a_place(source: Source) -> Iterator[Breach]:
    """Every room is drawn in the plan."""
    room = plan.room_of(source.name)
    if plan.height_of(room) is None:
        yield Breach(1, f"the plan knows no room {room!r}: draw it first")


def points_downwards(source: Source) -> Iterator[Breach]:
    """A room imports itself and lower rooms; the kernel's files may see each other."""
    here = plan.room_of(source.name)
    height = plan.height_of(here)
    for found in source.imports:
        if found.vendor == "chatme_tests":
            yield Breach(found.line, "the package does not import its tests")
        if height is None or not found.is_below("chatme"):
            continue
        there = plan.room_of(found.target)
        other = plan.height_of(there)
        if other is None:
            yield Breach(found.line, f"the plan knows no {found.target}")
        elif here != there and not _may_see(height, other):
            yield Breach(found.line, f"{here or 'chatme'} may not import {there}")


def _may_see(height: int, other: int) -> bool:
    between_features = height == other == plan.height_of("users")
    return other < height or height == other == 0 or between_features


def follows_the_arrows(source: Source) -> Iterator[Breach]:
    """A feature sees the face of another, along the arrows, from the same layer or above."""
    here = plan.room_of(source.name)
    if here not in plan.FEATURES:
        return
    layer = plan.INSIDE.get(plan.file_of(source.name), plan.SERVICE)
    for found in source.imports:
        there = plan.room_of(found.target) if found.is_below("chatme") else here
        if there == here or there not in plan.FEATURES:
            continue
        file = plan.file_of(found.target)
        if there not in plan.visible_from(here):
            yield Breach(found.line, f"no arrow leads from {here} to {there}")
        elif file not in plan.FACE:
            yield Breach(found.line, f"{there}.{file} is not for other features")
        elif plan.INSIDE[file] > layer:
            yield Breach(found.line, f"{source.name} lies below {there}.{file}")


def keeps_the_layers(source: Source) -> Iterator[Breach]:
    """Inside a feature: routes, service, events, wire, models, never backwards.

    A service that is cut into several files is still one side: they may see each other, without
    a circle.
    """
    here, file = plan.room_of(source.name), plan.file_of(source.name)
    if here not in plan.FEATURES or not file:
        return
    layer = plan.INSIDE.get(file, plan.SERVICE)
    for found in source.imports:
        other = plan.file_of(found.target)
        if not found.is_below(f"chatme.{here}") or not other:
            continue
        target = plan.INSIDE.get(other, plan.SERVICE)
        if target > layer:
            yield Breach(found.line, f"{file} lies below {other}")


def kernel_is_plain(source: Source) -> Iterator[Breach]:
    """The kernel imports the standard library, pydantic and ids only."""
    if plan.height_of(plan.room_of(source.name)) != 0:
        return
    allowed = sys.stdlib_module_names | plan.KERNEL_VENDORS | {"chatme"}
    for found in source.imports:
        if found.vendor not in allowed:
            yield Breach(found.line, f"the kernel does not know {found.vendor}")


def vendors_keep_their_doors(source: Source) -> Iterator[Breach]:
    """A database, Redis and the servers are imported behind their doors only."""
    for found in source.imports:
        doors = plan.DOORS.get(found.vendor)
        if doors and not source.path.startswith(doors):
            yield Breach(found.line, f"{found.vendor} belongs to {', '.join(doors)}")


def features_ignore_the_web(source: Source) -> Iterator[Breach]:
    """In a feature only the routes know Starlette."""
    if plan.room_of(source.name) in plan.FEATURES and plan.file_of(source.name) != "routes":
        for found in source.imports:
            if found.vendor == "starlette":
                yield Breach(found.line, "in a feature, starlette belongs to routes.py")


def pure_is_pure(source: Source) -> Iterator[Breach]:
    """Frames, close codes and the session need neither I/O nor the rest of the room."""
    if source.name not in plan.PURE:
        return
    for found in source.imports:
        if found.vendor in plan.NOT_PURE:
            yield Breach(found.line, f"{source.name} is pure: no {found.vendor}")
        elif found.is_below("chatme") and not _is_pure(found):
            yield Breach(found.line, f"{source.name} is pure, {found.target} is not")


def _is_pure(found: Import) -> bool:
    in_kernel = plan.height_of(plan.room_of(found.target)) == 0
    return in_kernel or any(found.is_below(name) for name in plan.PURE)


def imports_stand_on_top(source: Source) -> Iterator[Breach]:
    """No import hides in a function."""
    spans = [(node.lineno, node.end_lineno or 0, node.col_offset) for node in source.functions()]
    for found in source.imports:
        if any(top <= found.line <= end and column < found.column for top, end, column in spans):
            yield Breach(found.line, f"{found.target} is imported inside a function")


ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})


def environment_is_read_once(source: Source) -> Iterator[Breach]:
    """Only the settings read the environment."""
    if source.name == "chatme.settings":
        return
    names = {
        alias.asname or alias.name
        for node in source.nodes(ast.Import)
        for alias in node.names
        if alias.name == "os"
    }
    for node in source.nodes(ast.Attribute):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in names:
                if attr in ENVIRONMENT:
                    yield Breach(node.lineno, "settings.py reads the environment, once")
    for found in source.imports:
        module, _, name = found.target.rpartition(".")
        if module == "os" and name in ENVIRONMENT:
            yield Breach(found.line, "settings.py reads the environment, once")


def circle(files: Iterable[Source]) -> list[str]:
    """The modules of one import circle in order, or nothing when there is none."""
    known = {source.name: source for source in files}
    graph = {name: _edges(source, known.keys()) for name, source in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _edges(source: Source, known: Iterable[str]) -> set[str]:
    """The modules that run because of this one, other packages' own files included."""
    names = set(known)
    edges = set()
    for found in source.imports:
        parts = found.target.split(".")
        above = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        loaded = [name for name in above if name in names]
        edges |= {name for name in loaded if not f"{source.name}.".startswith(f"{name}.")}
        edges |= set(loaded[-1:])
    return edges - {source.name}
