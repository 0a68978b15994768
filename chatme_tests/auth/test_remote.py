"""A provider over the wire: what is believed of an id token, and what a call may cost."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from chatme.auth.persons import OAuthFailed
from chatme.auth.remote import LEEWAY, MAX_ANSWER, OAuthClient, Wire
from chatme_tests.auth.abroad import CLIENT, TRIP, Abroad, claims

PLACE = "https://id.example/thing"


@pytest.fixture
def abroad() -> Abroad:
    """A provider."""
    return Abroad()


@pytest.fixture
async def wire(abroad: Abroad) -> AsyncIterator[Wire]:
    """The way to it."""
    made = abroad.wire()
    yield made
    await made.aclose()


@pytest.fixture
def client(abroad: Abroad, wire: Wire) -> OAuthClient:
    """Its client."""
    return abroad.client(wire)


async def _claims(client: OAuthClient) -> dict[str, Any]:
    return await client.claims(await client.tokens("the-code", TRIP), TRIP)


async def test_the_way_there(client: OAuthClient, abroad: Abroad) -> None:
    """The address to go to carries state, nonce and an S256 challenge, never the verifier."""
    url = await client.authorization_url(TRIP)
    query = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}

    assert url.startswith("https://id.example/authorize?tenant=1&")
    challenge = query.pop("code_challenge")
    assert query == {
        "tenant": "1",
        "response_type": "code",
        "client_id": CLIENT.id,
        "redirect_uri": TRIP.callback,
        "scope": CLIENT.scope,
        "state": TRIP.state,
        "nonce": TRIP.nonce,
        "code_challenge_method": "S256",
    }
    assert len(challenge) == 43
    assert TRIP.verifier not in url
    assert abroad.asked == []


async def test_a_code_is_exchanged(client: OAuthClient, abroad: Abroad) -> None:
    """A code goes out with the verifier and our name, and its id token is believed."""
    abroad.gives(abroad.sign(claims()))
    found = await _claims(client)
    request = abroad.asked[0]
    body = {name: value for name, (value,) in parse_qs(request.content.decode()).items()}

    assert (found["sub"], found["email"]) == ("1", "ada@example.com")
    assert body == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": TRIP.callback,
        "code_verifier": TRIP.verifier,
    }
    secret = base64.b64encode(f"{CLIENT.id}:{CLIENT.secret}".encode()).decode()
    assert request.headers["authorization"] == f"Basic {secret}"
    assert request.headers["accept-encoding"] == "identity"


NOW = int(time.time())


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"iss": "https://id.example/"},
        {"iss": None},
        {"aud": "their-id"},
        {"aud": ["their-id"], "azp": CLIENT.id},
        {"aud": [CLIENT.id, "their-id"]},
        {"aud": [CLIENT.id, "their-id"], "azp": CLIENT.id},
        {"aud": []},
        {"aud": None},
        {"azp": "their-id"},
        {"nonce": "another"},
        {"nonce": ""},
        {"nonce": None},
        {"exp": NOW - LEEWAY - 60},
        {"exp": "never"},
        {"exp": None},
        {"iat": NOW + 3600},
        {"iat": None},
        {"nbf": NOW + 3600},
        {"sub": None},
        {"sub": 7},
        {"at_hash": "rubbish"},
    ],
    ids=str,
)
async def test_a_wrong_claim_is_refused(
    wrong: dict[str, Any], client: OAuthClient, abroad: Abroad
) -> None:
    """An id token of another issuer, for another, of another sign-in or time is not believed."""
    abroad.gives(abroad.sign(claims(**wrong)))
    with pytest.raises(OAuthFailed):
        await _claims(client)


def _unsigned(payload: dict[str, Any], algorithm: str) -> str:
    parts = [{"alg": algorithm}, payload]
    return ".".join(_base64(json.dumps(part).encode()) for part in parts) + "."


def _by_secret(payload: dict[str, Any], secret: bytes) -> str:
    body = _unsigned(payload, "HS256").rstrip(".")
    return f"{body}.{_base64(hmac.digest(secret, body.encode(), 'sha256'))}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_a_wrong_signature_is_refused(client: OAuthClient, abroad: Abroad) -> None:
    """No id token without a signature, by another key, or by a secret that is none is believed."""
    stranger = RSAKey.generate_key(2048)
    genuine = abroad.sign(claims())
    head, _, signature = genuine.split(".")
    forged = [
        _unsigned(claims(), "none"),
        _unsigned(claims(), "None"),
        jwt.encode({"alg": "RS256", "kid": "first"}, claims(), stranger),
        jwt.encode({"alg": "RS256", "kid": "second"}, claims(), stranger),
        _by_secret(claims(), abroad.key.as_pem(private=False)),
        _by_secret(claims(), CLIENT.secret.encode()),
        ".".join([head, _base64(json.dumps(claims(sub="2")).encode()), signature]),
        genuine.rpartition(".")[0] + ".",
        "rubbish",
        "",
    ]
    for token in forged:
        abroad.gives(token)
        with pytest.raises(OAuthFailed):
            await _claims(client)

    abroad.gives(genuine)
    assert (await _claims(client))["sub"] == "1"


async def test_a_new_key_is_fetched(client: OAuthClient, abroad: Abroad) -> None:
    """A provider that changes its key is believed again as soon as it signs with the new one."""
    abroad.gives(abroad.sign(claims()))
    await _claims(client)
    abroad.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
    abroad.gives(abroad.sign(claims(sub="2")))

    assert (await _claims(client))["sub"] == "2"
    assert abroad.paths.count("/jwks") == 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, json={"error": "invalid_grant", "error_description": "the-code"}),
        httpx2.Response(200, json={"error": {"the-code": 1}}),
        httpx2.Response(200, json={"error": "the-code is wrong\r\n"}),
        httpx2.Response(400, json={"error": "invalid_client"}),
        httpx2.Response(500, text="<html>"),
        httpx2.Response(302, headers={"Location": "https://id.example/jwks"}),
        httpx2.Response(200, text="access_token=at"),
        httpx2.Response(200, json=["at"]),
        httpx2.Response(200, json={"access_token": 7, "id_token": "x"}),
        httpx2.Response(200, json={"access_token": "at", "id_token": 7}),
        httpx2.Response(200, json={"access_token": "at"}),
        httpx2.Response(200, json={}),
        httpx2.Response(200, content=b"\xff\xfe\x00"),
        httpx2.Response(200, content=b"[" * 100_000),
        httpx2.Response(200, content=b'{"expires_in": 1e999, "access_token": "at"}'),
        httpx2.Response(204),
    ],
)
async def test_rubbish_is_refused(
    answer: httpx2.Response, client: OAuthClient, abroad: Abroad
) -> None:
    """Whatever else comes for a code is a failure whose words hold nothing of what was sent."""
    abroad.answers["/token"] = answer
    with pytest.raises(OAuthFailed) as caught:
        await _claims(client)

    assert "the-code" not in str(caught.value)
    assert len(str(caught.value)) < 300


async def test_a_redirect_is_not_followed(wire: Wire, abroad: Abroad) -> None:
    """A token is not carried on to where an answer points."""
    abroad.answers["/thing"] = httpx2.Response(302, headers={"Location": "https://evil.example"})
    with pytest.raises(OAuthFailed):
        await wire.get(PLACE, "the-token")

    assert [request.headers["authorization"] for request in abroad.asked] == ["Bearer the-token"]


async def test_an_endless_answer_is_cut(wire: Wire, abroad: Abroad) -> None:
    """An answer is read up to 512 KiB, whatever length it told, and then it is over."""
    sent = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65536

    abroad.answers["/thing"] = lambda _: httpx2.Response(200, content=stream())
    with pytest.raises(OAuthFailed, match="DecodingError"):
        await wire.get(PLACE)

    assert sent * 65536 <= MAX_ANSWER + 65536


async def test_a_packed_answer_is_refused(wire: Wire, abroad: Abroad) -> None:
    """An answer that would have to be unpacked, and might be a bomb, is not read."""
    packed = gzip.compress(b" " * 10_000_000)
    abroad.answers["/thing"] = lambda _: httpx2.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx2.ByteStream(packed)
    )
    with pytest.raises(OAuthFailed, match="DecodingError"):
        await wire.get(PLACE)


async def test_a_slow_answer_is_given_up(abroad: Abroad) -> None:
    """A provider that goes on sending a little at a time is given up after the time it has."""
    started = asyncio.Event()

    async def drip() -> AsyncIterator[bytes]:
        while True:
            started.set()
            yield b" "
            await asyncio.sleep(0.01)

    abroad.answers["/thing"] = lambda _: httpx2.Response(200, content=drip())
    wire = abroad.wire(seconds=0.1)
    with pytest.raises(OAuthFailed, match="TimeoutError"):
        await wire.get(PLACE)
    await wire.aclose()

    assert started.is_set()


async def test_no_cookie_is_kept(wire: Wire, abroad: Abroad) -> None:
    """What a provider sets for one caller does not go out with the next one's call."""
    abroad.answers["/thing"] = httpx2.Response(200, headers={"Set-Cookie": "a=b"}, json={})
    await wire.get(PLACE)
    await wire.get(PLACE)

    assert "cookie" not in abroad.asked[1].headers


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://[::1", "ftp://x", "", "http://"])
async def test_nobody_there(url: str) -> None:
    """An address at which nobody answers, or that is none, is a failure."""
    wire = Wire()
    with pytest.raises(OAuthFailed):
        await wire.get(url)
    await wire.aclose()
