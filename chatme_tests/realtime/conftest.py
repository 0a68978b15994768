"""Runs the protocol classes' tests on both event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from chatme_tests.loops import loop_factories


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops that a test runs on."""
    return loop_factories(item)
