"""Leaving for good, and taking along what is held about oneself."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import StreamingResponse

from chatme.accounts.service import AccountService
from chatme.auth.wire import Proof
from chatme.http.endpoint import Call, Endpoint
from chatme.ratelimit import RateLimiter
from chatme.rates import Rate


@dataclass(frozen=True, slots=True)
class AccountDoor:
    """What these routes need: the rules, and how often one may knock."""

    accounts: AccountService
    limiter: RateLimiter
    rate: Rate | None


async def erase(door: AccountDoor, call: Call, body: Proof) -> None:
    """Ends the caller's account; asks for the password or a fresh login."""
    caller = call.caller
    await door.limiter.spend(door.rate, "proof", "account", str(caller.user_id))
    await door.accounts.erase(caller, body.password)


async def export(door: AccountDoor, call: Call) -> StreamingResponse:
    """All that is held about the caller, as one JSON document."""
    user_id = call.caller.user_id
    await door.limiter.spend(door.rate, "export", "account", str(user_id))
    return StreamingResponse(
        door.accounts.export(user_id),
        media_type="application/json",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="chatme-export.json"',
        },
    )


ROUTES = (
    Endpoint("DELETE", "/users/me", erase, status=204),
    Endpoint("GET", "/users/me/export", export),
)
