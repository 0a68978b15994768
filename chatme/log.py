"""Structured logs: pretty on a terminal, JSON lines otherwise.

Never a token, a password or the text of a message: fields with such names are masked here as a
second line of defence, the first being that nobody logs them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET = ("token", "password", "content", "secret", "cookie", "authorization")


def _mask(
    _logger: object, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in fields:
        if name.lower().endswith(_SECRET):
            fields[name] = "***"
    return fields


def configure_logging(level: str) -> None:
    """Sends structlog's and the standard library's records to stderr in one form."""
    terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask,
    ]
    render: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Below a warning they tell of addresses, headers and PKCE verifiers, and pymongo of whole
    # commands: what people write, and hashes.
    for name in ("authlib", "httpx2", "httpcore2", "pymongo"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its request lines carry the query string, which may carry a token; ours do not.
    logging.getLogger("uvicorn.access").disabled = True
