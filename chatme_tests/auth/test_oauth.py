"""Signing in by a provider: the way there, the way back, and what does not fit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer
from odmantic import AIOEngine
from structlog.testing import capture_logs

from chatme.auth.identities import IdentityService
from chatme.auth.models import Session, UsedState
from chatme.auth.oauth import STATE_LIFE, Arrival, Departure, OAuthService
from chatme.auth.persons import OAuthFailed, Person, person
from chatme.auth.providers import Provider
from chatme.auth.remote import Trip
from chatme.auth.service import AuthService
from chatme.errors import Code, Unavailable
from chatme.users.models import User
from chatme.users.service import UserService
from chatme_tests.auth.stage import ACCESS, PEER, granted
from chatme_tests.fakes import FrozenClock, opened_engine

CALLBACK = "https://chat.example/api/v1/auth/google/callback"


class Desk(Provider):
    """A provider without a network: whoever comes with a code is Ada."""

    def __init__(self) -> None:
        self.trips: list[Trip] = []
        self.codes: list[str] = []
        self.error: Exception | None = None

    async def departure(self, trip: Trip) -> str:
        """Keeps the trip."""
        if self.error is not None:
            raise self.error
        self.trips.append(trip)
        return f"https://id.example/authorize?state={trip.state}"

    async def arrival(self, code: str, trip: Trip, issuer: str | None = None) -> Person:
        """Keeps the code, and checks that it is that trip's."""
        self.codes.append(code)
        assert trip in self.trips
        assert issuer in (None, "https://id.example")
        if self.error is not None:
            raise self.error
        return person("google", "https://id.example", "1", email="ada@example.com")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AIOEngine]:
    """An empty database."""
    async with opened_engine(tmp_path / "data", [User, Session, UsedState]) as opened:
        yield opened


@pytest.fixture
def desk() -> Desk:
    """A provider."""
    return Desk()


@pytest.fixture
def oauth(
    engine: AIOEngine, clock: FrozenClock, users: UserService, auth: AuthService, desk: Desk
) -> OAuthService:
    """Signing in by it, under two names."""
    identities = IdentityService(clock, users, auth)
    return OAuthService(engine, clock, identities, {"google": desk, "oidc": desk}, ACCESS)


async def _depart(oauth: OAuthService) -> Departure:
    departure = await oauth.begin("google", CALLBACK)
    assert departure is not None
    return departure


def _arrival(departure: Departure) -> Arrival:
    return Arrival(departure.seal, departure.url.partition("state=")[2], "the-code")


async def test_there_and_back(oauth: OAuthService, auth: AuthService, desk: Desk) -> None:
    """Who comes back with the cookie and the state that they left with is signed in."""
    arrival = _arrival(await _depart(oauth))
    back = replace(arrival, issuer="https://id.example")
    grant = granted(await oauth.finish("google", back, PEER))
    (trip,) = desk.trips

    await auth.authenticate(grant.access_token)
    assert desk.codes == ["the-code"]
    assert trip.callback == CALLBACK
    assert len({trip.state, trip.nonce, trip.verifier}) == 3
    assert 43 <= len(trip.verifier) <= 128
    assert len(trip.state) >= 32


async def test_every_way_is_its_own(oauth: OAuthService, desk: Desk) -> None:
    """No two ways there share a state, a nonce or a verifier."""
    for _ in range(20):
        await _depart(oauth)
    secrets = [part for trip in desk.trips for part in (trip.state, trip.nonce, trip.verifier)]

    assert len(set(secrets)) == 60


