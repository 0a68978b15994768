"""Health over HTTP."""

from __future__ import annotations

from chatme.health.service import HealthService
from chatme.health.wire import Alive
from chatme.http.endpoint import Call, Endpoint
from chatme.http.replies import Reply

_NO_STORE = (("Cache-Control", "no-store"),)


async def health(service: HealthService, _call: Call) -> Reply:
    """Whether every part is up; 503 where one is not."""
    report = await service.report()
    return Reply(report, status=200 if report.status == "ok" else 503, headers=dict(_NO_STORE))


async def live(_service: HealthService, _call: Call) -> Reply:
    """That the process serves, and nothing more."""
    return Reply(Alive(), headers=dict(_NO_STORE))


ROUTES = (
    Endpoint("GET", "/health", health, public=True),
    Endpoint("GET", "/health/live", live, public=True),
)
