"""Projections, where the conformance suite does not look."""

from __future__ import annotations

from typing import Any

import pytest

from chatme.storage.embedded.errors import Refusal, UnsupportedError
from chatme.storage.embedded.projection import compile_projection


@pytest.mark.parametrize(
    "projection",
    [{"a": {"$slice": 1}}, {"a": "$b"}, {"a.$": 1}, {"a": {"$elemMatch": {}}}],
    ids=repr,
)
def test_out_of_scope(projection: dict[str, Any]) -> None:
    """Expressions are refused by name."""
    with pytest.raises(UnsupportedError, match="projection"):
        compile_projection(projection)


@pytest.mark.parametrize("projection", [{"a": 1, "a.b": 1}, {"a.b": 1, "a": 1}], ids=repr)
def test_collisions(projection: dict[str, Any]) -> None:
    """A field and a part of it cannot both be shown."""
    with pytest.raises(Refusal, match="collision"):
        compile_projection(projection)


def test_nothing_to_do() -> None:
    """Without a projection there is nothing to apply."""
    assert None is compile_projection(None)
    assert None is compile_projection({})


def test_arrays_in_arrays() -> None:
    """A path goes through nested arrays."""
    document = {"_id": 1, "a": [[{"b": 1, "c": 2}], 3]}

    include, exclude = compile_projection({"a.b": 1}), compile_projection({"a.b": 0})

    assert include is not None
    assert include(document) == {"_id": 1, "a": [[{"b": 1}]]}
    assert exclude is not None
    assert exclude(document) == {"_id": 1, "a": [[{"c": 2}], 3]}
