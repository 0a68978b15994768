"""The picture of the house as data. It changes with the README's architecture section."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

KERNEL = frozenset(
    {
        "clock",
        "errors",
        "memo",
        "ports",
        "principal",
        "rates",
        "relay",
        "settings",
        "shapes",
        "turns",
        "wording",
    }
)
PLATFORM = frozenset(
    {"http", "images", "realtime", "storage", "ratelimit", "log", "mail", "metrics"}
)

# Each feature and the features it may see directly; seeing along several arrows is fine.
ARROWS: Mapping[str, tuple[str, ...]] = {
    "accounts": ("auth",),
    "auth": ("users",),
    "users": (),
    "conversations": ("users", "uploads"),
    "messages": ("conversations", "uploads"),
    "notifications": ("users",),
    "uploads": ("users",),
    "calls": ("conversations",),
    "admin": ("users", "conversations", "messages"),
    "health": (),
}
FEATURES = frozenset(ARROWS)

# What a feature shows to other features.
FACE = frozenset({"service", "models", "wire"})

# The layers inside a feature, lowest first. Any other file name is a part of the service's side.
MODELS, WIRE, EVENTS, SERVICE, ROUTES = range(5)
INSIDE: Mapping[str, int] = {
    "models": MODELS,
    "wire": WIRE,
    "events": EVENTS,
    "service": SERVICE,
    "routes": ROUTES,
}

# The rooms above the features, lowest first: each may import those before it.
ABOVE = (
    "watching",
    "depot",
    "ground",
    "entrance",
    "wiring",
    "manual",
    "app",
    "upkeep",
    "console",
    "cli",
    "__main__",
)

# uvicorn's protocol classes, hardened: the only code that knows its and websockets' internals.
PROTOCOLS = (
    "chatme/http/ending.py",
    "chatme/http/server.py",
    "chatme/realtime/closing.py",
    "chatme/realtime/server.py",
)

# Vendors that stay behind one door: the files, or folders, that may import them.
DOORS: Mapping[str, tuple[str, ...]] = {
    "motor": ("chatme/storage/",),
    "pymongo": ("chatme/storage/",),
    "sqlite3": ("chatme/storage/",),
    "prometheus_client": ("chatme/metrics.py",),
    "aiosmtplib": ("chatme/mail.py",),
    "redis": (
        "chatme/realtime/backplane/redis.py",
        "chatme/ratelimit.py",
        "chatme/storage/redis.py",
    ),
    "authlib": ("chatme/auth/remote.py",),
    "httpx2": ("chatme/auth/remote.py",),
    "joserfc": ("chatme/auth/remote.py",),
    "python_multipart": ("chatme/http/multipart.py",),
    "PIL": ("chatme/images/",),
    "cloudinary": ("chatme/storage/cloudinary.py",),
    "uvicorn": (*PROTOCOLS, "chatme/cli.py"),
    "websockets": PROTOCOLS,
}

# What the kernel may import beside the standard library; bson is the ids' type.
KERNEL_VENDORS = frozenset({"pydantic", "pydantic_core", "pydantic_settings", "bson"})

# Real-time files tested by plain calls, and what would make them need more.
PURE = frozenset({"chatme.realtime.frames", "chatme.realtime.close", "chatme.realtime.session"})
NOT_PURE = frozenset(
    {"asyncio", "redis", "socket", "ssl", "starlette", "threading", "uvicorn", "websockets"}
)


def room_of(name: str) -> str:
    """``users`` of ``chatme.users.service``; the package itself is the room ``""``."""
    second = name.split(".")[1:2]
    is_own_name = second and second[0].startswith("__") and second[0] not in ABOVE
    return "" if is_own_name or not second else second[0]


def file_of(name: str) -> str:
    """``service`` of ``chatme.users.service.Users``; nothing for the room itself."""
    return "".join(name.split(".")[2:3])


def height_of(room: str) -> int | None:
    """How high a room lies; nothing for a room the plan does not know."""
    if room in KERNEL or not room:
        return 0
    if room in PLATFORM:
        return 1
    if room in FEATURES:
        return 2
    return 3 + ABOVE.index(room) if room in ABOVE else None


@cache
def visible_from(feature: str) -> frozenset[str]:
    """The features along the arrows from this one, however far."""
    near = ARROWS[feature]
    return frozenset(near).union(*(visible_from(other) for other in near))
