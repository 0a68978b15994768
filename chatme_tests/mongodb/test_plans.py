"""MongoDB's plans, as its documentation shows them, in the form that the tests ask for."""

from __future__ import annotations

from typing import Any

import pytest

from chatme_tests.plans import summary

SCAN = {"stage": "IXSCAN", "indexName": "seq"}
FETCH = {"stage": "FETCH", "inputStage": SCAN}


@pytest.mark.parametrize(
    ("winner", "index", "is_sorted", "covered"),
    [
        (FETCH, "seq", True, True),
        ({"stage": "FETCH", "filter": {"a": 1}, "inputStage": SCAN}, "seq", True, False),
        ({"stage": "SORT", "inputStage": FETCH}, "seq", False, True),
        ({"stage": "COLLSCAN", "filter": {"a": 1}}, None, True, False),
        ({"stage": "IDHACK"}, "_id_", True, True),
        ({"stage": "EXPRESS_IXSCAN", "indexName": "_id_"}, "_id_", True, True),
        (
            {"stage": "OR", "inputStages": [SCAN, {"stage": "IXSCAN", "indexName": "rev"}]},
            "seq+rev",
            True,
            True,
        ),
        ({"queryPlan": FETCH}, "seq", True, True),
    ],
)
def test_a_plan_in_short(
    winner: dict[str, Any], index: str | None, is_sorted: bool, covered: bool
) -> None:
    """The index, the order and what is left to look at are read from the winning plan's stages."""
    assert summary(winner) == {"index": index, "sorted": is_sorted, "covered": covered}
