"""Tells at the end of a run which files outgrow the soft limit; that fails nothing."""

from __future__ import annotations

import pytest

from chatme_tests.house.sizes import SOFT_FILE, large
from chatme_tests.house.source import sources


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the files over the soft limit."""
    over = large(sources("chatme", "chatme_tests"))
    if over:
        terminalreporter.section(f"files over {SOFT_FILE} lines", sep="-")
        for line in over:
            terminalreporter.write_line(line)
