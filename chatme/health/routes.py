"""Health over HTTP, and the metrics beside the API."""

from __future__ import annotations

from starlette.responses import Response

from chatme.errors import Code, NotAuthenticated, NotFound
from chatme.health.scraping import Asker, ScrapeDoor
from chatme.health.service import HealthService
from chatme.health.wire import Alive, HealthReport
from chatme.http.caller import bearer_token
from chatme.http.endpoint import Call, Endpoint
from chatme.http.replies import Reply
from chatme.metrics import CONTENT_TYPE

_NO_STORE = (("Cache-Control", "no-store"),)


async def health(service: HealthService, _call: Call) -> Reply[HealthReport]:
    """Whether every part is up; 503 where one is not."""
    report = await service.report()
    return Reply(report, status=200 if report.status == "ok" else 503, headers=dict(_NO_STORE))


async def live(_service: HealthService, _call: Call) -> Reply[Alive]:
    """That the process serves, and nothing more."""
    return Reply(Alive(), headers=dict(_NO_STORE))


async def metrics(door: ScrapeDoor, call: Call) -> Response:
    """All that is counted, for Prometheus; to strangers there is no such thing.

    Callers on the server's own machine need no token.
    """
    request = call.request
    try:
        token = bearer_token(request.scope)
    except NotAuthenticated:
        token = ""
    address = request.client.host if request.client else ""
    headers = dict(request.headers)
    if not door.lets_in(Asker(address, request.scope["http_version"], headers, token)):
        raise NotFound
    body = await door.metrics.expose()
    return Response(body, headers={"Content-Type": CONTENT_TYPE, **dict(_NO_STORE)})


ROUTES = (
    Endpoint("GET", "/health", health, public=True, also=(503,)),
    Endpoint("GET", "/health/live", live, public=True),
)
METRICS_ROUTES = (
    Endpoint(
        "GET",
        "/metrics",
        metrics,
        public=True,
        codes=(Code.NOT_FOUND,),
        credentials=("metricsToken", ""),
        media="text/plain",
    ),
)
