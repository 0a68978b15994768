"""Each test has a database of its own, wherever the tests' databases are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatme_tests.databases import MONGODB_URI, drop_below, server_version
from chatme_tests.mongodb.gaps import STAND_IN, expect


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expects of the stand-in server no more than it has."""
    if MONGODB_URI and server_version().endswith(STAND_IN):
        expect(items)


@pytest.fixture(scope="session", autouse=True)
def _databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Drops at the end what several tests shared."""
    yield
    if MONGODB_URI:
        drop_below(tmp_path_factory.getbasetemp())


@pytest.fixture(autouse=True)
def _database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drops what the test alone had."""
    if not MONGODB_URI or "tmp_path" not in request.fixturenames:
        yield
        return
    folder: Path = request.getfixturevalue("tmp_path")
    yield
    drop_below(folder)
