"""What the manual of REST says for people, where rows, shapes and docstrings do not say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatme.errors import Code
from chatme.manual.words import CODES, SAMPLES
from chatme.realtime.samples import Samples

Json = dict[str, Any]

TITLE = "ChatMe, REST"

DESCRIPTION = (
    "JSON in and out, UTF-8, camelCase names. Ids are 24 hex digits, times RFC 3339 in UTC with "
    "milliseconds. Sign in at `POST /api/v1/auth/login` and send the access token as "
    "`Authorization: Bearer …`; renew it by the cookie at `POST /api/v1/auth/refresh`. "
    "A field that is not known is ignored. A thing that the caller may not see is a 404. Every "
    "error, of whatever route, is the envelope `Error`: compare its `code`, not its message. "
    "A method that a path does not take is a 405 with `Allow`; `HEAD` works wherever `GET` does. "
    "What happens live comes over the socket `/chat`."
)

# The rooms of the reader, in the order in which they are shown.
TAGS: Mapping[str, str] = {
    "auth": "Signing up, in and out; sessions, passwords and the second factor.",
    "users": "Other users, and oneself.",
    "conversations": "Direct and group conversations, and who is in them.",
    "messages": "What is said, and how far it got.",
    "notifications": "What was missed while away.",
    "uploads": "Files and images.",
    "health": "Whether the service is whole.",
    "documentation": "This document and its pages.",
}

# The first part of a path, where it is no tag itself.
SEGMENTS: Mapping[str, str] = {
    "upload": "uploads",
    "metrics": "health",
    "docs": "documentation",
    "openapi.json": "documentation",
    "asyncapi.json": "documentation",
}

SECURITY: Mapping[str, Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a sign-in or a refresh.",
    },
    "metricsToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "`METRICS_TOKEN` of the server's settings.",
    },
    "refreshCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "refresh_token",
        "description": "The refresh token, which browsers keep and send by themselves.",
    },
}

# The status of each code that HTTP can answer with.
STATUSES: Mapping[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.INVALID_LINK: 400,
    Code.NOT_AUTHENTICATED: 401,
    Code.INVALID_CREDENTIALS: 401,
    Code.INVALID_CODE: 401,
    Code.LOGIN_EXPIRED: 401,
    Code.SESSION_ENDED: 401,
    Code.FORBIDDEN: 403,
    Code.BLOCKED: 403,
    Code.FOREIGN_ORIGIN: 403,
    Code.FRESH_LOGIN_NEEDED: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.REQUEST_TIMEOUT: 408,
    Code.CONFLICT: 409,
    Code.EMAIL_TAKEN: 409,
    Code.LAST_ADMIN: 409,
    Code.SECOND_FACTOR_ON: 409,
    Code.PAYLOAD_TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.RANGE_NOT_SATISFIABLE: 416,
    Code.VALIDATION_FAILED: 422,
    Code.RATE_LIMITED: 429,
    Code.HEADERS_TOO_LARGE: 431,
    Code.INTERNAL: 500,
    Code.MAIL_NOT_CONFIGURED: 503,
    Code.PROVIDER_NOT_CONFIGURED: 503,
    Code.UNAVAILABLE: 503,
    Code.STORAGE_FULL: 507,
}

# What any route may answer, and what each kind of route adds.
EVERYWHERE = (Code.REQUEST_TIMEOUT, Code.HEADERS_TOO_LARGE, Code.INTERNAL)
OF_THE_LIMITED = (Code.RATE_LIMITED,)
OF_THE_GATED = (Code.UNAVAILABLE,)  # while the database is away
OUTSIDE = (Code.BAD_REQUEST, Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED)  # of what is no route
OF_THE_SIGNED_IN = (Code.NOT_AUTHENTICATED,)
OF_PATHS = (Code.NOT_FOUND,)
OF_QUERIES = (Code.VALIDATION_FAILED,)
OF_BODIES = (
    Code.BAD_REQUEST,
    Code.PAYLOAD_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.VALIDATION_FAILED,
)
_TEXT: Mapping[str, str] = {"type": "string"}

HEADERS: Mapping[str, Json] = {
    "X-Request-ID": {
        "description": "The request's name in the server's log; a sane one that came is kept.",
        "required": True,
        "schema": {**_TEXT, "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
    },
    "RateLimit-Limit": {
        "description": "How often one may ask in the window of the tightest limit.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Remaining": {
        "description": "How often of it is left.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "The seconds until all of it is back.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Retry-After": {
        "description": "The seconds after which trying again makes sense.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "How to sign in.",
        "required": True,
        "schema": {**_TEXT, "const": "Bearer"},
    },
    "Set-Cookie": {
        "description": "`refresh_token`, the session's next refresh token, or its end; "
        "`HttpOnly`, `SameSite=Lax`, for `/api/v1/auth` alone.",
        "schema": _TEXT,
    },
    "Location": {"description": "Where to go on.", "required": True, "schema": _TEXT},
    "Content-Disposition": {
        "description": "The name under which a browser keeps it.",
        "required": True,
        "schema": _TEXT,
    },
    "Content-Range": {
        "description": "How many bytes there are.",
        "required": True,
        "schema": _TEXT,
    },
    "ETag": {
        "description": "Of this very content: send it as `If-None-Match`, and get a 304.",
        "required": True,
        "schema": _TEXT,
    },
}

# The headers of every answer, of those that are counted, and of those with a status.
ALWAYS = ("X-Request-ID",)
LIMITED = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
BY_STATUS: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    416: ("Content-Range",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

# Parameters of paths and queries, but for those that end in `Id`.
PARAMETERS: Mapping[str, str] = {
    "q": "What to look for: plain text, never a pattern.",
    "limit": "How many items a page holds.",
    "cursor": "`next` of the page before.",
    "before": "A message: the page ends before it.",
    "after": "A message: the page begins after it.",
    "name": "The last part of an upload's address.",
}

# Meanings that are not those of the socket's errors.
_OVER_HTTP: Mapping[Code, str] = {
    Code.FOREIGN_ORIGIN: "The page's origin is not one of ours.",
    Code.INTERNAL: "Something went wrong on our side; `requestId` is in the log.",
    Code.NOT_AUTHENTICATED: "Nobody, or nobody any longer, stands behind the token.",
    Code.PAYLOAD_TOO_LARGE: "The body is over its limit; the rest was not read.",
    Code.RATE_LIMITED: "Too many requests: wait for `Retry-After` seconds.",
    Code.UNAVAILABLE: "Not just now, or the database is away: wait for `Retry-After` seconds.",
}
_PREFIXES = ("Over REST only: ", "Over HTTP only: ")


def meaning(code: Code) -> str:
    """When HTTP answers with a code."""
    words = _OVER_HTTP.get(code, CODES[code])
    for prefix in _PREFIXES:
        if words.startswith(prefix):
            words = words.removeprefix(prefix)
            return words[0].upper() + words[1:]
    return words


REST_SAMPLES = Samples(
    values={
        **SAMPLES.values,
        "email": "ada@example.com",
        "password": "Lovelace1",
        "currentPassword": "Lovelace1",
        "newPassword": "Countess2",
        "accessToken": "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
        "mfaToken": "WyI2NWYwIl0.aaaa.c2lnbmF0dXJl",
        "token": "WyI2NWYwIl0.aaaa.c2lnbmF0dXJl",
        "code": "492039",
        "secret": "JBSWY3DPEHPK3PXP",
        "uri": "otpauth://totp/ChatMe:ada@example.com?secret=JBSWY3DPEHPK3PXP&issuer=ChatMe",
        "recoveryCode": "k7dm-2qxp",
        "recoveryCodesLeft": 10,
        "userAgent": "Mozilla/5.0",
        "ip": "192.0.2.7",
        "current": True,
        "enabled": True,
        "isVerified": True,
        "isOnline": True,
        "blocked": True,
        "provider": "github",
        "sessions": 2,
        "count": 3,
        "updated": 3,
        "message": "Done.",
        "q": "ada",
        "start": 0,
        "end": 5,
    },
    optional=frozenset({"content", "clientId", "password", "displayName", "bio", "name"}),
)

# Examples of shapes whose fields have no names of their own.
EXAMPLES: Mapping[str, Json] = {
    "HealthReport": {
        "status": "ok",
        "info": {
            "mongodb": {"status": "up", "pingMs": 0.41},
            "memory_heap": {"status": "up", "residentMb": 74.2},
        },
        "error": {},
        "details": {
            "mongodb": {"status": "up", "pingMs": 0.41},
            "memory_heap": {"status": "up", "residentMb": 74.2},
        },
    },
}
