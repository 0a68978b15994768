"""Leaving for good, and taking along what is held about oneself."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import StreamingResponse

from chatme.accounts.service import AccountService
from chatme.auth.wire import Proof
from chatme.errors import Code
from chatme.http.endpoint import Call, Endpoint
from chatme.ports import Limiter
from chatme.rates import Rate


@dataclass(frozen=True, slots=True)
class AccountDoor:
    """What these routes need: the rules, and how often one may knock."""

    accounts: AccountService
    limiter: Limiter
    rate: Rate | None

    async def slow_down(self, call: Call, what: str) -> None:
        """Counts one more try of the caller's address and account; raises `RateLimited`."""
        account = str(call.caller.user_id)
        call.heed(await self.limiter.count(self.rate, what, "address", call.peer.network))
        call.heed(await self.limiter.count(self.rate, what, "account", account))


async def erase(door: AccountDoor, call: Call, body: Proof) -> None:
    """Ends the caller's account; asks for the password or a fresh login.

    They are out everywhere at once and leave every group; what they wrote stays, from a deleted
    user. It cannot be undone.
    """
    await door.slow_down(call, "proof")
    await door.accounts.erase(call.caller, body.password)


async def export(door: AccountDoor, call: Call) -> StreamingResponse:
    """All that is held about the caller, as one JSON document."""
    await door.slow_down(call, "export")
    return StreamingResponse(
        door.accounts.export(call.caller.user_id),
        media_type="application/json",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="chatme-export.json"',
        },
    )


ROUTES = (
    Endpoint(
        "DELETE",
        "/users/me",
        erase,
        status=204,
        codes=(Code.INVALID_CREDENTIALS, Code.FRESH_LOGIN_NEEDED),
    ),
    Endpoint("GET", "/users/me/export", export, headers=("Content-Disposition",)),
)
