"""Shapes that are only described."""

from __future__ import annotations

from chatme.manual.rest.shapes import Export


def test_an_export_has_all_sections() -> None:
    """The shape of an export names the user and every section, none of which may be missing."""
    fields = Export.model_fields

    assert next(iter(fields)) == "user"
    assert len(fields) == 8
    assert all(each.is_required() for each in fields.values())
