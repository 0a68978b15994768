"""Who calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address

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

    @property
    def network(self) -> str:
        """What counts as one client: an IPv4 address, or the /64 network of an IPv6 one.

        A household or a host is given a whole /64 (RFC 6177), so single addresses bound nobody.
        """
        try:
            parsed = ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(parsed, IPv6Address):
            if parsed.ipv4_mapped is not None:
                return str(parsed.ipv4_mapped)
            return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
        return str(parsed)
