"""HTML without a template engine."""

from __future__ import annotations

from chatme.manual.html import Html, element, join, prose, table

EVIL = "<script>alert('x')</script> & \"more\""


def test_text_is_escaped() -> None:
    """What is not HTML already cannot become any, neither in text nor in an attribute."""
    found = element("p", EVIL, title=EVIL)

    assert "<script" not in found
    assert found.startswith('<p title="&lt;script&gt;')
    assert "&quot;more&quot;" in found
    assert join(EVIL).count("&amp;") == 1


def test_html_is_kept() -> None:
    """What is HTML already is not escaped once more, however deep it stands."""
    inner = element("b", "x & y")

    assert element("p", "a", [element("i", [inner])]) == "<p>a<i><b>x &amp; y</b></i></p>"
    assert join(Html("<hr>")) == "<hr>"


def test_attributes_have_python_s_names() -> None:
    """A word that Python keeps for itself takes a line behind it, a dash is a line."""
    assert element("i", class_="a", aria_label="b") == '<i class="a" aria-label="b"></i>'
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_prose_has_code() -> None:
    """Words in ticks are code, drawn as wanted; the rest is text."""
    assert prose("a `b<c` & d") == "a <code>b&lt;c</code> &amp; d"
    assert prose("`x`", lambda word: element("kbd", word)) == "<kbd>x</kbd>"
    assert prose("a ` b") == "a ` b"


def test_a_table_names_its_columns() -> None:
    """A table has a head whose cells are the columns', and a row for each row."""
    found = table(("A", "B"), [("1", element("i", "2"))])

    assert found == (
        '<div class="table"><table><thead><tr><th scope="col">A</th><th scope="col">B</th></tr>'
        "</thead><tbody><tr><td>1</td><td><i>2</i></td></tr></tbody></table></div>"
    )
