"""Which index serves a query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatme.storage.engine import open_engine
from chatme.storage.explain import Plan, explain, plan_of
from chatme_tests.fakes import settings_of

IXSCAN = {"stage": "FETCH", "inputStage": {"stage": "IXSCAN", "indexName": "seq"}}
COLLSCAN = {"stage": "COLLSCAN", "direction": "forward"}


async def test_the_embedded_engine_tells(tmp_path: Path) -> None:
    """With an index nothing is scanned or sorted; without one all is."""
    async with open_engine(settings_of(tmp_path, mongodb_uri=None)) as engine:
        await engine.database["things"].create_index([("a", 1), ("b", 1)])
        served = await explain(engine, "things", {"a": 1}, (("b", -1),))
        sorted_later = await explain(engine, "things", {"a": 1}, (("c", 1),))
        scanned = await explain(engine, "things", {"b": 1})

    assert served == Plan(scans=False, sorts=False)
    assert sorted_later == Plan(scans=False, sorts=True)
    assert scanned == Plan(scans=True, sorts=False)


@pytest.mark.parametrize(
    ("winning", "plan"),
    [
        (IXSCAN, Plan(scans=False, sorts=False)),
        ({"stage": "SORT", "inputStage": IXSCAN}, Plan(scans=False, sorts=True)),
        ({"stage": "SORT", "inputStage": COLLSCAN}, Plan(scans=True, sorts=True)),
        ({"stage": "IDHACK"}, Plan(scans=False, sorts=False)),
        ({"stage": "EXPRESS_IXSCAN", "indexName": "email"}, Plan(scans=False, sorts=False)),
        ({"stage": "EOF"}, Plan(scans=False, sorts=False)),
        ({"queryPlan": COLLSCAN, "slotBasedPlan": {"stages": "…"}}, Plan(scans=True, sorts=False)),
        (
            {"stage": "OR", "inputStages": [IXSCAN["inputStage"], COLLSCAN]},
            Plan(scans=True, sorts=False),
        ),
        (
            {"stage": "SHARD_MERGE", "shards": [{"winningPlan": COLLSCAN}]},
            Plan(scans=True, sorts=False),
        ),
    ],
)
def test_mongodb_s_words_are_read(winning: dict[str, Any], plan: Plan) -> None:
    """A scan or a sort is seen however deep it is, in the shapes of MongoDB 4 to 8."""
    answer = {"queryPlanner": {"winningPlan": winning, "rejectedPlans": [COLLSCAN]}, "ok": 1.0}

    assert plan_of(answer) == plan


def test_silence_is_no_plan() -> None:
    """A server that answers without a plan has told nothing."""
    assert plan_of({"ok": 1.0}) is None
    assert plan_of({"queryPlanner": {}}) is None
