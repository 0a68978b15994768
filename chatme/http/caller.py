"""Who calls, and from where, found out once for each request."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope

from chatme.errors import NotAuthenticated
from chatme.ports import Authenticator
from chatme.principal import Peer, Principal


async def caller_of(scope: Scope, authenticator: Authenticator) -> Principal:
    """Who stands behind the request; raises `NotAuthenticated` where nobody does.

    The authenticator, who asks the database, is asked once, however many want to know.
    """
    state = scope.setdefault("state", {})
    if "caller" not in state:
        try:
            state["caller"] = await authenticator.authenticate(bearer_token(scope))
        except NotAuthenticated as error:
            # Not the error itself: with its traceback it would hold the request, in a circle.
            state["caller"] = error.message
    found: Principal | str = state["caller"]
    if isinstance(found, str):
        raise NotAuthenticated(found)
    return found


def bearer_token(scope: Scope) -> str:
    """The access token of the ``Authorization`` header (RFC 6750, 2.1)."""
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated
    return token


def peer_of(scope: Scope) -> Peer:
    """Where the request comes from."""
    client = scope.get("client")
    agent = Headers(scope=scope).get("user-agent", "")
    return Peer(address=client[0] if client else "", user_agent=agent[:256])
