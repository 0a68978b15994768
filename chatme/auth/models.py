"""Sessions as they are stored, one for each login, and what keeps a sign-in from being replayed."""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId
from odmantic import Model
from odmantic.config import ODMConfigDict

from chatme.storage.atomic import index


class Session(Model):
    """A login on one device.

    ``token_id`` names the refresh token that is current, ``previous_*`` the one it replaced; of
    either only the bcrypt hash of a digest is kept. ``ends_at`` is what the last refresh allows,
    ``final_at`` what no refresh can pass. A session that ended is gone.
    """

    user: ObjectId
    token_id: str
    token_hash: str
    previous_hash: str | None = None
    rotated_at: datetime
    user_agent: str
    ip: str
    created_at: datetime
    last_used_at: datetime
    ends_at: datetime
    final_at: datetime

    model_config = ODMConfigDict(
        collection="sessions",
        indexes=lambda: (
            index("user", "-last_used_at", name="user"),
            index("ends_at", name="expiry", expire_after=0),
        ),
    )


class UsedState(Model):
    """A way to a provider and back that is over; kept until its cookie would have expired."""

    state: str
    ends_at: datetime

    model_config = ODMConfigDict(
        collection="used_states",
        indexes=lambda: (
            index("state", name="state", unique=True),
            index("ends_at", name="expiry", expire_after=0),
        ),
    )
