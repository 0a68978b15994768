"""A socket's session without the socket: its states, and which moves are legal. Pure.

::

    WAIT_AUTH ──open──▶ OPEN ──close──▶ CLOSING
        └───────────────close──────────────▲
"""

from __future__ import annotations

from enum import Enum, auto

from chatme.errors import NotAuthenticated
from chatme.principal import Principal
from chatme.realtime.close import Close


class State(Enum):
    """Where a session stands."""

    WAIT_AUTH = auto()
    OPEN = auto()
    CLOSING = auto()


class IllegalMove(Exception):
    """A move that the present state does not allow: a fault of ours, never the client's."""


class Session:
    """Lives as long as its socket."""

    def __init__(self) -> None:
        self._state = State.WAIT_AUTH
        self._principal: Principal | None = None
        self._closed_for: Close | None = None

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._state

    @property
    def closed_for(self) -> Close | None:
        """Why it is closing, where the server began it."""
        return self._closed_for

    @property
    def signed_in(self) -> bool:
        """Whether somebody ever signed in here."""
        return self._principal is not None

    @property
    def principal(self) -> Principal:
        """Who is signed in; raises `NotAuthenticated` while nobody is."""
        if self._principal is None:
            raise NotAuthenticated
        return self._principal

    def open(self, principal: Principal) -> None:
        """The first genuine token."""
        self._move({State.WAIT_AUTH}, State.OPEN)
        self._principal = principal

    def renew(self, principal: Principal) -> None:
        """Another token on an open session; raises `NotAuthenticated` for another user's."""
        if self._state is not State.OPEN:
            raise IllegalMove(f"renew in {self._state.name}")
        if principal.user_id != self.principal.user_id:
            raise NotAuthenticated("The token is another user's.")
        self._principal = principal

    def close(self, reason: Close | None) -> None:
        """The end begins; ``reason`` is None where the client began it."""
        self._move({State.WAIT_AUTH, State.OPEN}, State.CLOSING)
        self._closed_for = reason

    def _move(self, allowed: set[State], to: State) -> None:
        if self._state not in allowed:
            raise IllegalMove(f"{self._state.name} → {to.name}")
        self._state = to
