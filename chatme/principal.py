"""Who calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in user, by one of their sessions, until the token's end."""

    user_id: ObjectId
    session_id: ObjectId
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a request comes from: the client's address, and the program's name for itself."""

    address: str
    user_agent: str
