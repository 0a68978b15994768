"""The state of the service as JSON."""

from __future__ import annotations

from typing import Any, Literal

from chatme.shapes import Shape


class HealthReport(Shape):
    """All parts under ``details``; those that are up under ``info``, the others under ``error``."""

    status: Literal["ok", "error"]
    info: dict[str, dict[str, Any]]
    error: dict[str, dict[str, Any]]
    details: dict[str, dict[str, Any]]


class Alive(Shape):
    """The process serves."""

    status: Literal["ok"] = "ok"
