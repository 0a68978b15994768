"""The OpenAPI document of this server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chatme import __version__
from chatme.accounts.routes import export
from chatme.http.endpoint import Endpoint
from chatme.manual.document import STAND_INS
from chatme.manual.rest.openapi import Api, build
from chatme.manual.rest.shapes import Export


def rest_document(
    tables: Mapping[str, Iterable[Endpoint]],
    unlimited: tuple[str, ...],
    always_served: tuple[str, ...],
) -> dict[str, Any]:
    """The document of all routes, by what their paths begin with; the rest is as in `Api`."""
    streamed = {export: Export}
    return build(Api(__version__, tables, unlimited, always_served, STAND_INS, streamed))
