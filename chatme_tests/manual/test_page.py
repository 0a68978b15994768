"""The page of the socket's document."""

from __future__ import annotations

from pathlib import Path

from chatme.manual.page import render
from chatme.realtime.asyncapi import build
from chatme_tests.manual.reader import Reader, expect_sound
from chatme_tests.realtime.toy import CONTRACT

DOCUMENT = build(CONTRACT)


def test_the_page_is_sound() -> None:
    """Each link leads somewhere, and nothing on the page runs."""
    expect_sound(render(DOCUMENT), {"style.css", "../asyncapi.json", "../docs"})


def test_everything_of_the_document_is_on_the_page() -> None:
    """Commands, events, error codes, close codes, limits, shapes and the life have their place."""
    page = Reader(render(DOCUMENT))
    channel = DOCUMENT["channels"]["chat"]

    assert {"command-throw_bottle", "event-bottle_found", "event-error", "throw"} <= set(page.ids)
    for name in DOCUMENT["components"]["schemas"]:
        assert f"shape-{name}" in page.ids
    for code in DOCUMENT["components"]["schemas"]["ErrorCode"]["enum"]:
        assert code in page.text
    for close in channel["x-close-codes"]:
        assert f"close-{close['code']}" in page.ids
        assert close["text"] in page.text
    assert "Then the sea is full." in page.text
    assert "> splash" in page.text


def test_what_the_document_says_is_only_text() -> None:
    """Words of the document cannot become HTML."""
    evil = {**DOCUMENT, "info": {**DOCUMENT["info"], "title": "<b>&", "description": "`<i>` <i>"}}
    page = render(evil)

    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;&amp;" in page


def test_events_of_a_room_stand_together() -> None:
    """Whatever the document's order, a room's events are under one heading."""
    event = DOCUMENT["operations"]["bottleFound"]
    elsewhere = {**event, "title": "error", "tags": [{"name": "sea"}]}
    operations = {**DOCUMENT["operations"], "error": elsewhere}
    last = {"again": DOCUMENT["operations"]["error"]}
    page = Reader(render({**DOCUMENT, "operations": {**operations, **last}}))

    assert page.text.count("Sea") == 1


def test_the_styles_ask_for_nothing() -> None:
    """The stylesheet loads nothing, and knows light and dark."""
    style = (Path(__file__).parents[2] / "chatme" / "web" / "docs.css").read_text()

    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style
