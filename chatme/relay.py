"""Where mail leaves and who sends it: ``SMTP_URL`` and ``MAIL_FROM`` in their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.errors import MessageError
from email.policy import default
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

_PORTS: Mapping[str, int] = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Relay:
    """A mail server that takes what we send; ``tls`` from the first byte on, or by STARTTLS."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address in its two parts, and the name before it."""

    name: str
    user: str
    domain: str

    @property
    def address(self) -> str:
        """The address alone."""
        return f"{self.user}@{self.domain}"


def parse_relay(text: str) -> Relay:
    """A relay from a setting. Raises `ValueError`, which never repeats the password."""
    wrong = ValueError("must be smtp://user:password@host:587 or smtps://…:465, percent-encoded")
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise wrong from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    host = parts.hostname or ""
    if (
        parts.scheme not in _PORTS
        or not host
        or " " in host
        or port == 0
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or not (host + user + password).isprintable()
        or bool(user) != bool(password)
    ):
        raise wrong
    known = port or _PORTS[parts.scheme]
    return Relay(host, known, parts.scheme == "smtps", user or None, password or None)


def parse_mailbox(text: str) -> Mailbox:
    """A sender from a setting: an address, or a name and ``<address>``; raises `ValueError`."""
    wrong = ValueError("must be an address, or a name and one: ChatMe <chat@example.org>")
    # An encoded word could hide what the others are looked for: a line break.
    text = text.strip()
    if not text.isprintable() or "=?" in text:
        raise wrong
    try:
        header: Any = default.header_factory("From", text)
    except (MessageError, ValueError, IndexError):
        raise wrong from None
    if len(header.addresses) != 1 or header.defects:
        raise wrong
    found = header.addresses[0]
    if not found.username or not found.domain or not found.addr_spec.isascii():
        raise wrong
    return Mailbox(found.display_name, found.username, found.domain)
