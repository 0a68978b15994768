"""Chooses the index that answers a filter and a sort, and the key ranges to read in it. Pure.

An index is used from its first field on: fields held to points by `$eq` or `$in`, then one held
to an interval. The index with the most such fields wins; one whose order is the sort's wins ties.
What the ranges alone do not prove is matched on the documents (`covered` is False).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chatme.storage.embedded import bounds
from chatme.storage.embedded.bounds import Candidate, Range
from chatme.storage.embedded.filters import Condition, Each, Either, Node, Nodes
from chatme.storage.embedded.indexes import IndexSpec
from chatme.storage.embedded.paths import array_index, split

Order = tuple[tuple[str, int], ...]

# More points than this are not multiplied out: the fields after are matched instead.
_POINTS_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Index:
    """An index as the catalog holds it: `arrays` has a bit for each field that held an array."""

    id: int
    spec: IndexSpec
    arrays: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How to read: which index, which half-open key ranges, and what they prove.

    `covered`: the ranges answer the whole filter. `ordered`: they come in the sort's order (read
    backwards where `reverse`). `repeats`: a document may come more than once. `branches`: one plan
    for each branch of an `$or`, read one after another.
    """

    index: Index | None = None
    ranges: tuple[Range, ...] = ()
    covered: bool = False
    ordered: bool = False
    reverse: bool = False
    repeats: bool = False
    branches: tuple[Plan, ...] = ()
    score: tuple[int, ...] = field(default=(), compare=False)


def plan(indexes: Sequence[Index], nodes: Nodes, order: Order) -> Plan:
    """The best plan; without an index that serves, a scan of the whole collection."""
    best = _best(indexes, nodes, order)
    if best.index is not None and best.ranges and best.score[0] + best.score[1] > 0:
        return best
    union = _union(indexes, nodes)
    if union is not None:
        return union
    return best


def _best(indexes: Sequence[Index], nodes: Nodes, order: Order) -> Plan:
    candidates = gather(nodes)
    best = Plan(covered=not nodes, ordered=not order)
    for index in indexes:
        spec = index.spec
        if not order and spec.fields[0].path not in candidates and not spec.conditions:
            continue
        found = _consider(index, candidates, nodes, order)
        if found is not None and found.score > (best.score or (0, 0, 0, 0)):
            best = found
    return best


def gather(nodes: Iterable[Node]) -> dict[str, list[Candidate]]:
    """The conditions that every matching document meets, by path."""
    found: dict[str, list[Candidate]] = {}
    for node in nodes:
        if isinstance(node, Condition):
            for path, condition, exact in _implied(node):
                found.setdefault(path, []).append(Candidate(condition, node if exact else None))
    return found


def _implied(node: Condition) -> list[tuple[str, Condition, bool]]:
    """A condition and what it implies; the flag says that it means no more than that."""
    if node.op == "$all":
        inner = [one for one in node.operand if isinstance(one, Condition)]
        return [(path, one, False) for each in inner for path, one, _ in _implied(each)]
    if node.op == "$elemMatch":
        each: Each = node.operand
        inner = [one for one in each.nodes if isinstance(one, Condition)]
        if each.as_value:
            return [(node.path, one, False) for one in inner if one.op not in {"$all", "$size"}]
        return [
            (f"{node.path}.{path}", condition, False)
            for one in inner
            for path, condition, _ in _implied(one)
            # A number would name a place in an array within the array, not a field.
            if not any(array_index(part) >= 0 for part in split(path))
        ]
    return [(node.path, node, True)]


