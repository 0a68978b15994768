"""Signing in by a provider: there with a sealed cookie, back with a code, and in.

The cookie holds what must fit on the way back; it is signed, so nobody can bring one of their own
making, and bound to one browser, so nobody can send another's code through it (RFC 6749, 10.12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe

import structlog
from itsdangerous import BadData, URLSafeSerializer
from odmantic import AIOEngine

from chatme.auth.identities import IdentityService
from chatme.auth.models import UsedState
from chatme.auth.persons import OAuthFailed
from chatme.auth.providers import Provider
from chatme.auth.remote import Trip
from chatme.auth.service import Challenge, Entry
from chatme.clock import Clock, from_epoch, new_id, to_epoch
from chatme.errors import ChatMeError, Code, Unavailable
from chatme.principal import Peer
from chatme.storage import atomic

log = structlog.stdlib.get_logger("chatme.auth")

STATE_LIFE = timedelta(minutes=10)
_SALT = "chatme.auth.oauth"
_MAX_SEAL = 4096
_FAILED = "sign-in by a provider failed"


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send somebody, and the cookie that they bring back."""

    url: str
    seal: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a provider sends somebody back with (RFC 6749, 4.1.2; RFC 9207), and their cookie."""

    seal: str | None
    state: str | None
    code: str | None
    error: str | None = None
    issuer: str | None = None


class OAuthService:
    """Lives as long as the app; what it must remember is in the database."""

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        identities: IdentityService,
        providers: Mapping[str, Provider],
        secret: str,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._identities = identities
        self._providers = providers
        self._seals = URLSafeSerializer(
            secret, _SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
        )

    async def begin(self, name: str, callback: str) -> Departure | None:
        """The way to a provider, which sends people back to ``callback``; None where it is down.

        Raises `Unavailable` (`provider_not_configured`).
        """
        provider = self._providers.get(name)
        if provider is None:
            raise Unavailable(
                "This provider is not set up here.", code=Code.PROVIDER_NOT_CONFIGURED
            )
        trip = Trip(callback, token_urlsafe(24), token_urlsafe(24), token_urlsafe(48))
        try:
            url = await provider.departure(trip)
        except OAuthFailed as error:
            log.warning(_FAILED, provider=name, reason=str(error))
            return None
        except Exception:
            log.exception(_FAILED, provider=name)
            return None
        until = to_epoch(self._clock.now() + STATE_LIFE)
        return Departure(url, str(self._seals.dumps([name, until, *astuple(trip)])))

    async def finish(self, name: str, arrival: Arrival, peer: Peer) -> Entry | Challenge | None:
        """A session for who comes back from a provider, or the question for the second factor;
        None on any failure, which is logged."""
        try:
            return await self._finish(name, arrival, peer)
        except (OAuthFailed, ChatMeError) as error:
            log.warning(_FAILED, provider=name, reason=str(error))
        except Exception:
            log.exception(_FAILED, provider=name)
        return None

    async def _finish(self, name: str, arrival: Arrival, peer: Peer) -> Entry | Challenge:
        provider = self._providers.get(name)
        if provider is None:
            raise OAuthFailed("the provider is not configured")
        trip = await self._trip(name, arrival)
        if arrival.error is not None:
            raise OAuthFailed("the provider, or somebody there, said no")
        if not arrival.code:
            raise OAuthFailed("there is no code")
        somebody = await provider.arrival(arrival.code, trip, arrival.issuer)
        return await self._identities.sign_in(somebody, peer)

    async def _trip(self, name: str, arrival: Arrival) -> Trip:
        """The trip that this arrival ends: begun here, by this browser, just now, not yet over."""
        if not arrival.seal or len(arrival.seal) > _MAX_SEAL:
            raise OAuthFailed("there is no cookie")
        try:
            began_at, until, *parts = self._seals.loads(arrival.seal)
            trip = Trip(*parts)
        except (BadData, ValueError, TypeError):
            raise OAuthFailed("the cookie is not ours") from None
        ends_at = from_epoch(until)
        if began_at != name:
            raise OAuthFailed("the cookie is of another provider")
        if ends_at <= self._clock.now():
            raise OAuthFailed("the state has expired")
        state = (arrival.state or "").encode(errors="replace")
        if not compare_digest(state, trip.state.encode()):
            raise OAuthFailed("the state is another")
        used = UsedState(id=new_id(), state=trip.state, ends_at=ends_at)
        try:
            await atomic.insert(self._engine, used)
        except atomic.Duplicate:
            raise OAuthFailed("the state was used before") from None
        return trip