async def test_what_does_not_fit_signs_nobody_in(
    oauth: OAuthService, engine: AIOEngine, desk: Desk
) -> None:
    """Without the cookie, with a foreign or forged one, or another state, nobody is signed in."""
    good, other = _arrival(await _depart(oauth)), _arrival(await _depart(oauth))
    assert good.seal is not None
    body, signature = good.seal.rsplit(".", 1)
    salts = [URLSafeSerializer(ACCESS), URLSafeSerializer("x" * 64, "chatme.auth.oauth")]
    bad = [
        replace(good, seal=None),
        replace(good, seal=""),
        replace(good, seal=other.seal),
        replace(good, seal=f"{body}.{'A' * len(signature)}"),
        replace(good, seal=f"{body[:-2]}AA.{signature}"),
        replace(good, seal=body),
        replace(good, seal="x" * 5000),
        replace(good, seal="é\ud800"),
        *(
            replace(good, seal=str(salt.dumps(["google", 9e9, CALLBACK, good.state, "n", "v"])))
            for salt in salts
        ),
        replace(good, state=None),
        replace(good, state=""),
        replace(good, state=other.state),
        replace(good, state="é"),
        replace(good, state=f"{good.state}\ud800"),
    ]
    for arrival in bad:
        assert await oauth.finish("google", arrival, PEER) is None
    for name in ("oidc", "github", "nobody"):
        assert await oauth.finish(name, good, PEER) is None

    assert desk.codes == []
    assert await engine.find(User) == []
    assert await oauth.finish("google", good, PEER) is not None


async def test_a_state_works_once(oauth: OAuthService, engine: AIOEngine, desk: Desk) -> None:
    """Of many that come back with one cookie and state, at once or later, one is signed in."""
    arrival = _arrival(await _depart(oauth))
    grants = await asyncio.gather(*(oauth.finish("google", arrival, PEER) for _ in range(10)))
    again = await oauth.finish("google", replace(arrival, code="another"), PEER)

    assert len([grant for grant in grants if grant is not None]) == 1
    assert again is None
    assert desk.codes == ["the-code"]
    assert len(await engine.find(Session)) == 1


async def test_a_failed_way_is_over_too(oauth: OAuthService, desk: Desk) -> None:
    """Who was refused there, or comes back without a code, cannot use the state once more."""
    for wrong in ({"error": "access_denied"}, {"code": None}, {"code": ""}):
        arrival = _arrival(await _depart(oauth))
        assert await oauth.finish("google", replace(arrival, **wrong), PEER) is None
        assert await oauth.finish("google", arrival, PEER) is None

    assert desk.codes == []


async def test_a_state_lives_ten_minutes(
    oauth: OAuthService, clock: FrozenClock, engine: AIOEngine
) -> None:
    """After ten minutes a state is worth nothing, and the memory of a used one may go."""
    late, used = _arrival(await _depart(oauth)), _arrival(await _depart(oauth))
    until = clock.now() + STATE_LIFE
    clock.move(minutes=9, seconds=59)
    assert await oauth.finish("google", used, PEER) is not None
    clock.move(seconds=1)
    assert await oauth.finish("google", late, PEER) is None
    assert await oauth.finish("google", used, PEER) is None
    (kept,) = await engine.find(UsedState)

    assert kept.ends_at == until


async def test_what_is_not_set_up_is_told(oauth: OAuthService) -> None:
    """A provider that is not set up is unavailable, by its own code."""
    with pytest.raises(Unavailable) as caught:
        await oauth.begin("github", CALLBACK)

    assert caught.value.code is Code.PROVIDER_NOT_CONFIGURED


@pytest.mark.parametrize("error", [OAuthFailed("it is down"), ZeroDivisionError("a fault")])
async def test_a_failure_is_logged_without_secrets(
    error: Exception, oauth: OAuthService, desk: Desk
) -> None:
    """Whatever goes wrong there is in the log, and nothing of cookie, state or code is."""
    arrival = _arrival(await _depart(oauth))
    desk.error = error
    with capture_logs() as lines:
        assert await oauth.begin("google", CALLBACK) is None
        assert await oauth.finish("google", arrival, PEER) is None
    (trip,) = desk.trips
    told = repr(lines)

    assert [each["provider"] for each in lines] == ["google", "google"]
    for each in lines:
        assert each.get("reason") == str(error) or each.get("exc_info") is True
    for secret in (arrival.seal, trip.state, trip.nonce, trip.verifier, "the-code"):
        assert secret
        assert secret not in told
