"""A feature's HTTP routes as rows of a table, and their binding to its service.

A handler is ``async def handler(service, call, body=…, query=…)``: the annotations of ``body``
and ``query`` are the shapes that are read and checked before it runs, and the annotation of what
it returns is the answer's shape. So the signature is the documentation, and cannot drift from it;
what it cannot say (error codes, headers, other statuses) stands in the row.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from bson import ObjectId
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chatme.errors import ChatMeError, Code, MethodNotAllowed, NotAuthenticated, NotFound
from chatme.http.body import read_json, read_query
from chatme.http.caller import caller_of, peer_of
from chatme.http.limiting import note
from chatme.http.multipart import Received, Upload, receive
from chatme.http.replies import Reply, error_response
from chatme.ports import Authenticator
from chatme.principal import Peer, Principal
from chatme.rates import Quota
from chatme.shapes import Shape, parse_id

Handler = Callable[..., Awaitable[Shape | Reply[Any] | Response | None]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a handler sees it."""

    request: Request
    principal: Principal | None
    upload: Upload | None = None

    @property
    def caller(self) -> Principal:
        """Who calls, on a route that only the signed-in reach."""
        if self.principal is None:
            raise NotAuthenticated
        return self.principal

    @property
    def peer(self) -> Peer:
        """Where the request comes from."""
        return peer_of(self.request.scope)

    def heed(self, quota: Quota | None) -> None:
        """Tells the caller of a quota, in the answer's fields; raises `RateLimited` where it is
        spent."""
        note(self.request.scope, quota)

    def path_id(self, name: str) -> ObjectId:
        """An id of the path; a malformed one names nothing, so it raises `NotFound`."""
        value = parse_id(self.request.path_params[name])
        if value is None:
            raise NotFound
        return value

    def received(self, folder: Path) -> AbstractAsyncContextManager[Received]:
        """The file that the route takes, in this folder as long as the block runs; raises as
        `multipart.receive` does."""
        if self.upload is None:
            raise TypeError("this route takes no upload")
        return receive(self.request, self.upload, folder)


@dataclass(frozen=True)
class Endpoint:
    """One row: a method and path, what handles it, the status of success, who may call.

    A route with ``upload`` takes a form instead of JSON; its handler awaits `Call.received`.

    The rest is for the document of the API. ``codes`` are the errors of this row, beside those
    that follow from its path, its body and who may call; ``headers`` those of a success;
    ``credentials`` what a public one looks at itself, empty where some need none; ``also`` other
    statuses of its answer; ``media`` the type of an answer that is no `Shape`.
    """

    method: str
    path: str
    handler: Handler
    status: int = 200
    public: bool = False
    codes: tuple[Code, ...] = ()
    headers: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    also: tuple[int, ...] = ()
    media: str = "application/json"
    upload: Upload | None = None

    @cached_property
    def parameters(self) -> dict[str, type[Shape]]:
        """The shapes of ``body`` and ``query``, from the handler's signature."""
        signature = inspect.signature(self.handler, eval_str=True)
        return {
            name: signature.parameters[name].annotation
            for name in ("body", "query")
            if name in signature.parameters
        }

    @cached_property
    def answers(self) -> tuple[type[Shape], ...]:
        """The shapes that a success may have, from the handler's signature."""
        found = inspect.signature(self.handler, eval_str=True).return_annotation
        if get_origin(found) is Reply:
            (found,) = get_args(found)
        choices = get_args(found) if isinstance(found, UnionType) else (found,)
        return tuple(each for each in choices if inspect.isclass(each) and issubclass(each, Shape))


_Served = tuple[Endpoint, object]


async def respond(
    endpoint: Endpoint, service: object, authenticator: Authenticator, request: Request
) -> Response:
    """Runs one endpoint: who calls, what they ask, the handler, the answer."""
    principal = None
    if not endpoint.public:
        principal = await caller_of(request.scope, authenticator)
    arguments: dict[str, Any] = {}
    if "query" in endpoint.parameters:
        arguments["query"] = read_query(request, endpoint.parameters["query"])
    if "body" in endpoint.parameters:
        arguments["body"] = await read_json(request, endpoint.parameters["body"])
    answer = await endpoint.handler(service, Call(request, principal, endpoint.upload), **arguments)
    if isinstance(answer, Response):
        return answer
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    return reply.response(endpoint.status)


def bind(
    tables: Iterable[tuple[Iterable[Endpoint], object]], authenticator: Authenticator
) -> list[Route]:
    """The rows, each table's with its service, as Starlette routes.

    There is one route for each path, so that a 405 names all its methods, whichever the table.
    """
    paths: dict[str, dict[str, _Served]] = {}
    for endpoints, service in tables:
        for endpoint in endpoints:
            methods = paths.setdefault(endpoint.path, {})
            if endpoint.method in methods:
                raise ValueError(f"two endpoints for {endpoint.method} {endpoint.path}")
            methods[endpoint.method] = endpoint, service
    return [_route(path, methods, authenticator) for path, methods in paths.items()]


def _route(path: str, methods: dict[str, _Served], authenticator: Authenticator) -> Route:
    if "GET" in methods:
        methods.setdefault("HEAD", methods["GET"])
    allow = ", ".join(sorted(methods))

    async def handle(request: Request) -> Response:
        # The template, for who counts requests: a path itself is whatever a stranger likes.
        request.state.route = request.scope.get("root_path", "") + path
        served = methods.get(request.method)
        try:
            if served is None:
                return error_response(MethodNotAllowed(), request.scope, {"Allow": allow})
            endpoint, service = served
            return await respond(endpoint, service, authenticator, request)
        except ChatMeError as error:
            return error_response(error, request.scope)

    route = Route(path, handle)
    # Every method reaches `handle`, which answers 405 itself, in the envelope.
    route.methods = None
    return route
