"""Habits of the package: what its files never do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from chatme_tests.house import plan
from chatme_tests.house.source import Breach, Source, argument, last_name, number

MUTABLE_MAPPINGS = frozenset({"dict", "defaultdict", "OrderedDict", "Counter", "ChainMap"})
QUEUES = frozenset({"Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"})
MUTABLE_CALLS = (
    MUTABLE_MAPPINGS
    | QUEUES
    | frozenset({"list", "set", "bytearray", "deque", "count", "local", "SimpleNamespace"})
    | frozenset({"WeakSet", "WeakKeyDictionary", "WeakValueDictionary"})
    | frozenset({"Lock", "RLock", "Event", "Condition", "Semaphore", "BoundedSemaphore"})
)


def no_state_at_module_level(source: Source) -> Iterator[Breach]:
    """A module keeps nothing that can change; a table of constants says it is a Mapping."""
    for statement in _outside_definitions(source.tree.body):
        match statement:
            case ast.Assign(targets=targets, value=value):
                names, annotation = targets, ""
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                names, annotation = [target], last_name(statement.annotation)
            case ast.AugAssign(target=target, value=value):
                names, annotation = [target], ""
            case _:
                continue
        if any(last_name(name) == "__all__" for name in names):
            continue
        is_table = annotation in {"Mapping", "Final"} and last_name(names[0]).isupper()
        if any(not (is_table and mapping) for mapping in _mutable_parts(value)):
            yield Breach(statement.lineno, "module-level mutable: tuple, frozenset, Mapping")
        elif any(isinstance(name, ast.Subscript) for name in names):
            yield Breach(statement.lineno, "a module changes a table while it is imported")


def _outside_definitions(body: Sequence[ast.AST]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            yield from _outside_definitions(list(ast.iter_child_nodes(node)))


def _mutable_parts(value: ast.expr) -> Iterator[bool]:
    """For each mutable object a value holds, whether it is a mapping."""
    match value:
        case ast.Dict() | ast.DictComp():
            yield True
        case ast.List() | ast.ListComp() | ast.Set() | ast.SetComp():
            yield False
        case ast.Call(func=function) if last_name(function) in MUTABLE_CALLS:
            yield last_name(function) in MUTABLE_MAPPINGS
        case ast.Tuple(elts=parts) | ast.BoolOp(values=parts):
            for part in parts:
                yield from _mutable_parts(part)
        case ast.BinOp(left=left, right=right) | ast.IfExp(body=left, orelse=right):
            yield from _mutable_parts(left)
            yield from _mutable_parts(right)


def no_global(source: Source) -> Iterator[Breach]:
    """No function changes a module's names."""
    for node in source.nodes(ast.Global):
        yield Breach(node.lineno, "global: give the object to who needs it")


BROAD = frozenset({"Exception", "BaseException"})


def no_broad_except(source: Source) -> Iterator[Breach]:
    """No handler swallows every error; one that ends in a bare raise swallows none."""
    for handler in source.nodes(ast.ExceptHandler):
        raises_again = isinstance(handler.body[-1], ast.Raise) and not handler.body[-1].exc
        if _is_broad(handler.type) and not raises_again:
            yield Breach(handler.lineno, "broad except: name the errors, or add the edge's reason")
    for call in source.nodes(ast.Call):
        if last_name(call.func) == "suppress" and any(map(_is_broad, call.args)):
            yield Breach(call.lineno, "broad suppress: name the errors")


def _is_broad(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(each is None or last_name(each) in BROAD for each in kinds)


def close_codes_have_names(source: Source) -> Iterator[Breach]:
    """A close code is a member of the Enum in close.py, never a number."""
    if not source.path.startswith("chatme/realtime/") or source.path.endswith("/close.py"):
        return
    for call in source.nodes(ast.Call):
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if re.search(r"(^|_)close($|_)", last_name(call.func)) and any(map(_is_code, given)):
            yield Breach(call.lineno, "a close code is a member of the Enum in close.py")
    for message in source.nodes(ast.Dict):
        kinds = [value.value for value in message.values if isinstance(value, ast.Constant)]
        if "websocket.close" in kinds and any(map(_is_code, message.values)):
            yield Breach(message.lineno, "a close code is a member of the Enum in close.py")


def _is_code(node: ast.expr) -> bool:
    value = number(node)
    return isinstance(value, int) and value >= 1000


def queues_are_bounded(source: Source) -> Iterator[Breach]:
    """Every queue has a size at which it is full."""
    for call in source.nodes(ast.Call):
        name = last_name(call.func)
        factory = argument(call, 0 if name == "defaultdict" else 99, "default_factory")
        if factory and last_name(factory) in QUEUES | {"deque"}:
            yield Breach(call.lineno, "a queue without a bound")
        elif name in QUEUES and not _is_bound(argument(call, 0, "maxsize"), name):
            yield Breach(call.lineno, f"{name} without a maxsize")
        elif name == "deque" and not _is_bound(argument(call, 1, "maxlen"), name):
            yield Breach(call.lineno, "deque without a maxlen")


def _is_bound(given: ast.expr | None, name: str) -> bool:
    is_nothing = given is None or (isinstance(given, ast.Constant) and given.value is None)
    value = number(given)
    never = name == "SimpleQueue" or is_nothing or (value is not None and value < 0)
    return not never and not (value == 0 and name != "deque")


def only_services_publish(source: Source) -> Iterator[Breach]:
    """In a feature nothing but the service and its helpers announces."""
    layer = plan.INSIDE.get(plan.file_of(source.name) or "models", plan.SERVICE)
    if plan.room_of(source.name) in plan.FEATURES and layer != plan.SERVICE:
        for call in source.nodes(ast.Call):
            if last_name(call.func) == "publish":
                yield Breach(call.lineno, "only a service announces, after its write")


PRINTERS = frozenset({"chatme/cli.py", "chatme/console.py", "chatme/upkeep/commands.py"})


def only_the_command_line_prints(source: Source) -> Iterator[Breach]:
    """The package logs; only the command line prints."""
    for call in source.nodes(ast.Call):
        is_print = isinstance(call.func, ast.Name) and call.func.id == "print"
        if is_print and source.path not in PRINTERS:
            yield Breach(call.lineno, "log it; only the command line prints")


def nothing_hides_in_init(source: Source) -> Iterator[Breach]:
    """The package file of a feature is empty."""
    feature = source.name.removeprefix("chatme.")
    if source.is_package and feature in plan.FEATURES and source.text.strip():
        yield Breach(1, "a feature's __init__.py is empty")


UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X)\b")


def nothing_is_unfinished(source: Source) -> Iterator[Breach]:
    """No file keeps a note of work left to do."""
    for line, text in enumerate(source.text.splitlines(), start=1):
        if UNFINISHED.search(text):
            yield Breach(line, "finish it, or write an issue")


def assemblies(files: Iterable[Source]) -> list[str]:
    """Where the package builds a Starlette application."""
    return [
        f"{source.path}:{call.lineno}"
        for source in files
        for call in source.nodes(ast.Call)
        if last_name(call.func) == "Starlette"
    ]
