"""The OpenAPI 3.1 document, made of the routes' rows and the shapes that they check. Pure.

What rows, shapes and docstrings do not say stands in `words`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from chatme.errors import Code
from chatme.http.endpoint import Endpoint
from chatme.http.paths import Paths
from chatme.manual.rest import errors, words
from chatme.manual.rest.paths import operation_id, path_parameters, tag_of, template
from chatme.realtime.schemas import Json, Schemas, follow, plain
from chatme.shapes import Shape

# Successes that have no body, whatever the route.
_BARE = frozenset({204, 302, 304})
# What is not said again at each route on the page.
_COMMON = (*words.EVERYWHERE, *words.OF_THE_LIMITED, *words.OF_THE_GATED)


@dataclass(frozen=True, slots=True)
class Api:
    """All routes, by what their paths begin with.

    ``unlimited`` are paths that are not counted, ``always_served`` those that go on while the
    database is away, each with all below them; ``stand_ins`` is as in `Schemas`; ``streamed`` names
    the shape of what a handler writes itself.
    """

    version: str
    tables: Mapping[str, Iterable[Endpoint]]
    unlimited: tuple[str, ...] = ()
    always_served: tuple[str, ...] = ()
    stand_ins: Mapping[type[Shape], type[Shape]] = field(default_factory=dict)
    streamed: Mapping[Callable[..., Any], type[Shape]] = field(default_factory=dict)


def build(api: Api) -> Json:
    """The document, as JSON-ready builtins; the same rows make the same document."""
    return _Builder(api).document()


class _Builder:
    """Lives for one document."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._unlimited = Paths(api.unlimited)
        self._always_served = Paths(api.always_served)
        self._rows = [(prefix, row) for prefix, rows in api.tables.items() for row in rows]
        self._schemas = Schemas([*self._shapes()], api.stand_ins)
        self._components: Json = dict(self._schemas.components)
        self._queries = {shape: self._query(shape) for shape in self._query_shapes()}
        self._errors: dict[str, Json] = {}
        self._headers: set[str] = set()
        self._security: set[str] = set()

    def document(self) -> Json:
        paths: Json = {}
        codes = {*words.OUTSIDE}
        tags: set[str] = set()
        for prefix, row in sorted(self._rows, key=_place):
            path = template(prefix + row.path)
            operation = self._operation(prefix, row)
            paths.setdefault(path, {})[row.method.lower()] = operation
            codes.update(*self._codes(prefix, row).values())
            tags.update(operation["tags"])
        return {
            "openapi": "3.1.0",
            "info": {
                "title": words.TITLE,
                "version": self._api.version,
                "description": words.DESCRIPTION,
                "license": {"name": "MIT", "identifier": "MIT"},
                "x-everywhere": [each.value for each in _COMMON],
            },
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "servers": [{"url": "/", "description": "This server."}],
            "externalDocs": {"url": "/docs/realtime", "description": "The socket."},
            "tags": [
                {"name": name, "description": text}
                for name, text in words.TAGS.items()
                if name in tags
            ],
            "paths": paths,
            "components": {
                "schemas": dict(sorted({**self._components, **errors.schemas(codes)}.items())),
                "responses": dict(sorted(self._errors.items())),
                "headers": {
                    name: header for name, header in words.HEADERS.items() if name in self._headers
                },
                "securitySchemes": {
                    name: scheme
                    for name, scheme in words.SECURITY.items()
                    if name in self._security
                },
            },
        }

    def _shapes(self) -> Iterator[tuple[type[Shape], Any]]:
        for _, row in self._rows:
            for shape in row.parameters.values():
                yield shape, "validation"
            for shape in self._answers(row):
                yield shape, "serialization"

    def _answers(self, row: Endpoint) -> tuple[type[Shape], ...]:
        streamed = self._api.streamed.get(row.handler)
        return row.answers if streamed is None else (streamed,)

    def _query_shapes(self) -> Iterator[type[Shape]]:
        found = [row.parameters["query"] for _, row in self._rows if "query" in row.parameters]
        yield from dict.fromkeys(found)

    def _query(self, shape: type[Shape]) -> Json:
        """A query's schema, which is no component: its fields are parameters."""
        ref = self._schemas.ref(shape, "validation")
        query: Json = self._components.pop(ref["$ref"].rpartition("/")[2])
        return query

    def _operation(self, prefix: str, row: Endpoint) -> Json:
        summary, _, more = (inspect.getdoc(row.handler) or "").partition("\n\n")
        tag = tag_of(row.path)
        operation: Json = {
            "operationId": operation_id(row),
            "tags": [tag],
            "summary": plain(summary),
        }
        if more:
            operation["description"] = plain(more)
        operation["security"] = self._security_of(row)
        parameters = [*path_parameters(row), *self._query_parameters(row)]
        if parameters:
            operation["parameters"] = parameters
        body = self._body(row)
        if body:
            operation["requestBody"] = body
        operation["responses"] = self._responses(prefix, row)
        return operation

    def _security_of(self, row: Endpoint) -> list[Json]:
        """Any of these is enough; an empty one says that some need none."""
        schemes = row.credentials if row.public else ("bearer",)
        self._security.update(schemes)
        return [{scheme: []} if scheme else {} for scheme in schemes]

    def _query_parameters(self, row: Endpoint) -> Iterator[Json]:
        if "query" not in row.parameters:
            return
        schema = self._queries[row.parameters["query"]]
        for name, each in schema.get("properties", {}).items():
            yield {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "description": words.PARAMETERS[name],
                "schema": each,
            }

    def _body(self, row: Endpoint) -> Json:
        if row.upload:
            field = row.upload.field
            file = {"type": "string", "format": "binary"}
            form = {"type": "object", "properties": {field: file}, "required": [field]}
            return {"required": True, "content": {"multipart/form-data": {"schema": form}}}
        if "body" not in row.parameters:
            return {}
        shape = row.parameters["body"]
        ref = self._schemas.ref(shape, "validation")
        content = {"schema": ref, "example": self._sample(ref)}
        return {
            "required": self._schemas.requires(shape, "validation"),
            "content": {"application/json": content},
        }

    def _codes(self, prefix: str, row: Endpoint) -> dict[int, tuple[Code, ...]]:
        gated = prefix + row.path not in self._always_served
        return errors.codes_of(row, limited=self._is_limited(prefix, row), gated=gated)

    def _is_limited(self, prefix: str, row: Endpoint) -> bool:
        return prefix + row.path not in self._unlimited

    def _responses(self, prefix: str, row: Endpoint) -> Json:
        names = [*words.ALWAYS, *row.headers]
        if self._is_limited(prefix, row):
            names += words.LIMITED
        found = {status: self._success(row, status, names) for status in (row.status, *row.also)}
        for status, codes in self._codes(prefix, row).items():
            key = errors.response_key(codes)
            self._errors[key] = errors.response(status, codes)
            self._headers.update(self._errors[key]["headers"])
            found.setdefault(status, {"$ref": f"#/components/responses/{key}"})
        return {str(status): found[status] for status in sorted(found)}

    def _success(self, row: Endpoint, status: int, names: list[str]) -> Json:
        self._headers.update(names)
        shapes = self._answers(row)
        described = [self._described(shape) for shape in shapes]
        found: Json = {
            "description": " Or: ".join(filter(None, described)) or HTTPStatus(status).phrase,
            "headers": errors.headers(names),
        }
        if status not in _BARE:
            found["content"] = {row.media: self._content(row.media, shapes)}
        return found

    def _described(self, shape: type[Shape]) -> str:
        schema = follow(self._components, self._schemas.ref(shape, "serialization"))
        return str(schema.get("description", ""))

    def _content(self, media: str, shapes: tuple[type[Shape], ...]) -> Json:
        refs = [self._schemas.ref(shape, "serialization") for shape in shapes]
        match refs:
            case []:
                return {"schema": _unshaped(media)}
            case [ref]:
                return {"schema": ref, "example": self._sample(ref)}
        examples = {ref["$ref"].rpartition("/")[2]: {"value": self._sample(ref)} for ref in refs}
        return {"schema": {"anyOf": refs}, "examples": examples}

    def _sample(self, ref: Json) -> Any:
        name = ref["$ref"].rpartition("/")[2]
        if name in words.EXAMPLES:
            return words.EXAMPLES[name]
        return words.REST_SAMPLES.of(ref, self._components)


def _place(placed: tuple[str, Endpoint]) -> int:
    """Rows of one tag stand together, in the order of the tags."""
    return list(words.TAGS).index(tag_of(placed[1].path))


def _unshaped(media: str) -> Json:
    """The schema of what no shape describes: an object, a text, or bytes, of which none speaks."""
    if media == "application/json":
        return {"type": "object", "additionalProperties": True}
    return {"type": "string"} if media.startswith("text/") else {}
