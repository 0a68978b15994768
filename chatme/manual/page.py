"""The AsyncAPI document of the socket as a page; every word of it comes from the document. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from chatme.manual.fields import labelled
from chatme.manual.html import Html, element, prose, table
from chatme.manual.shell import contents, entry, example, section, shapes, whole_page

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
        return whole_page(self._info["title"], "style.css", self._contents(), self._main())

    def _contents(self) -> Html:
        commands, events = self._commands, self._events
        return contents(
            self._info["title"],
            entry("A client's life", "life", map(_step_link, self._info["x-life"])),
            entry("Commands", "commands", [self._link(each["title"]) for each in commands]),
            entry("Events", "events", [self._link(each["title"]) for each in events]),
            entry("Error codes", "errors"),
            entry("Close codes", "closes"),
            entry("Limits", "limits"),
            entry("Shapes", "shapes"),
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
                    " · ",
                    element("a", "REST", href="../docs"),
                    class_="quiet",
                ),
            ),
            section("life", "A client's life", self._life()),
            section("commands", "Commands", self._operations(self._commands)),
            section("events", "Events", self._operations(self._events)),
            section("errors", "Error codes", self._errors()),
            section("closes", "Close codes", self._closes()),
            section("limits", "Limits", self._limits()),
            section("shapes", "Shapes", shapes(self._schemas)),
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
            example(message["examples"][0]["payload"]),
            id=anchor,
        )

    def _message(self, ref: Json) -> Json:
        found: Json = self._messages[ref["$ref"].rpartition("/")[2]]
        return found

    def _data(self, title: str, message: Json) -> Html:
        ref = message["payload"]["properties"]["data"]
        return labelled(title, ref, self._schemas[ref["$ref"].rpartition("/")[2]])

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
