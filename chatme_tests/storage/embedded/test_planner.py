"""Which index serves what, and that an index never changes an answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatme.storage.embedded.filters import parse
from chatme.storage.embedded.indexes import document_keys, id_index, parse_index
from chatme.storage.embedded.keys import encode
from chatme.storage.embedded.matcher import compile_nodes
from chatme.storage.embedded.paths import sort_key, split
from chatme.storage.embedded.planner import Index, Plan, plan


def index(number: int, key: dict[str, int], arrays: int = 0, **options: Any) -> Index:
    """An index named for its key."""
    name = "_".join(f"{path}{way}" for path, way in key.items())
    return Index(number, parse_index({"name": name, "key": key, **options}), arrays)


MESSAGES = (
    Index(1, id_index()),
    index(2, {"conversation": 1, "seq": 1}, unique=True),
    index(3, {"conversation": 1, "rev": 1}, unique=True),
    index(
        4,
        {"sender": 1, "clientId": 1},
        unique=True,
        partialFilterExpression={"clientId": {"$exists": True}},
    ),
    index(5, {"tags": 1, "at": -1}, arrays=1),
    index(6, {"maybe": 1}, sparse=True),
    index(7, {"name": 1}),
    index(8, {"room": 1, "words": 1, "at": 1}, arrays=0b010),
)


def chosen(filter: dict[str, Any], *order: tuple[str, int]) -> tuple[str | None, bool, bool]:
    """(index, covered, sorted) of the plan."""
    found: Plan = plan(MESSAGES, parse(filter), order)
    return found.index.spec.name if found.index else None, found.covered, found.ordered


@pytest.mark.parametrize(
    ("filter", "order", "expected"),
    [
        ({}, (), (None, True, True)),
        ({"_id": 1}, (), ("_id_", True, True)),
        ({"_id": {"$in": [1, 2]}}, (), ("_id_", True, True)),
        ({"_id": 1, "other": 2}, (), ("_id_", False, True)),
        ({"conversation": 1, "seq": 5}, (), ("conversation1_seq1", True, True)),
        (
            {"conversation": 1, "seq": {"$lt": 5}},
            (("seq", -1),),
            ("conversation1_seq1", True, True),
        ),
        ({"conversation": 1}, (("rev", 1),), ("conversation1_rev1", True, True)),
        (
            {"conversation": 1, "rev": {"$gt": 3, "$lte": 9}},
            (("rev", 1),),
            ("conversation1_rev1", True, True),
        ),
        (
            {"conversation": 1},
            (("conversation", -1), ("seq", 1)),
            ("conversation1_seq1", True, True),
        ),
        ({"conversation": {"$in": [1, 2]}}, (("seq", 1),), ("conversation1_seq1", True, False)),
        ({}, (("conversation", -1), ("rev", -1)), ("conversation1_rev1", True, True)),
        ({}, (("conversation", -1), ("rev", 1)), (None, True, False)),
        ({"sender": 1, "clientId": "x"}, (), ("sender1_clientId1", True, True)),
        ({"sender": 1}, (), (None, False, True)),
        ({"sender": 1, "clientId": None}, (), (None, False, True)),
        ({"sender": 1, "clientId": {"$exists": True}}, (), ("sender1_clientId1", True, True)),
        ({"tags": "x"}, (("at", -1),), ("tags1_at-1", True, True)),
        ({"tags": "x"}, (("at", 1),), ("tags1_at-1", True, True)),
        ({"tags": {"$gt": 1, "$lt": 5}}, (), ("tags1_at-1", False, True)),
        ({"tags": {"$all": ["x", "y"]}}, (), ("tags1_at-1", False, True)),
        ({"tags": {"$elemMatch": {"$gt": 1}}}, (), ("tags1_at-1", False, True)),
        ({"tags": None}, (), ("tags1_at-1", False, True)),
        ({"tags": ["x"]}, (), (None, False, True)),
        ({}, (("tags", 1),), (None, True, False)),
        ({"maybe": 1}, (), ("maybe1", True, True)),
        ({"maybe": None}, (), (None, False, True)),
        ({}, (("maybe", 1),), (None, True, False)),
        ({"name": {"$regex": "^ab"}}, (("name", 1),), ("name1", False, True)),
        ({"name": {"$regex": "ab"}}, (), (None, False, True)),
        ({"name": {"$ne": 1}}, (("name", 1),), ("name1", False, True)),
        ({"$and": [{"conversation": 1}, {"seq": 2}]}, (), ("conversation1_seq1", True, True)),
    ],
    ids=repr,
)
def test_choice(filter: dict[str, Any], order: Any, expected: Any) -> None:
    """The best index is used, and said to prove no more than it does."""
    assert expected == chosen(filter, *order)


def test_either() -> None:
    """An `$or` is served by an index for each branch, or not at all."""
    both = plan(MESSAGES, parse({"$or": [{"_id": 1}, {"name": 2}]}), ())
    one = plan(MESSAGES, parse({"$or": [{"_id": 1}, {"other": 2}]}), ())

    assert [each.index.id for each in both.branches if each.index] == [1, 7]
    assert one.branches == ()


def test_an_elements_place_is_no_field() -> None:
    """What an `$elemMatch` says of a place is not looked up as a field."""
    only = (index(1, {"a.0": 1}, arrays=1),)

    assert None is plan(only, parse({"a": {"$elemMatch": {"0": 1}}}), ()).index


small = st.sampled_from([None, 0, 1, 2, 2.0, 3, "a", "ab", "b", float("nan"), True])
arrays = st.lists(small, max_size=3)
inner = st.dictionaries(st.sampled_from(["c", "d"]), small | arrays, max_size=2)
field = small | arrays | inner | st.lists(inner | small, max_size=3)
documents = st.fixed_dictionaries({}, optional={"a": field, "b": small, "c": small})
operand = small
test = st.one_of(
    operand,
    st.builds(lambda value: {"$eq": value}, operand),
    st.builds(
        lambda op, value: {op: value},
        st.sampled_from(["$gt", "$gte", "$lt", "$lte", "$ne"]),
        operand.filter(lambda value: value is not None),
    ),
    st.builds(lambda low, high: {"$gte": low, "$lt": high}, operand, operand),
    st.builds(lambda op, some: {op: some}, st.sampled_from(["$in", "$nin"]), arrays),
    st.builds(lambda some: {"$all": some}, arrays),
    st.builds(lambda yes: {"$exists": yes}, st.booleans()),
    st.just({"$regex": "^a"}),
    st.builds(lambda value: {"$elemMatch": {"$gte": value}}, operand),
    st.builds(lambda value: {"$elemMatch": {"c": value}}, operand),
)
conjunction = st.dictionaries(
    st.sampled_from(["a", "b", "c", "a.c", "a.d", "a.0"]), test, max_size=3
)
filters = conjunction | st.builds(
    lambda branches, rest: {**rest, "$or": branches},
    st.lists(conjunction.filter(bool), min_size=1, max_size=2),
    conjunction,
)
keys = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "a.c", "a.0"]), st.sampled_from([1, -1])),
    min_size=1,
    max_size=2,
    unique_by=lambda pair: pair[0],
)
options: Any = st.sampled_from(
    [
        {},
        {"sparse": True},
        {"partialFilterExpression": {"b": {"$exists": True}}},
        {"partialFilterExpression": {"b": {"$gte": 1}}},
        {"partialFilterExpression": {"a": "a"}},
    ]
)


def indexed(key: list[tuple[str, int]], option: dict[str, Any], items: list[Any]) -> Any:
    """An index over the items with its rows in order, or None where it cannot hold them."""
    made = parse_index({"name": "it", "key": dict(key), **option})
    if sum(path.startswith("a") for path, _ in key) > 1:
        return None
    rows, met = [], 0
    for rid, item in enumerate(items):
        found, bits = document_keys(made, item)
        met |= bits
        rows += [(each + rid.to_bytes(8, "big"), rid) for each in found]
    return Index(1, made, met), sorted(rows)


def read(found: Plan, rows: list[tuple[bytes, int]], count: int) -> list[int]:
    """The rids that a plan reads, in its order."""
    if found.branches:
        return [rid for each in found.branches for rid in read(each, rows, count)]
    if found.index is None:
        return list(range(count))
    rids = [rid for low, high in found.ranges for key, rid in rows if low <= key < high]
    return rids[::-1] if found.reverse else rids


@given(st.lists(documents, max_size=6), keys, options, filters, keys)
def test_an_index_changes_no_answer(
    items: list[Any], key: Any, option: Any, filter: Any, order: Any
) -> None:
    """What an index serves is what a look at every document finds, and in order where it says."""
    made = indexed(key, option, items)
    if made is None:
        return
    nodes = parse(filter)
    matches = compile_nodes(nodes)
    expected = {rid for rid, item in enumerate(items) if matches(item)}

    for wanted in ((), tuple(order)):
        found = plan((made[0],), nodes, wanted)
        rids = read(found, made[1], len(items))
        assert found.repeats or len(rids) == len(set(rids))
        assert expected <= set(rids)
        assert not found.covered or expected == set(rids)
        if found.ordered and wanted:
            parts = tuple((split(path), way) for path, way in wanted)
            sort_keys = [sort_key(items[rid], parts) for rid in dict.fromkeys(rids)]
            assert sorted(sort_keys) == sort_keys


@pytest.mark.parametrize(
    ("filter", "repeats"),
    [
        ({"room": 1, "words": "a"}, False),
        ({"room": {"$in": [1, 2]}, "words": "a", "at": {"$gt": 3, "$lt": 9}}, False),
        ({"room": 1, "words": {"$in": ["a", "b"]}}, True),
        ({"room": {"$in": [1, 2]}, "words": {"$gt": "a"}}, True),
        ({"room": 1}, True),
    ],
)
def test_one_element_of_an_array_does_not_repeat(filter: dict[str, Any], repeats: bool) -> None:
    """A document comes once below a single element of its array, in however many groups."""
    assert plan(MESSAGES, parse(filter), ()).repeats is repeats


def test_ranges_ascend_and_are_apart() -> None:
    """The ranges of several points come in key order."""
    found = plan(MESSAGES, parse({"conversation": {"$in": [3, 1, 2]}, "seq": {"$gte": 5}}), ())

    assert [encode(n) for n in (1, 2, 3)] == [low[: len(encode(1))] for low, _ in found.ranges]
    flat = [bound for span in found.ranges for bound in span]
    assert sorted(flat) == flat