def _consider(
    index: Index, candidates: dict[str, list[Candidate]], nodes: Nodes, order: Order
) -> Plan | None:
    spec = index.spec
    proved: set[Node] = set()
    if not _complete(spec, candidates, proved):
        return None
    prefixes, points, taken = _points(index, candidates, proved)
    ranges: tuple[Range, ...]
    interval = None
    if taken < len(spec.fields):
        each = spec.fields[taken]
        multikey = bool(index.arrays >> taken & 1)
        interval = bounds.interval(candidates.get(each.path, ()), multikey=multikey, proved=proved)
    if interval is None:
        ranges = tuple((prefix, prefix + bounds.AFTER) for prefix in prefixes)
    else:
        descending = spec.fields[taken].direction < 0
        ranges = tuple(interval.under(prefix, descending=descending) for prefix in prefixes)
    way = 0
    if order and len(ranges) == 1:
        way = _serves(index, points, order)
    score = (taken, int(interval is not None), int(way != 0), int(spec.unique), 1)
    if not any(score[:3]) and not spec.conditions:
        return None
    return Plan(
        index,
        ranges,
        covered=all(node in proved for node in nodes),
        ordered=not order or way != 0,
        reverse=way < 0,
        # Below one point of an array's field a document has one key.
        repeats=any(
            index.arrays >> bit & 1 and (bit >= taken or each.path not in points)
            for bit, each in enumerate(spec.fields)
        ),
        score=score,
    )


def _points(
    index: Index, candidates: dict[str, list[Candidate]], proved: set[Node]
) -> tuple[list[bytes], set[str], int]:
    """The key prefixes of the leading fields held to points; the paths held to a single one."""
    prefixes = [b""]
    single: set[str] = set()
    taken = 0
    for bit, each in enumerate(index.spec.fields):
        multikey = bool(index.arrays >> bit & 1)
        used: set[Node] = set()
        found = bounds.points(candidates.get(each.path, ()), multikey=multikey, proved=used)
        if found is None or len(found) * len(prefixes) > _POINTS_LIMIT:
            break
        if each.direction < 0:
            found = [bounds.invert(key) for key in found]
        prefixes = [prefix + key for prefix in prefixes for key in found]
        proved |= used
        if len(found) == 1:
            single.add(each.path)
        taken = bit + 1
    return sorted(prefixes), single, taken


def _complete(spec: IndexSpec, candidates: dict[str, list[Candidate]], proved: set[Node]) -> bool:
    """Whether the index holds every document that can match; adds what its filter proves."""
    if spec.sparse:
        return any(bounds.implies_presence(candidates.get(each.path, ())) for each in spec.fields)
    for clause in spec.conditions:
        if not isinstance(clause, Condition):
            return False
        for candidate in candidates.get(clause.path, ()):
            if bounds.implies(candidate.condition, clause):
                if candidate.node is not None and bounds.same(candidate.condition, clause):
                    proved.add(candidate.node)
                break
        else:
            return False
    return True


def _serves(index: Index, points: set[str], order: Order) -> int:
    """1 or -1 where the index read forwards or backwards gives the order, else 0.

    Fields held to a point are constant and may be skipped, unless they hold arrays.
    """
    fixed = {
        each.path
        for bit, each in enumerate(index.spec.fields)
        if each.path in points and not index.arrays >> bit & 1
    }
    wanted = [(path, direction) for path, direction in order if path not in fixed]
    way = 0
    place = 0
    fields = index.spec.fields
    for path, direction in wanted:
        while place < len(fields) and fields[place].path in points and fields[place].path != path:
            place += 1
        if place == len(fields) or fields[place].path != path or index.arrays >> place & 1:
            return 0
        turn = direction * fields[place].direction
        if way not in (0, turn):
            return 0
        way = turn
        place += 1
    return way or 1


def _union(indexes: Sequence[Index], nodes: Nodes) -> Plan | None:
    for node in nodes:
        if not isinstance(node, Either):
            continue
        rest = tuple(other for other in nodes if other is not node)
        branches = []
        for branch in node.branches:
            found = _best(indexes, (*rest, *branch), ())
            if found.index is None or found.score[0] + found.score[1] == 0:
                break
            branches.append(found)
        else:
            return Plan(repeats=True, branches=tuple(branches))
    return None
