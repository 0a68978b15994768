"""What all pages of the manual share: the frame around the content, sections, shapes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chatme.manual.fields import fields, notes_of, shape_anchor, type_of
from chatme.manual.html import Html, element, prose

Json = dict[str, Any]


def whole_page(title: str, style: str, contents: Html, main: Html) -> str:
    """The page, whole, with nothing from elsewhere but the stylesheet, found at ``style``."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("title", title),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="stylesheet", href=style),
    )
    body = element(
        "body",
        element("a", "Skip to the content", class_="skip", href="#content"),
        element("div", contents, main, class_="page"),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def contents(title: str, *entries: Html) -> Html:
    """The table of contents."""
    return element(
        "nav",
        element("p", element("a", title, href="#content"), class_="home"),
        element("ul", entries),
        aria_label="Contents",
    )


def entry(title: str, anchor: str, links: Iterable[Html] = ()) -> Html:
    """A line of the contents, and what stands below it."""
    links = [element("li", link) for link in links]
    return element(
        "li", element("a", title, href=f"#{anchor}"), element("ul", links) if links else ""
    )


def section(anchor: str, title: str, content: str | Iterable[str]) -> Html:
    """A part of the page, to which one can lead."""
    heading = element("h2", element("a", title, href=f"#{anchor}", class_="anchor"))
    return element("section", heading, content, id=anchor)


def example(value: Any, title: str = "Example") -> Html:
    """An example, folded."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return element("details", element("summary", title), element("pre", element("code", text)))


def shapes(schemas: Mapping[str, Json]) -> Iterator[str]:
    """Every shared shape, each with its anchor."""
    for name, schema in schemas.items():
        is_object = schema.get("type") == "object"
        described = prose(schema.get("description", "")) if is_object else notes_of(schema)
        anchor = shape_anchor(name)
        yield element(
            "article",
            element("h4", element("a", name, href=f"#{anchor}", class_="anchor")),
            element("p", described),
            fields(schema)
            if is_object
            else element("p", element("span", type_of(schema), class_="type")),
            id=anchor,
        )
