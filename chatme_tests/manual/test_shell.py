"""What all pages share."""

from __future__ import annotations

from chatme.manual.html import Html, element
from chatme.manual.shell import contents, entry, example, section, shapes, whole_page
from chatme_tests.manual.reader import Reader


def test_a_page_is_whole() -> None:
    """A page has its title, its style, a way past the contents, and both its parts."""
    main = element("main", section("a", "A & B", "text"), id="content")
    reader = Reader(whole_page("T<", "x.css", contents("T<", entry("A", "a")), main))

    assert reader.open == []
    assert reader.links == ["x.css", "#content", "#content", "#a", "#a"]
    assert set(reader.ids) == {"content", "a"}
    assert "A & B" in reader.text


def test_an_entry_has_what_stands_below_it() -> None:
    """A line of the contents has a list only where there is something in it."""
    assert "<ul>" not in entry("A", "a")
    assert entry("A", "a", [Html("<b>1</b>")]).count("<li>") == 2


def test_an_example_is_folded_text() -> None:
    """An example is JSON that one can read, and no HTML."""
    found = example({"a": "<é>"}, "One")

    assert found.startswith("<details><summary>One</summary>")
    assert "&lt;é&gt;" in found


def test_shapes_have_anchors() -> None:
    """An object shows its fields, anything else its type, each with an anchor."""
    found = "".join(
        shapes(
            {
                "Thing": {"type": "object", "properties": {"id": {"type": "string"}}},
                "Id": {"type": "string", "description": "24 digits."},
            }
        )
    )
    reader = Reader(found)

    assert reader.ids == ["shape-Thing", "shape-Id"]
    assert "24 digits." in reader.text
    assert reader.tags["table"] == 1
