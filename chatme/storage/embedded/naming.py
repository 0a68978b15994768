"""What an operation of the two threads is called: as MongoDB calls its command. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from chatme.storage.embedded.commands import Bulk, Change, Delete, FindAndChange, Insert
from chatme.storage.embedded.scan import Count, Scan
from chatme.storage.embedded.worker import Operation

OTHER: Final = ("other", "")
"""Of a ping, and of what is asked of the catalog and its indexes."""

_NAMES: Mapping[type, str] = MappingProxyType(
    {
        Insert: "insert",
        Change: "update",
        Delete: "delete",
        FindAndChange: "findAndModify",
        Scan: "find",
        Count: "count",
    }
)


def name_of(operation: Operation) -> tuple[str, str]:
    """The operation's name and its collection's."""
    command = getattr(operation, "__self__", None)
    if isinstance(command, Bulk):
        command = command.parts[0]
    name = _NAMES.get(type(command))
    if name is None or command is None:
        return OTHER
    if isinstance(command, Scan | Count):
        return name, command.query.namespace[1]
    if isinstance(command, FindAndChange):
        return name, command.command.namespace[1]
    return name, command.namespace[1]
