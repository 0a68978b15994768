"""REST answers held against the OpenAPI document, in which nothing may be that it does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from chatme import app
from chatme.http.endpoint import Endpoint
from chatme.manual.rest.document import rest_document
from chatme_tests.documents import closed, resolve

Json = dict[str, Any]

# The tables of rows that `app` binds without a prefix.
ROOT = frozenset({"FILE_ROUTES", "MANUAL_ROUTES", "METRICS_ROUTES"})
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def tables() -> dict[str, list[Endpoint]]:
    """All rows of the application, by what their paths begin with."""
    found: dict[str, list[Endpoint]] = {app.API: [], "": []}
    for name, rows in vars(app).items():
        if name.endswith("_ROUTES"):
            found["" if name in ROOT else app.API].extend(rows)
    return found


@cache
def judge() -> RestJudge:
    """The judge by the document of this very application."""
    return RestJudge(rest_document(tables(), app.UNLIMITED, app.ALWAYS_SERVED))


def rest_client(**options: Any) -> httpx.AsyncClient:
    """A client each of whose answers is judged as it comes."""
    return httpx.AsyncClient(trust_env=False, event_hooks={"response": [_hear]}, **options)


async def _hear(response: httpx.Response) -> None:
    await response.aread()
    faults = judge().faults(response)
    assert not faults, f"{response.request.method} {response.url}: {faults}: {response.text[:500]}"


class RestJudge:
    """Lives for one document."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self._components = {"components": {"schemas": closed(document["components"]["schemas"])}}
        self._error = self._validator({"$ref": "#/components/schemas/Error"})
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}
        # What is written out goes before what stands for anything, as it does in the app.
        paths = sorted(
            document["paths"], key=lambda path: [each[:1] == "{" for each in path.split("/")]
        )
        self._paths = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]

    def faults(self, response: httpx.Response) -> list[str]:
        """What is wrong with an answer; nothing of one to a path that is not ours."""
        request = response.request
        path = request.url.path
        template = next((each for pattern, each in self._paths if pattern.fullmatch(path)), None)
        if "access-control-request-method" in request.headers:
            return []
        if template is None:
            is_ours = path.startswith(f"{app.API}/")
            return [*self._refusal(response, 404, "not_found")] if is_ours else []
        method = "GET" if request.method == "HEAD" else request.method
        operation = self.document["paths"][template].get(method.lower())
        if operation is None:
            return [*self._refusal(response, 405, "method_not_allowed")]
        return [*self._answer(f"{method} {template}", operation, response)]

    def _answer(self, name: str, operation: Json, response: httpx.Response) -> Iterator[str]:
        status = str(response.status_code)
        if status not in operation["responses"]:
            yield f"{name} does not say {status}"
            return
        documented = self._followed(operation["responses"][status])
        for header, ref in documented["headers"].items():
            if not self._header(self._followed(ref), response.headers.get(header)):
                yield f"{name} says another {header} for {status}"
        content = documented.get("content")
        if content is None:
            if response.content:
                yield f"{name} says no body for {status}"
        elif response.request.method != "HEAD":
            yield from self._body(f"{name} {status}", content, response)

    def _body(self, name: str, content: Json, response: httpx.Response) -> Iterator[str]:
        media = response.headers.get("content-type", "").partition(";")[0]
        if media not in content and "*/*" not in content:
            yield f"{name} does not say {media}"
        elif media == "application/json":
            if name not in self._validators:
                self._validators[name] = self._validator(closed(content[media]["schema"]))
            yield from self._told(self._validators[name], response)

    @staticmethod
    def _header(header: Json, value: str | None) -> bool:
        """Whether a header is as it is described; only what must be there has to."""
        if value is None:
            return not header.get("required")
        schema = header["schema"]
        is_number = schema["type"] == "integer" and value.isascii() and value.isdecimal()
        return jsonschema_rs.is_valid(schema, int(value) if is_number else value)

    def _refusal(self, response: httpx.Response, status: int, code: str) -> Iterator[str]:
        """What is wrong with an error that no operation tells of."""
        if response.status_code != status:
            yield f"{response.status_code} is no {status}"
        if status == 405 and "allow" not in response.headers:
            yield "405 without Allow"
        if response.request.method != "HEAD":
            yield from self._told(self._error, response)
            if response.json()["code"] != code:
                yield f"{response.json()['code']} is not {code}"

    @staticmethod
    def _told(
        validator: jsonschema_rs.Draft202012Validator, response: httpx.Response
    ) -> Iterator[str]:
        for error in validator.iter_errors(response.json()):
            yield f"{'/'.join(map(str, error.instance_path))}: {error.message[:300]}"

    def _followed(self, part: Json) -> Json:
        found: Json = resolve(self.document, part["$ref"]) if "$ref" in part else part
        return found

    def _validator(self, schema: Json) -> jsonschema_rs.Draft202012Validator:
        whole = {**schema, **self._components}
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _vagueness(path: str) -> list[bool]:
    return [part.startswith("{") for part in path.split("/")]
