"""What the stand-in server lacks of MongoDB's documented behaviour, case by case.

Each case runs all the same and is expected to fail, so that a newer server that has learned it is
noticed. Only where a failure would spoil the server for others is it left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest

STAND_IN = "mongo-java-server"
"""How the version of the stand-in server ends; no other server has these gaps."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is missing, and the tests (beginnings of their ids) that show it."""

    lacks: str
    tests: tuple[str, ...]
    runs: bool = True


_CURSORS = "conformance/test_cursors.py::"
_FILTERS = "conformance/test_filters.py::"
_INDEXES = "conformance/test_indexes.py::"
_TYPES = "conformance/test_types.py::"
_UPDATES = "conformance/test_updates.py::"
_WRITES = "conformance/test_writes.py::"

GAPS = (
    Gap(
        "Errors of duplicate keys have neither ``keyPattern`` nor ``keyValue``",
        (
            f"{_INDEXES}test_unique[mongodb]",
            f"{_INDEXES}test_unique_compound[mongodb]",
            f"{_INDEXES}test_unique_missing[mongodb]",
            f"{_INDEXES}test_unique_dotted[mongodb]",
            f"{_INDEXES}test_unique_multikey[mongodb]",
            f"{_INDEXES}test_unique_identities[mongodb]",
            f"{_INDEXES}test_partial_unique[mongodb]",
            f"{_INDEXES}test_an_index_over_duplicates[mongodb]",
            f"{_WRITES}test_insert_of_an_id_twice[mongodb]",
            f"{_WRITES}test_find_one_and_duplicate[mongodb]",
        ),
    ),
    Gap(
        "There is no ``explain``: which index serves a query is not told",
        (
            "messages/test_held.py::test_own_reactions_are_taken_along",
            "messages/test_models.py::test_whatever_is_asked_has_an_index",
            "messages/test_models.py::test_a_full_scan_would_show",
            "messages/test_sight.py::test_a_flood_of_the_blocked_is_not_waded_through",
            "notifications/test_service.py::test_every_query_has_its_index",
            "storage/test_engine.py::test_a_prepared_index_is_used",
            "uploads/test_intake.py::test_the_bound_is_counted_in_an_index",
            "users/test_service.py::test_a_search_uses_the_index",
        ),
    ),
    Gap(
        "A failed ``insert_many`` says that all were inserted, in ``nInserted``",
        (f"{_WRITES}test_insert_many_with_a_duplicate[mongodb-",),
    ),
    Gap(
        "An index that contradicts one that is there is taken, and spoils the collection",
        (
            f"{_INDEXES}test_conflicting_indexes[mongodb-another ",
            "conformance/test_odmantic.py::test_configured_again[mongodb]",
        ),
        runs=False,
    ),
    Gap(
        "An index may be both sparse and partial",
        (f"{_INDEXES}test_sparse_with_partial[mongodb]",),
    ),
    Gap(
        "Two parallel arrays in one index are taken",
        (f"{_INDEXES}test_parallel_arrays[mongodb]",),
    ),
    Gap("The index of ``_id`` can be dropped", (f"{_INDEXES}test_drop_index[mongodb]",)),
    Gap(
        "Values of different types sort in another order",
        (f"{_CURSORS}test_order_of_types[mongodb-",),
    ),
    Gap(
        "A projection of ``_id`` alone and an empty one are the same",
        (f"{_CURSORS}test_projection[mongodb-[]-{{'_id': 1}}]",),
    ),
    Gap(
        "A projection that both takes and leaves out is refused with another code",
        (f"{_CURSORS}test_mixed_projection[mongodb]",),
    ),
    Gap("``$limit`` of 0 is taken", (f"{_CURSORS}test_aggregate[mongodb]",)),
    Gap(
        "Filters on arrays, null and paths into arrays find other documents in rare cases",
        (
            f"{_FILTERS}test_filter[mongodb-a whole array-",
            f"{_FILTERS}test_filter[mongodb-an empty array-",
            f"{_FILTERS}test_filter[mongodb-null down a path-",
            f"{_FILTERS}test_filter[mongodb-$gte null-",
            f"{_FILTERS}test_filter[mongodb-two bounds for two elements-",
            f"{_FILTERS}test_filter[mongodb-$exists down an array-",
            f"{_FILTERS}test_filter[mongodb-$all of one-",
        ),
    ),
    Gap(
        "Faulty operands in filters are taken",
        (
            f"{_FILTERS}test_refused_filter[mongodb-{{'a': {{'$all': 1}}}}]",
            f"{_FILTERS}test_refused_filter[mongodb-{{'a': {{'$size': -1}}}}]",
            f"{_FILTERS}test_refused_filter[mongodb-{{'a': {{'$not': 1}}}}]",
            f"{_FILTERS}test_refused_filter[mongodb-{{'a': {{'$regex': 1}}}}]",
            f"{_FILTERS}test_refused_filter[mongodb-{{'a': {{'$gt': re.compile(",
            f"{_FILTERS}test_refused_filter[mongodb-{{'a': {{'$ne': re.compile(",
        ),
    ),
    Gap(
        "Faulty operands in updates are taken, or refused with other codes",
        (
            f"{_UPDATES}test_refused_update[mongodb-{{'$set': {{'nothing.b': 2}}}}-28]",
            f"{_UPDATES}test_refused_update[mongodb-{{'$inc': {{'long': 1}}}}-2]",
            f"{_UPDATES}test_refused_update[mongodb-{{'$push': {{'list': {{'$each': 1}}}}}}-2]",
            f"{_UPDATES}test_refused_update[mongodb-{{'$addToSet': {{'text': 2}}}}-2]",
            f"{_UPDATES}test_refused_update[mongodb-{{'$addToSet': {{'list': {{'$each': 1}}",
            f"{_UPDATES}test_refused_update[mongodb-{{'$set': 1}}-9]",
            f"{_UPDATES}test_refused_update[mongodb-{{'$set': {{'a..b': 1}}}}-56]",
        ),
    ),
    Gap(
        "Fields that an update adds stand in the order of the update, not of their names",
        (
            f"{_UPDATES}test_update[mongodb-$set adds by name]",
            f"{_UPDATES}test_update[mongodb-operators act by name]",
        ),
    ),
    Gap(
        "``$addToSet`` takes 1 and 1.0 for one within what is added",
        (f"{_UPDATES}test_update[mongodb-$addToSet again]",),
    ),
    Gap(
        "Binary values of a subtype of their own end the connection",
        (
            f"{_TYPES}test_round_trip[mongodb-Binary-Binary(b'x', 5)]",
            f"{_TYPES}test_found_by_value[mongodb-Binary(b'x', 5)]",
        ),
    ),
    Gap(
        "An empty document equals any document",
        (f"{_TYPES}test_found_by_value[mongodb-{{}}]",),
    ),
    Gap(
        "A document over 16 MB ends the connection",
        (f"{_TYPES}test_a_document_has_a_limit[mongodb]",),
    ),
)


def gap_of(test: str, gaps: Iterable[Gap] = GAPS) -> Gap | None:
    """The gap that a test falls into, by its id without the tests' folder."""
    for gap in gaps:
        if test.startswith(gap.tests):
            return gap
    return None


def expect(items: Sequence[pytest.Item]) -> None:
    """Marks the tests that fall into a gap."""
    for item in items:
        gap = gap_of(item.nodeid.removeprefix("chatme_tests/"))
        if gap is not None and gap.runs:
            item.add_marker(pytest.mark.xfail(reason=gap.lacks, strict=True))
        elif gap is not None:
            item.add_marker(pytest.mark.skip(reason=gap.lacks))


def table(gaps: Iterable[Gap] = GAPS) -> str:
    """The gaps as they stand in the documentation."""
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - What it lacks", "     - Shown by"]
    for gap in gaps:
        names = dict.fromkeys(each.partition("[")[0] for each in gap.tests)
        shown = ",\n       ".join(f"``{name}``" for name in names)
        left_out = "" if gap.runs else " (left out)"
        lines += [f"   * - {gap.lacks}", f"     - {shown}{left_out}"]
    return "\n".join(lines) + "\n"
