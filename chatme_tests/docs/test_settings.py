"""Every setting is documented, and nothing is that is not there."""

from __future__ import annotations

import re

from chatme.settings import Settings
from chatme_tests.server import ROOT


def _names() -> set[str]:
    return {name.upper() for name in Settings.model_fields}


def test_the_readme_names_every_setting() -> None:
    """Each setting stands in the README's table, and each name there is a setting."""
    table = (ROOT / "README.rst").read_text().split("Configuration\n")[1].split("Architecture\n")[0]

    assert _names() | {"NODE_ENV"} == set(re.findall(r"``([A-Z][A-Z_]+[A-Z])``", table))


def test_the_readme_s_table_is_one() -> None:
    """No text of the table stands between its columns: reStructuredText would refuse it whole."""
    lines = (ROOT / "README.rst").read_text().splitlines()
    rules = [at for at, line in enumerate(lines) if re.fullmatch(r"=+( =+)+", line)]
    gaps = [at for at, mark in enumerate(lines[rules[0]]) if mark == " "]

    assert len(rules) == 3
    for line in lines[rules[0] : rules[-1]]:
        assert [line[at] for at in gaps if at < len(line) and line[at] != " "] == [], line


def test_the_example_names_every_setting() -> None:
    """Each setting stands in .env.example, and each name there is a setting."""
    lines = (ROOT / ".env.example").read_text().splitlines()

    assert _names() == {match[1] for line in lines if (match := re.match(r"#?([A-Z_]+)=", line))}
