"""What docs/mongodb.rst says of the waits is what is set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from chatme.storage.engine import open_engine
from chatme_tests.fakes import settings_of
from chatme_tests.server import ROOT


async def test_the_waits_are_as_documented(tmp_path: Path) -> None:
    """Each bound of the table is the one that a connection has."""
    text = (ROOT / "docs" / "mongodb.rst").read_text()
    told = dict(re.findall(r"\* - ``(\w+)``\n +- (\d+)", text))
    async with open_engine(settings_of(tmp_path, mongodb_uri="mongodb://127.0.0.1:1")) as engine:
        options: Any = engine.client.options
        pool = options.pool_options
        is_set = {
            "serverSelectionTimeoutMS": options.server_selection_timeout * 1000,
            "connectTimeoutMS": pool.connect_timeout * 1000,
            "waitQueueTimeoutMS": pool.wait_queue_timeout * 1000,
            "socketTimeoutMS": pool.socket_timeout * 1000,
            "maxPoolSize": pool.max_pool_size,
        }

    assert {name: int(value) for name, value in told.items()} == is_set
