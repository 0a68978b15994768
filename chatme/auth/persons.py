"""Who a provider says that somebody is, cleaned of whatever could pass for something else."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from chatme.users.wire import Email

MIN_NAME, MAX_NAME = 2, 50
MAX_AVATAR = 2048
_NAMELESS = "New user"
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)


class OAuthFailed(Exception):
    """A sign-in by a provider came to nothing; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as a provider tells of them, cleaned: make one with `person`.

    ``email`` is there only where the provider says that it is verified.
    """

    provider: str
    provider_id: str
    key: str
    email: str | None
    name: str
    avatar: str | None


def person(
    provider: str,
    place: str,
    subject: object,
    *,
    email: object = None,
    name: object = None,
    avatar: object = None,
) -> Person:
    """Somebody of a place (an issuer, an address), from what was said of them there.

    ``email`` is one that is said to be verified. Raises `OAuthFailed` where nobody is named.
    """
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise OAuthFailed("the provider names nobody")
    address = proven_address(email)
    local = address.partition("@")[0] if address else ""
    return Person(
        provider=provider,
        provider_id=subject,
        key=f"{provider} {place} {subject}",
        email=address,
        name=clean_name(name, local),
        avatar=clean_avatar(avatar),
    )


def proven_address(value: object) -> str | None:
    """An address in the form in which users have theirs; None for what is none.

    What is beyond ASCII must be in that form already: normalising makes one address of several
    (the Kelvin sign a k, full-width letters ASCII), and only the one that was verified is proven.
    """
    if not isinstance(value, str):
        return None
    try:
        normal = _EMAIL.validate_python(value)
    except ValidationError:
        return None
    return normal if value.isascii() or value == normal else None


def clean_name(value: object, fallback: str) -> str:
    """A display name of 2 to 50 characters without control characters, else from the fallback."""
    for text in (value, fallback):
        if isinstance(text, str):
            plain = "".join(" " if _is_control(character) else character for character in text)
            found = " ".join(plain.split())[:MAX_NAME].strip()
            if len(found) >= MIN_NAME:
                return found
    return _NAMELESS


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def clean_avatar(value: object) -> str | None:
    """A picture's address, where it is one over https that is not too long."""
    if not isinstance(value, str) or len(value) > MAX_AVATAR:
        return None
    if not value.isascii() or not value.isprintable() or " " in value:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme == "https" and parts.hostname else None
