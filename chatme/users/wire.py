"""Users as callers see them."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from chatme.http.paging import Limit
from chatme.shapes import Id, Omittable, Says, Shape, Text, Timestamp, Trimmed, check_text
from chatme.users.models import User

SEARCH_RESULTS = 10


def _no_controls(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise PydanticCustomError("controls", "must not contain control characters")
    return value


def normal_email(value: str) -> str:
    """An address as it is stored and compared: normalised, without case or space around it.

    Raises `PydanticCustomError` for what is not an address (RFC 5321, with a dotted domain).
    """
    try:
        found = validate_email(
            value.strip(),
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,  # what ends in .test is an address as well (RFC 6761, 6.2)
        )
    except EmailNotValidError:
        raise PydanticCustomError("email", "is not an e-mail address") from None
    if "." not in found.domain:
        raise PydanticCustomError("email", "is not an e-mail address")
    return found.normalized.lower()


_END = r"[^\s\x00-\x1f\x7f-\x9f]"
_NAME = rf"^\s*{_END}[^\x00-\x1f\x7f-\x9f\u2028\u2029]{{0,48}}{_END}\s*$"
_NAME_TEXT = "2 to 50 characters, no controls among them; white space around them does not count."

DisplayName = Annotated[
    Trimmed,
    Field(min_length=2, max_length=50),
    AfterValidator(_no_controls),
    Says(_NAME, text=_NAME_TEXT, trimmed=True),
]
Email = Annotated[
    str,
    Field(max_length=254),
    AfterValidator(check_text),
    AfterValidator(normal_email),
    Says(format="email"),
]


class UserView(Shape):
    """A user as others see them."""

    id: Id
    display_name: str
    avatar: str | None
    bio: str


class FoundUser(UserView):
    """A user in search results."""

    email: str


class FoundUsers(Shape):
    """At most ten users."""

    items: list[FoundUser]
    next: None = None


class BlockedUsers(Shape):
    """All whom the caller blocked, the newest block first."""

    items: list[UserView]
    next: None = None


class Blocking(Shape):
    """Whether the caller now blocks a user."""

    blocked: bool


class IdentityView(Shape):
    """An account elsewhere that signs in as this user."""

    provider: str
    email: str


class Oneself(UserView):
    """A user as they see themselves."""

    email: str
    role: Literal["user", "admin"]
    is_verified: bool
    identities: list[IdentityView]
    created_at: Timestamp
    last_seen_at: Timestamp | None


_SOUGHT = r"^\s*([^\s\x00]([^\x00]{0,98}[^\s\x00])?)?\s*$"
_SOUGHT_TEXT = "At most 100 characters; white space around them does not count."
SoughtName = Annotated[
    Trimmed, Field(max_length=100), Says(_SOUGHT, text=_SOUGHT_TEXT, trimmed=True)
]


class SearchQuery(Shape):
    """What to look for: plain text, never a pattern. No more than ten are found."""

    q: SoughtName
    limit: Limit = SEARCH_RESULTS


class ProfileChange(Shape):
    """What users change of themselves; what is left out stays."""

    display_name: Omittable[DisplayName] = None
    bio: Omittable[Annotated[Text, Field(max_length=160)]] = None


def user_view(user: User) -> UserView:
    """A user as others see them."""
    return UserView(id=user.id, display_name=user.display_name, avatar=user.avatar, bio=user.bio)


def found_user(user: User) -> FoundUser:
    """A user as a search shows them."""
    return FoundUser(
        id=user.id,
        display_name=user.display_name,
        avatar=user.avatar,
        bio=user.bio,
        email=user.email,
    )


def oneself(user: User) -> Oneself:
    """A user as they see themselves: never a hash, never a provider's token."""
    return Oneself(
        id=user.id,
        display_name=user.display_name,
        avatar=user.avatar,
        bio=user.bio,
        email=user.email,
        role="admin" if user.role == "admin" else "user",
        is_verified=user.is_verified,
        identities=[
            IdentityView(provider=each.provider, email=each.email) for each in user.identities
        ],
        created_at=user.created_at,
        last_seen_at=user.last_seen_at,
    )
