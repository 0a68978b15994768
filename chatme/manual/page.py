"""The AsyncAPI document of the socket as a page; every word of it comes from the document. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from chatme.manual.fields import fields, labelled, notes_of, shape_anchor, type_of
from chatme.manual.html import Html, element, prose, table

Json = dict[str, Any]


def render(document: Mapping[str, Any]) -> str:
    """The page, whole, with nothing from elsewhere but the stylesheet beside it."""
    return _Page(document).html()


class _Page:
    """Lives for one page."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._info = document["info"]
        self._channel = document["channels"]["chat"]
        self._messages = document["components"]["messages"]
        self._schemas = document["components"]["schemas"]
        self._security = document["components"]["securitySchemes"]
        operations = document["operations"].values()
        self._commands = _by_room(each for each in operations if each["action"] == "receive")
        self._events = _by_room(each for each in operations if each["action"] == "send")
        self._anchors = {
            **{each["title"]: f"command-{each['title']}" for each in self._commands},
            **{each["title"]: f"event-{each['title']}" for each in self._events},
        }
        self._anchors["ack"] = "ack"

    def html(self) -> str:
        title = self._info["title"]
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("title", title),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("link", rel="stylesheet", href="style.css"),
        )
        body = element(
            "body",
            element("a", "Skip to the content", class_="skip", href="#content"),
            element("div", self._contents(), self._main(), class_="page"),
        )
        return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"

    def _contents(self) -> Html:
        def listed(title: str, anchor: str, links: Iterable[Html] = ()) -> Html:
            links = [element("li", link) for link in links]
            return element(
                "li",
                element("a", title, href=f"#{anchor}"),
                element("ul", links) if links else "",
            )

        commands, events = self._commands, self._events
        return element(
            "nav",
            element("p", element("a", self._info["title"], href="#content"), class_="home"),
            element(
                "ul",
                listed("A client's life", "life", map(_step_link, self._info["x-life"])),
                listed("Commands", "commands", [self._link(each["title"]) for each in commands]),
                listed("Events", "events", [self._link(each["title"]) for each in events]),
                listed("Error codes", "errors"),
                listed("Close codes", "closes"),
                listed("Limits", "limits"),
                listed("Shapes", "shapes"),
            ),
            aria_label="Contents",
        )

    def _main(self) -> Html:
        return element(
            "main",
            element(
                "header",
                element("h1", self._info["title"]),
                element("p", self._prose(self._info["description"]), class_="lead"),
                element(
                    "p",
                    f"Version {self._info['version']} · ",
                    element("a", "asyncapi.json", href="../asyncapi.json"),
                    class_="quiet",
                ),
            ),
            self._section("life", "A client's life", self._life()),
            self._section("commands", "Commands", self._operations(self._commands)),
            self._section("events", "Events", self._operations(self._events)),
            self._section("errors", "Error codes", self._errors()),
            self._section("closes", "Close codes", self._closes()),
            self._section("limits", "Limits", self._limits()),
            self._section("shapes", "Shapes", self._shapes()),
            id="content",
        )

    def _life(self) -> Iterator[str]:
        yield element("ol", [self._step(step) for step in self._info["x-life"]], class_="life")
        yield element("h3", "Three ways to authenticate")
        yield table(
            ("Way", "How"),
            (
                (element("code", name), self._prose(scheme["description"]))
                for name, scheme in self._security.items()
            ),
        )

    def _step(self, step: Json) -> Html:
        lines = [
            element("span", line, class_="up" if line.startswith(">") else "down")
            for line in step["frames"]
        ]
        return element(
            "li",
            element("h3", _step_link(step, class_="anchor")),
            element("p", self._prose(step["text"])),
            element("pre", element("code", lines)),
            id=_step_anchor(step),
        )

    def _operations(self, operations: list[Json]) -> Iterator[str]:
        for room, group in groupby(operations, _room):
            yield element("h3", "The socket" if room == "realtime" else room.capitalize())
            yield from (self._operation(each) for each in group)

    def _operation(self, operation: Json) -> Html:
        name = operation["title"]
        parts = [
            element("p", self._prose(operation[key]))
            for key in ("summary", "description")
            if key in operation
        ]
        message = self._message(operation["messages"][0])
        parts.append(self._data("Data", message))
        if "reply" in operation:
            parts.append(self._data("Ack", self._message(operation["reply"]["messages"][0])))
        anchor = self._anchors[name]
        return element(
            "article",
            element("h4", element("a", element("code", name), href=f"#{anchor}", class_="anchor")),
            parts,
            self._example(message),
            id=anchor,
        )

    def _message(self, ref: Json) -> Json:
        found: Json = self._messages[ref["$ref"].rpartition("/")[2]]
        return found

    def _data(self, title: str, message: Json) -> Html:
        ref = message["payload"]["properties"]["data"]
        return labelled(title, ref, self._schemas[ref["$ref"].rpartition("/")[2]])

    def _example(self, message: Json) -> Html:
        text = json.dumps(message["examples"][0]["payload"], indent=2, ensure_ascii=False)
        return element(
            "details",
            element("summary", "Example"),
            element("pre", element("code", text)),
        )

    def _errors(self) -> Html:
        meanings = self._schemas["ErrorCode"]["x-meanings"]
        rows = ((element("code", code), self._prose(text)) for code, text in meanings.items())
        return table(("Code", "Meaning"), rows)

    def _closes(self) -> Html:
        rows = (
            (
                element("code", str(each["code"]), id=f"close-{each['code']}"),
                each["reason"],
                element("span", each["text"], class_=f"come-{each['comeBack']}"),
            )
            for each in self._channel["x-close-codes"]
        )
        return table(("Code", "Why", "What to do"), rows)

    def _limits(self) -> Html:
        rows = (
            (each["name"], element("strong", each["value"]), self._prose(each["text"]))
            for each in self._channel["x-limits"]
        )
        return table(("What", "How much", "And then"), rows)

    def _shapes(self) -> Iterator[str]:
        for name, schema in self._schemas.items():
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

    @staticmethod
    def _section(anchor: str, title: str, content: str | Iterator[str]) -> Html:
        heading = element("h2", element("a", title, href=f"#{anchor}", class_="anchor"))
        return element("section", heading, content, id=anchor)

    def _prose(self, text: str) -> Html:
        return prose(text, self._link)

    def _link(self, word: str) -> Html:
        """A word of code; the name of a command or an event leads to it."""
        code = element("code", word)
        if word not in self._anchors:
            return code
        return element("a", code, href=f"#{self._anchors[word]}", class_="word")


def _by_room(operations: Iterable[Json]) -> list[Json]:
    """Those of one room together, the rooms in the order in which they first come."""
    rooms: dict[str, list[Json]] = {}
    for each in operations:
        rooms.setdefault(_room(each), []).append(each)
    return [each for room in rooms.values() for each in room]


def _room(operation: Json) -> str:
    return str(operation["tags"][0]["name"])


def _step_anchor(step: Json) -> str:
    return str(step["name"]).lower()


def _step_link(step: Json, **attributes: str) -> Html:
    return element("a", step["name"], href=f"#{_step_anchor(step)}", **attributes)
