"""The OpenAPI document as a page; every word of it comes from the document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chatme.manual.fields import fields, labelled, notes_of, type_of
from chatme.manual.html import Html, element, join, prose, table
from chatme.manual.shell import contents, entry, example, section, shapes, whole_page

Json = dict[str, Any]

SCHEMES: Mapping[str, str] = {
    "bearer": "signed in",
    "metricsToken": "with the metrics token",
    "refreshCookie": "with the refresh cookie",
}


def render(document: Mapping[str, Any]) -> str:
    """The page, whole, with nothing from elsewhere but the stylesheet beside it."""
    return _Page(document).html()


class _Page:
    """Lives for one page."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._components = document["components"]
        self._schemas = self._components["schemas"]
        self._tags: dict[str, list[tuple[str, str, Json]]] = {}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                placed = (method.upper(), path, operation)
                self._tags.setdefault(operation["tags"][0], []).append(placed)
        self._common = frozenset(document["info"]["x-everywhere"])

    def html(self) -> str:
        title = self._document["info"]["title"]
        return whole_page(title, "docs/style.css", self._contents(), self._main())

    def _contents(self) -> Html:
        return contents(
            self._document["info"]["title"],
            *(
                entry(tag.capitalize(), tag, [_link(*placed) for placed in self._tags[tag]])
                for tag in self._tags
            ),
            entry("Signing in", "security"),
            entry("Error codes", "errors"),
            entry("Headers", "headers"),
            entry("Shapes", "shapes"),
        )

    def _main(self) -> Html:
        info = self._document["info"]
        return element(
            "main",
            element(
                "header",
                element("h1", info["title"]),
                element("p", prose(info["description"]), class_="lead"),
                element(
                    "p",
                    f"Version {info['version']} · ",
                    element("a", "openapi.json", href="openapi.json"),
                    " · ",
                    element("a", "The socket", href="docs/realtime"),
                    class_="quiet",
                ),
            ),
            [
                section(each["name"], each["name"].capitalize(), self._room(each))
                for each in self._document["tags"]
            ],
            section("security", "Signing in", self._security()),
            section("errors", "Error codes", self._errors()),
            section("headers", "Headers", self._headers()),
            section("shapes", "Shapes", shapes(self._schemas)),
            id="content",
        )

    def _room(self, tag: Json) -> Iterator[str]:
        yield element("p", prose(tag["description"]))
        for method, path, operation in self._tags[tag["name"]]:
            yield self._operation(method, path, operation)

    def _operation(self, method: str, path: str, operation: Json) -> Html:
        anchor = operation["operationId"]
        name = join(element("span", method, class_="method"), " ", path)
        parts = [
            element("p", prose(operation[key]))
            for key in ("summary", "description")
            if key in operation
        ]
        parts.append(element("p", _who(operation), class_="quiet"))
        if "parameters" in operation:
            parts.append(self._parameters(operation["parameters"]))
        if "requestBody" in operation:
            parts.extend(self._content("Body", operation["requestBody"]["content"]))
        for status, response in operation["responses"].items():
            if "$ref" not in response:
                parts.extend(self._answer(status, response))
        parts.append(self._own_errors(operation["responses"]))
        return element(
            "article",
            element("h4", element("a", element("code", name), href=f"#{anchor}", class_="anchor")),
            parts,
            id=anchor,
        )

    def _parameters(self, parameters: list[Json]) -> Html:
        return table(
            ("Parameter", "Type", "Notes"),
            (
                (
                    element("code", each["name"] + ("" if each["required"] else "?")),
                    element("span", type_of(each["schema"]), class_="type"),
                    join(prose(each["description"]), " ", notes_of(each["schema"])),
                )
                for each in parameters
            ),
        )

    def _answer(self, status: str, response: Json) -> Iterator[Html]:
        if "content" in response:
            yield from self._content(status, response["content"])
        else:
            label = element("span", status, class_="label")
            yield element("p", label, element("span", response["description"]), class_="data")

    def _content(self, title: str, content: Json) -> Iterator[Html]:
        for media, each in content.items():
            schema = each["schema"]
            if "$ref" in schema:
                yield labelled(title, schema, self._schemas[schema["$ref"].rpartition("/")[2]])
            else:
                label = element("span", title, class_="label")
                words = element("span", type_of(schema), f" as {media}", class_="type")
                yield element("p", label, words, class_="data")
                yield fields(schema) if "properties" in schema else Html("")
            if "example" in each:
                yield example(each["example"])
            for name, named in each.get("examples", {}).items():
                yield example(named["value"], f"Example: {name}")

    def _own_errors(self, responses: Json) -> Html:
        """The errors of this operation, without those that nearly all have."""
        found = [
            join(status, " ", self._code(code))
            for status, response in responses.items()
            for code in self._codes(response)
            if code not in self._common
        ]
        if not found:
            return Html("")
        label = element("span", "Errors", class_="label")
        spaced = [join(", " if at else "", each) for at, each in enumerate(found)]
        return element("p", label, element("span", spaced), class_="data")

    def _codes(self, response: Json) -> list[str]:
        """The codes of an answer; none of one that is no error."""
        if "$ref" not in response:
            return []
        named = self._components["responses"][response["$ref"].rpartition("/")[2]]
        return list(named["content"]["application/json"]["examples"])

    def _code(self, code: str) -> Html:
        return element("a", element("code", code), href=f"#error-{code}", class_="word")

    def _security(self) -> Html:
        rows = (
            (element("code", name), prose(scheme["description"]))
            for name, scheme in self._components["securitySchemes"].items()
        )
        return table(("Way", "How"), rows)

    def _errors(self) -> Iterator[str]:
        codes = [element("code", code) for code in sorted(self._common)]
        listed = [join(", " if at else "", code) for at, code in enumerate(codes)]
        yield element("p", "Nearly every route may answer with ", listed, ".")
        meanings = self._schemas["ErrorCode"]["x-meanings"]
        rows = (
            (element("code", code, id=f"error-{code}"), prose(text))
            for code, text in meanings.items()
        )
        yield table(("Code", "Meaning"), rows)

    def _headers(self) -> Html:
        rows = (
            (element("code", name), prose(header["description"]))
            for name, header in self._components["headers"].items()
        )
        return table(("Header", "What it says"), rows)


def _link(method: str, path: str, operation: Json) -> Html:
    first, *parts = path.removeprefix("/api/v1")[1:].split("/")
    steps = [(element("wbr"), f"/{part}") for part in parts]  # where a narrow column breaks it
    label = element("code", f"{method} /{first}", *steps)
    return element("a", label, href=f"#{operation['operationId']}")


def _who(operation: Json) -> str:
    ways = [SCHEMES[name] for each in operation["security"] for name in each]
    if not ways:
        return "For everybody."
    some = " Some need none." if {} in operation["security"] else ""
    return f"For callers {' or '.join(ways)}.{some}"
