"""How the database would answer a query: by which index, if by any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from odmantic import AIOEngine
from pymongo.errors import OperationFailure

from chatme.storage.embedded.client import EmbeddedClient


@dataclass(frozen=True, slots=True)
class Plan:
    """``scans``: every document is looked at; ``sorts``: the order is made after reading all."""

    scans: bool
    sorts: bool


async def explain(
    engine: AIOEngine,
    collection: str,
    filter_: Mapping[str, Any],
    sort: Sequence[tuple[str, int]] = (),
) -> Plan | None:
    """The plan of one query; None where the server does not tell."""
    if isinstance(engine.client, EmbeddedClient):
        embedded = engine.client[engine.database_name][collection]
        told = await embedded.explain(filter_, list(sort))
        return Plan(told["index"] is None, bool(sort) and not told["sorted"])
    query = {"find": collection, "filter": filter_, "sort": dict(sort)}
    try:
        answer = await engine.database.command({"explain": query, "verbosity": "queryPlanner"})
    except OperationFailure:
        return None
    return plan_of(answer)


def plan_of(answer: Mapping[str, Any]) -> Plan | None:
    """What MongoDB's explanation says, in any of its shapes; None where it says nothing."""
    winning = answer.get("queryPlanner", {}).get("winningPlan")
    if not winning:
        return None
    stages = set(_stages(winning))
    return Plan("COLLSCAN" in stages, "SORT" in stages)


def _stages(part: Any) -> Iterator[str]:
    """The names of all stages, however deep, also of each shard and of either engine."""
    if isinstance(part, Mapping):
        if isinstance(part.get("stage"), str):
            yield part["stage"].upper()
        for each in part.values():
            yield from _stages(each)
    elif isinstance(part, list):
        for each in part:
            yield from _stages(each)
