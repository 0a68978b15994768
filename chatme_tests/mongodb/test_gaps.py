"""The table of what the stand-in server lacks is true to the tests and to the documentation."""

from __future__ import annotations

from chatme_tests.mongodb.gaps import GAPS, Gap, gap_of, table
from chatme_tests.server import ROOT


def test_the_documentation_has_the_table() -> None:
    """docs/mongodb.rst lists every gap, and none that is not there."""
    assert table() in (ROOT / "docs" / "mongodb.rst").read_text()


def test_every_gap_is_shown_by_tests_that_are_there() -> None:
    """Each case names a test function in a file of this folder."""
    for gap in GAPS:
        for each in gap.tests:
            path, _, name = each.partition("::")
            text = (ROOT / "chatme_tests" / path).read_text()
            assert f"def {name.partition('[')[0]}(" in text, each


def test_a_gap_is_found_by_the_beginning_of_an_id() -> None:
    """A test falls into the gap that names how its id begins, and else into none."""
    gap = Gap("It", ("a/test_b.py::test_c[mongodb-",))

    assert gap_of("a/test_b.py::test_c[mongodb-1]", [gap]) is gap
    assert gap_of("a/test_b.py::test_c[embedded-1]", [gap]) is None
    assert gap_of("a/test_b.py::test_d", [gap]) is None
