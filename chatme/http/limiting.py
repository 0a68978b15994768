"""How often one may ask: counted for each request, told on each answer.

The fields are those of the IETF draft that clients know (httpapi-ratelimit-headers, version 6):
``RateLimit-Limit``, ``RateLimit-Remaining`` and ``RateLimit-Reset`` in seconds, of the tightest of
all quotas that the request was counted against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatme.errors import NotAuthenticated, RateLimited
from chatme.http.caller import caller_of, peer_of
from chatme.http.paths import Paths
from chatme.http.replies import error_response
from chatme.ports import Authenticator, Limiter
from chatme.rates import Quota, Rate


def note(scope: Scope, quota: Quota | None) -> None:
    """Keeps a quota for the answer's fields; raises `RateLimited` where it is spent."""
    if quota is None:
        return
    scope.setdefault("state", {}).setdefault("quotas", []).append(quota)
    if quota.spent:
        raise RateLimited(retry_after=quota.reset)


class RateLimitFields:
    """Tells on each answer, errors included, what is left to the caller."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        quotas: list[Quota] = scope.setdefault("state", {}).setdefault("quotas", [])

        async def send_counted(message: Message) -> None:
            if quotas and message["type"] == "http.response.start":
                tightest = min(quotas, key=_room)
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Limit"] = str(tightest.rate.amount)
                headers["RateLimit-Remaining"] = str(tightest.remaining)
                headers["RateLimit-Reset"] = str(math.ceil(tightest.reset))
            await send(message)

        await self._app(scope, receive, send_counted)


class RateLimits:
    """Counts each request for the user who calls or, where there is none, the client's address.

    So a user's neighbours behind one address cannot use up what is theirs, and whoever is refused
    entry, or knocks where there is no door, is counted like everybody.

    What is ``unlimited`` is not counted. What is ``nameless`` is counted for the address alone: the
    database, which knows the users, is not asked for it. Both are paths, and all below them.
    """

    def __init__(
        self,
        app: ASGIApp,
        limiter: Limiter,
        authenticator: Authenticator,
        rates: Sequence[Rate],
        unlimited: Sequence[str],
        nameless: Sequence[str] = (),
    ) -> None:
        self._app = app
        self._limiter = limiter
        self._authenticator = authenticator
        # The shortest window first: what it refuses is not counted against the longer ones.
        self._rates = sorted(rates, key=lambda rate: rate.seconds)
        self._unlimited = Paths(unlimited)
        self._nameless = Paths(nameless)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._rates and scope["type"] == "http" and scope["path"] not in self._unlimited:
            try:
                await self._count(scope)
            except RateLimited as error:
                await error_response(error, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _count(self, scope: Scope) -> None:
        who = ("address", peer_of(scope).network)
        try:
            if scope["path"] not in self._nameless:
                with suppress(NotAuthenticated):
                    caller = await caller_of(scope, self._authenticator)
                    who = ("user", str(caller.user_id))
        finally:  # a failure of ours to tell who calls is counted as well
            for rate in self._rates:
                note(scope, await self._limiter.count(rate, "request", *who))


def _room(quota: Quota) -> tuple[bool, int, float]:
    """Sorts the tightest first; of those with as little left, the one that takes longest."""
    return not quota.spent, quota.remaining, -quota.reset
