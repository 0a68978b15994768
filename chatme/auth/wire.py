"""Signing up and in, as JSON."""

from __future__ import annotations

from typing import Annotated

from bson import ObjectId
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from chatme.auth.models import Session
from chatme.shapes import Id, Omittable, Says, Shape, Text, Timestamp
from chatme.users.wire import DisplayName, Email, Oneself


def _strong(value: str) -> str:
    if not any(character.isupper() for character in value):
        raise PydanticCustomError("weak", "must have an uppercase letter")
    if not any(character.isdecimal() for character in value):
        raise PydanticCustomError("weak", "must have a digit")
    return value


# What every reader of patterns understands; letters and digits of other scripts count as well.
_STRONG = r"^[^\x00]*([A-Z][^\x00]*[0-9]|[0-9][^\x00]*[A-Z])[^\x00]*$"

NewPassword = Annotated[
    Text,
    Field(min_length=8, max_length=128),
    AfterValidator(_strong),
    Says(_STRONG, text="With an uppercase letter and a digit."),
]


class Registration(Shape):
    """A new account."""

    display_name: DisplayName
    email: Email
    password: NewPassword


class Credentials(Shape):
    """An address and its password; neither is judged here, so that both fail alike."""

    email: Annotated[Text, Field(max_length=254)]
    password: Annotated[Text, Field(max_length=1024)]


class SignedIn(Shape):
    """A fresh access token and whose it is; the refresh token is in the cookie."""

    access_token: str
    user: Oneself


class SecondStepAsked(Shape):
    """The password is right; now a code of the second factor, with this token, in 5 minutes."""

    mfa_token: str


OneTimeCode = Annotated[Text, Field(max_length=64)]


class CodeGiven(Shape):
    """A code of the authenticator app, or one for a lost phone; spaces and dashes do not count."""

    code: OneTimeCode


class SecondStep(CodeGiven):
    """The second step of a sign-in."""

    mfa_token: Annotated[Text, Field(max_length=1024)]


class Proof(Shape):
    """The present password; without it a login of the last ten minutes is asked for."""

    password: Omittable[Annotated[Text, Field(max_length=1024)]] = None


class FactorState(Shape):
    """Whether a second factor is on, and how many recovery codes are left."""

    enabled: bool
    recovery_codes_left: int


class Enrolled(Shape):
    """What an authenticator app is told: the secret in base32, and as an ``otpauth://`` URI."""

    secret: str
    uri: str


class RecoveryCodes(Shape):
    """Codes for a lost phone, each good for one sign-in; shown this once."""

    recovery_codes: list[str]


class Refreshed(Shape):
    """A fresh access token."""

    access_token: str


class Forgotten(Shape):
    """The address of an account whose password is lost."""

    email: Email


class LinkToken(Shape):
    """The token of a link."""

    token: Annotated[Text, Field(max_length=1024)]


class PasswordReset(LinkToken):
    """A new password by the token of a link."""

    password: NewPassword


class PasswordChange(Shape):
    """A new password by the present one, which is not judged."""

    current_password: Annotated[Text, Field(max_length=1024)]
    new_password: NewPassword


class Told(Shape):
    """What was done, in words."""

    message: str


class Farewell(Shape):
    """The end of a session, in words."""

    message: str


class FarewellToAll(Farewell):
    """The end of all sessions, and how many they were."""

    sessions: int


class SessionView(Shape):
    """A login on one device; ``current`` is the caller's own."""

    id: Id
    user_agent: str
    ip: str
    created_at: Timestamp
    last_used_at: Timestamp
    current: bool


class SessionList(Shape):
    """The caller's sessions, the last used first."""

    items: list[SessionView]
    next: None = None


def session_view(session: Session, current: ObjectId | None = None) -> SessionView:
    """A session as its user sees it, from the session of that id."""
    return SessionView(
        id=session.id,
        user_agent=session.user_agent,
        ip=session.ip,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        current=session.id == current,
    )
