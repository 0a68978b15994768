"""How a query is answered, told in one form by both engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chatme.storage.embedded.collection import EmbeddedCollection

Stage = Mapping[str, Any]


async def plan_of(
    collection: Any, filter_: Mapping[str, Any], sort: Sequence[tuple[str, int]] | None = None
) -> dict[str, Any]:
    """Which ``index`` serves a query (None: all is read), whether it gives the order (``sorted``)
    and whether it alone decides what fits (``covered``)."""
    if isinstance(collection, EmbeddedCollection):
        return await collection.explain(filter_, sort=list(sort) if sort else None)
    cursor = collection.find(filter_)
    if sort:
        cursor = cursor.sort(list(sort))
    return summary((await cursor.explain())["queryPlanner"]["winningPlan"])


def summary(winner: Stage) -> dict[str, Any]:
    """MongoDB's winning plan in our form."""
    stages = list(_stages(winner.get("queryPlan", winner)))
    names = ["_id_" if each["stage"] == "IDHACK" else each.get("indexName") for each in stages]
    return {
        "index": "+".join(dict.fromkeys(each for each in names if each)) or None,
        "sorted": not any(each["stage"] == "SORT" for each in stages),
        "covered": not any("filter" in each for each in stages),
    }


def _stages(stage: Stage) -> Iterator[Stage]:
    yield stage
    if "inputStage" in stage:
        yield from _stages(stage["inputStage"])
    for each in stage.get("inputStages", ()):
        yield from _stages(each)
