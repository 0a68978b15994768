"""What callers pass, checked and normalised."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from chatme.storage.embedded import requests
from chatme.storage.embedded.errors import UnsupportedError


@pytest.mark.parametrize(
    "options",
    [{"collation": {"locale": "de"}}, {"array_filters": [{}]}, {"let": {"a": 1}}],
    ids=repr,
)
def test_options_out_of_scope(options: dict[str, Any]) -> None:
    """An option that would change the answer is refused by name."""
    with pytest.raises(UnsupportedError, match=next(iter(options))):
        requests.check_options(options)


def test_harmless_options() -> None:
    """Options that change no answer, or say nothing, are accepted."""
    requests.check_options({"hint": "a_1", "max_time_ms": 5, "comment": "x", "collation": None})


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, ()),
        ("a", (("a", 1),)),
        ([("a", -1), ("b", 1)], (("a", -1), ("b", 1))),
        ({"a": -1}, (("a", -1),)),
        (["a", ("b", -1)], (("a", 1), ("b", -1))),
    ],
    ids=repr,
)
def test_orders(sort: Any, expected: Any) -> None:
    """A sort is taken in each of pymongo's shapes."""
    assert expected == requests.order_of(sort)


@pytest.mark.parametrize(
    "sort", [{"a": {"$meta": "textScore"}}, {"a": 2}, {"$natural": 1}], ids=repr
)
def test_orders_out_of_scope(sort: Any) -> None:
    """Another kind of sort is refused."""
    with pytest.raises(UnsupportedError):
        requests.order_of(sort)


def test_dates_in_filters() -> None:
    """A filter's date loses its time zone and what is finer than milliseconds."""
    zone = datetime.timezone(datetime.timedelta(hours=1))
    given = {"at": datetime.datetime(2026, 1, 1, 1, 0, 0, 999999, zone)}

    assert {"at": datetime.datetime(2026, 1, 1, 0, 0, 0, 999000)} == requests.normal(given)


@pytest.mark.parametrize(
    "pipeline",
    [
        [{"$group": {}}],
        [{"$lookup": {}}],
        [{"$limit": 1}, {"$match": {}}],
        [{"$limit": 1}, {"$skip": 1}],
        [{"$sort": {"a": 1}}, {"$sort": {"b": 1}}],
        [{"$match": {}, "$sort": {}}],
    ],
    ids=repr,
)
def test_pipelines_out_of_scope(pipeline: Any) -> None:
    """A pipeline of other stages, or in another order, is refused by the stage's name."""
    with pytest.raises(UnsupportedError, match="aggregation stage"):
        requests.pipeline_of(pipeline)


def test_mistakes() -> None:
    """What is no filter, document, projection, pipeline or update is a TypeError or refused."""
    wrong: Any = 5
    with pytest.raises(TypeError):
        requests.nodes_of(wrong)
    with pytest.raises(TypeError):
        requests.document_bytes(wrong)
    with pytest.raises(TypeError):
        requests.project_of("a")
    with pytest.raises(TypeError):
        requests.pipeline_of("a")
    with pytest.raises(UnsupportedError, match="pipeline"):
        requests.parsed_update([{"$set": {"a": 1}}])
    with pytest.raises(OperationFailure):
        requests.nodes_of({"a": {"$in": 1}})
