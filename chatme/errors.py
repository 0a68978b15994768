"""Every error that a caller can be told, in one tree.

::

    ChatMeError
    ├── BadRequest       400
    ├── NotAuthenticated 401
    ├── Forbidden        403
    ├── NotFound         404
    ├── MethodNotAllowed 405
    ├── Conflict         409
    ├── TooLarge         413
    ├── UnsupportedType  415
    ├── Invalid          422
    ├── RateLimited      429
    ├── Unavailable      503
    └── StorageFull      507

Each carries what a caller needs to act: a stable ``code``, a sentence, the faulty fields, and
how long to wait. REST shows them in the envelope, the socket in an ``error`` frame.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The stable codes. A code is never renamed: clients compare them."""

    BAD_REQUEST = "bad_request"
    BAD_FRAME = "bad_frame"
    BLOCKED = "blocked"
    CONFLICT = "conflict"
    EMAIL_TAKEN = "email_taken"
    FORBIDDEN = "forbidden"
    FRESH_LOGIN_NEEDED = "fresh_login_needed"
    FOREIGN_ORIGIN = "foreign_origin"
    HEADERS_TOO_LARGE = "headers_too_large"
    INVALID_CODE = "invalid_code"
    INVALID_LINK = "invalid_link"
    INTERNAL = "internal_error"
    INVALID_CREDENTIALS = "invalid_credentials"
    LAST_ADMIN = "last_admin"
    LOGIN_EXPIRED = "login_expired"
    MAIL_NOT_CONFIGURED = "mail_not_configured"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_AUTHENTICATED = "not_authenticated"
    NOT_FOUND = "not_found"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    PROVIDER_NOT_CONFIGURED = "provider_not_configured"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    RATE_LIMITED = "rate_limited"
    REQUEST_TIMEOUT = "request_timeout"
    SECOND_FACTOR_ON = "second_factor_on"
    SESSION_ENDED = "session_ended"
    STORAGE_FULL = "storage_full"
    UNAVAILABLE = "unavailable"
    UNKNOWN_EVENT = "unknown_event"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    VALIDATION_FAILED = "validation_failed"


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One faulty field: its name as the caller wrote it (dotted when nested), and what is wrong."""

    field: str
    message: str


class ChatMeError(Exception):
    """What a caller may be told. Raise a subclass.

    ``status`` is the HTTP status, ``code`` the stable word, ``message`` a sentence for a person,
    ``faults`` the faulty fields, ``retry_after`` seconds after which trying again makes sense.
    """

    status = 500
    code = Code.INTERNAL
    message = "Something went wrong on our side."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: Code | None = None,
        faults: Sequence[FieldFault] = (),
        retry_after: float | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.code = code or type(self).code
        self.faults = tuple(faults)
        self.retry_after = retry_after
        super().__init__(self.message)


class BadRequest(ChatMeError):
    """The request cannot be understood, or asks for what makes no sense."""

    status = 400
    code = Code.BAD_REQUEST
    message = "The request cannot be understood."


class NotAuthenticated(ChatMeError):
    """Nobody, or nobody any longer, stands behind the request."""

    status = 401
    code = Code.NOT_AUTHENTICATED
    message = "Sign in first."


class Forbidden(ChatMeError):
    """The caller sees the thing but may not do this to it."""

    status = 403
    code = Code.FORBIDDEN
    message = "You may not do this."


class NotFound(ChatMeError):
    """There is no such thing, or none that the caller may see: the two look alike."""

    status = 404
    code = Code.NOT_FOUND
    message = "There is no such thing."


class MethodNotAllowed(ChatMeError):
    """The path is there, the method is not."""

    status = 405
    code = Code.METHOD_NOT_ALLOWED
    message = "This path does not take that method."


class Conflict(ChatMeError):
    """What the caller asks for clashes with what is there."""

    status = 409
    code = Code.CONFLICT
    message = "This clashes with what is there already."


class TooLarge(ChatMeError):
    """The body is over its limit."""

    status = 413
    code = Code.PAYLOAD_TOO_LARGE
    message = "The body is too large."


class UnsupportedType(ChatMeError):
    """The body is of a type that is not taken here."""

    status = 415
    code = Code.UNSUPPORTED_MEDIA_TYPE
    message = "The body must be JSON, with Content-Type: application/json."


class Invalid(ChatMeError):
    """The request is understood, but fields of it are missing, mistyped or out of range."""

    status = 422
    code = Code.VALIDATION_FAILED
    message = "Some fields are not valid."

    @classmethod
    def field(cls, name: str, message: str) -> Invalid:
        """One faulty field."""
        return cls(faults=[FieldFault(name, message)])


class RateLimited(ChatMeError):
    """Too much at once; ``retry_after`` says when to come back."""

    status = 429
    code = Code.RATE_LIMITED
    message = "Too many requests."


class Unavailable(ChatMeError):
    """Something that the answer needs is away; ``retry_after`` says when to come back."""

    status = 503
    code = Code.UNAVAILABLE
    message = "The service is not available for the moment."

    @classmethod
    def briefly(cls) -> Unavailable:
        """What is away may be back in a second."""
        return cls(retry_after=1)


class StorageFull(ChatMeError):
    """There is no room left for what the caller sends."""

    status = 507
    code = Code.STORAGE_FULL
    message = "There is no room left for this."

    @staticmethod
    def told_by(error: OSError) -> bool:
        """Whether this is what the system says: a full disk, a quota, a file over its limit."""
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
