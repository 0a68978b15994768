"""Whoever watches the server finds every metric in the documentation, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from chatme.metrics import Metrics
from chatme.realtime.close import Close
from chatme.settings import Settings
from chatme.wiring import open_services
from chatme_tests.fakes import settings_of
from chatme_tests.server import ROOT

TEXT = (ROOT / "docs" / "operations.rst").read_text()


def test_every_metric_is_documented() -> None:
    """Each family stands in the table, and each name there is a family."""
    named = set(re.findall(r"``((?:chatme|process|python_gc)_[a-z_]+)``", TEXT))
    families = Metrics("1").registry.collect()

    assert named == {each.name + "_total" * (each.type == "counter") for each in families}


def test_the_tables_are_whole() -> None:
    """No text of a table stands between its columns: reStructuredText would refuse it whole."""
    lines = TEXT.splitlines()
    rules = [at for at, line in enumerate(lines) if re.fullmatch(r"=+( =+)+", line)]
    assert len(rules) % 3 == 0
    for first, last in zip(rules[::3], rules[2::3], strict=True):
        gaps = [at for at, mark in enumerate(lines[first]) if mark == " "]
        for line in lines[first : last + 1]:
            assert [line[at] for at in gaps if at < len(line) and line[at] != " "] == [], line


def test_every_name_is_real() -> None:
    """The settings and the reasons that are named are there."""
    settings = {name.upper() for name in Settings.model_fields}
    reasons = {each.name.lower() for each in Close}

    assert set(re.findall(r"``([A-Z]+(?:_[A-Z]+)+)``", TEXT)) <= settings
    assert "too_slow" in reasons


async def test_every_queue_and_part_is_documented(tmp_path: Path) -> None:
    """The queues that are read and the parts that health asks stand in the tables."""
    async with open_services(settings_of(tmp_path, redis_url="redis://127.0.0.1:1")) as services:
        text = (await services.scrape.metrics.expose()).decode()
        parts = (await services.health.report()).details
    queues = re.findall(r'chatme_queue_depth{queue="(\w+)"}', text)

    assert [name for name in (*queues, *parts) if f"``{name}``" not in TEXT] == []


def test_the_readme_leads_here() -> None:
    """Who reads the README finds the page."""
    assert "docs/operations.rst" in (ROOT / "README.rst").read_text()
