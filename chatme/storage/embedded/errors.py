"""What the embedded database raises, and how an inner refusal becomes pymongo's error.

    pymongo.errors.PyMongoError
    ├── OperationFailure
    │   └── UnsupportedError      MongoDB could, this engine cannot: named, never answered wrong
    ├── AutoReconnect
    │   ├── QueueFullError        too many operations wait; nothing was done
    │   └── StorageFailureError   the disk refused; the write was rolled back
    └── DatabaseInUseError        another process has the file open

A write that MongoDB would refuse raises `Refusal` inside the engine. Whether the caller sees
`WriteError`, `DuplicateKeyError` or `OperationFailure` depends on the command, as with pymongo.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    WriteError,
)

BAD_VALUE = 2
TYPE_MISMATCH = 14
PATH_NOT_VIABLE = 28
INDEX_NOT_FOUND = 27
CONFLICTING_UPDATE = 40
INVALID_ID = 53
NOT_SINGLE_VALUE = 54
IMMUTABLE_FIELD = 66
CANNOT_CREATE_INDEX = 67
INVALID_OPTIONS = 72
INDEX_OPTIONS_CONFLICT = 85
INDEX_KEY_SPECS_CONFLICT = 86
PARALLEL_ARRAYS = 171
QUERY_PLAN_KILLED = 175
NOT_IMPLEMENTED = 238
SORT_MEMORY = 292
DUPLICATE_KEY = 11000
TOO_LARGE_AFTER_UPDATE = 17419

CODE_NAMES: Mapping[int, str] = MappingProxyType(
    {
        BAD_VALUE: "BadValue",
        TYPE_MISMATCH: "TypeMismatch",
        PATH_NOT_VIABLE: "PathNotViable",
        INDEX_NOT_FOUND: "IndexNotFound",
        CONFLICTING_UPDATE: "ConflictingUpdateOperators",
        INVALID_ID: "InvalidIdField",
        NOT_SINGLE_VALUE: "NotSingleValueField",
        IMMUTABLE_FIELD: "ImmutableField",
        CANNOT_CREATE_INDEX: "CannotCreateIndex",
        INVALID_OPTIONS: "InvalidOptions",
        INDEX_OPTIONS_CONFLICT: "IndexOptionsConflict",
        INDEX_KEY_SPECS_CONFLICT: "IndexKeySpecsConflict",
        PARALLEL_ARRAYS: "CannotIndexParallelArrays",
        QUERY_PLAN_KILLED: "QueryPlanKilled",
        NOT_IMPLEMENTED: "NotImplemented",
        SORT_MEMORY: "QueryExceededMemoryLimitNoDiskUseAllowed",
        DUPLICATE_KEY: "DuplicateKey",
    }
)


class UnsupportedError(OperationFailure):
    """MongoDB knows this operator, option or stage; this engine refuses it by name.

    Args:
        what: the operator, option, stage or type, as the caller wrote it.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the embedded database does not support {what}",
            NOT_IMPLEMENTED,
            {"ok": 0.0, "code": NOT_IMPLEMENTED, "codeName": "NotImplemented"},
        )
        self.what = what


class QueueFullError(AutoReconnect):
    """More operations wait than the queue may hold; this one was not begun."""


class StorageFailureError(AutoReconnect):
    """SQLite could not read or commit (disk full, input/output error); nothing was written."""


class DatabaseInUseError(PyMongoError):
    """Another process (or another client of this one) holds the database file."""


class Refusal(Exception):
    """A command that MongoDB answers with an error.

    Args:
        code: MongoDB's number.
        message: MongoDB's words, as far as they are stable.
        extra: what the reply carries beside them (`keyPattern` and `keyValue`).
    """

    def __init__(self, code: int, message: str, extra: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extra = extra or {}

    def write_error(self, index: int = 0) -> dict[str, Any]:
        """The reply's entry in `writeErrors`, for the operation at `index` of its batch."""
        return {"index": index, "code": self.code, **self.extra, "errmsg": self.message}

    def as_write_error(self) -> OperationFailure:
        """What pymongo raises when an insert, update or delete of one is refused."""
        kind = DuplicateKeyError if self.code == DUPLICATE_KEY else WriteError
        return kind(self.message, self.code, self.write_error())

    def as_command_error(self) -> OperationFailure:
        """What pymongo raises when any other command (find, findAndModify …) is refused."""
        kind = DuplicateKeyError if self.code == DUPLICATE_KEY else OperationFailure
        name = CODE_NAMES.get(self.code, f"Location{self.code}")
        reply = {"ok": 0.0, "errmsg": self.message, "code": self.code, "codeName": name}
        return kind(self.message, self.code, {**reply, **self.extra})
