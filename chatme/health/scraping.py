"""Who may read the metrics: who knows the token, and who is on this very machine."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from chatme.metrics import Metrics

# What proxies add; ``X-Forwarded-…`` by its beginning.
_PROXIES = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "cf-connecting-ip"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Asker:
    """Where a request comes from; the header's names are in lower case."""

    address: str
    http_version: str
    headers: Mapping[str, str]
    token: str = ""

    @property
    def local(self) -> bool:
        """Whether it was sent from this machine, as far as can be told.

        Behind a proxy on the same machine every peer is local; so no header of a proxy may be
        there, the host asked for must be this machine's own name, which also keeps out pages whose
        domain was pointed at it, and the version must be newer than HTTP/1.0, in which nginx
        speaks, without any such header, unless told otherwise.
        """
        return (
            _is_loopback(self.address)
            and self.http_version != "1.0"
            and _host_of(self.headers.get("host", "")) in _LOOPBACK_NAMES
            and not any(
                name in _PROXIES or name.startswith("x-forwarded-") for name in self.headers
            )
        )


class ScrapeDoor:
    """Lives as long as the app."""

    def __init__(self, metrics: Metrics, token: SecretStr | None) -> None:
        self.metrics = metrics
        self._token = token

    def lets_in(self, asker: Asker) -> bool:
        """Whether the metrics are there for this one."""
        return asker.local or self._knows(asker.token)

    def _knows(self, token: str) -> bool:
        # Compared in the same time however much of it is right.
        if self._token is None:
            return False
        wanted = self._token.get_secret_value()
        return hmac.compare_digest(token.encode(), wanted.encode())


def _is_loopback(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


def _host_of(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
