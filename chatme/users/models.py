"""Users as they are stored."""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId
from odmantic import EmbeddedModel, Field, Model
from odmantic.config import ODMConfigDict

from chatme.clock import new_id
from chatme.storage.atomic import index

DELETED_USER = "Deleted user"
"""The name at the messages of somebody who is no more."""


class Identity(EmbeddedModel):
    """An account elsewhere that signs in as this user.

    ``key`` names it among all accounts everywhere, which ``provider_id`` does not: the address that
    stands behind a provider's name is a setting.
    """

    provider: str
    provider_id: str
    email: str
    key: str


class SecondFactor(EmbeddedModel):
    """What an authenticator app and its owner know (RFC 6238), asked for once it is confirmed.

    ``secret`` is base32, and empty where none was begun; no code of a time step up to ``last_step``
    passes again; ``recovery`` are the hashes of the codes for a lost phone that are not used yet.
    """

    secret: str = ""
    is_confirmed: bool = False
    last_step: int = 0
    recovery: list[str] = Field(default_factory=list)


class User(Model):
    """A person. ``email`` is normalised and lower case; ``grams`` serve the substring search.

    ``avatar_id`` names the upload that ``avatar`` leads to, where it is one of ours.
    """

    display_name: str
    email: str
    password_hash: str | None = None
    avatar: str | None = None
    avatar_id: str | None = None
    bio: str = ""
    role: str = "user"
    is_verified: bool = False
    is_active: bool = True
    identities: list[Identity] = Field(default_factory=list)
    second_factor: SecondFactor = SecondFactor()
    created_at: datetime
    last_seen_at: datetime | None = None
    search_text: str = ""
    grams: list[str] = Field(default_factory=list)

    model_config = ODMConfigDict(
        collection="users",
        indexes=lambda: (
            index("email", name="email", unique=True),
            index("grams", name="grams"),
            index(
                "identities.key",
                name="identities",
                unique=True,
                partial={"identities.key": {"$exists": True}},
            ),
        ),
    )

    @property
    def confirmed_factor(self) -> SecondFactor | None:
        """The second factor that a sign-in asks for."""
        return self.second_factor if self.second_factor.is_confirmed else None


class Block(Model):
    """One user wants nothing of another; the other is never told."""

    blocker: ObjectId
    blocked: ObjectId
    created_at: datetime

    model_config = ODMConfigDict(
        collection="blocks",
        indexes=lambda: (
            index("blocker", "blocked", name="pair", unique=True),
            index("blocked", name="blocked"),
        ),
    )


def search_text(display_name: str, email: str) -> str:
    """What a search looks through: name and address, folded, apart from each other."""
    return f"{display_name}\n{email}".casefold()


def grams(text: str) -> list[str]:
    """All pairs and triples of neighbouring characters.

    A substring of two or more characters has only grams of the whole, so an index over them
    finds it without looking at every user.
    """
    return sorted({text[at : at + size] for size in (2, 3) for at in range(len(text) - size + 1)})


def new_block(blocker: ObjectId, blocked: ObjectId, now: datetime) -> Block:
    """A fresh block, not yet stored."""
    return Block(id=new_id(), blocker=blocker, blocked=blocked, created_at=now)


def new_user(display_name: str, email: str, password_hash: str | None, now: datetime) -> User:
    """A fresh user, not yet stored."""
    text = search_text(display_name, email)
    return User(
        id=new_id(),
        display_name=display_name,
        email=email,
        password_hash=password_hash,
        created_at=now,
        search_text=text,
        grams=grams(text),
    )
