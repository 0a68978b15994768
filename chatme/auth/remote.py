"""A provider over the wire: every call bounded in time and size, and Authlib behind a typed face.

Of what a provider publishes about itself only `Site` reaches Authlib, which takes any other name
there for an option of its HTTP client (``verify``, ``timeout``, …).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError

from chatme import __version__
from chatme.auth.persons import OAuthFailed

MAX_ANSWER = 512 * 1024
SECONDS_PER_STEP = 5.0
SECONDS = 15.0
LEEWAY = 30
"""How far a provider's clock may be from ours."""
# What Python raises as it makes its way through an answer of another shape than it should have.
_RUBBISH = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)
_CONNECTIONS = httpx2.Limits(max_connections=20, max_keepalive_connections=5)
_HEADERS: Mapping[str, str] = {
    "Accept": "application/json",
    # What is packed could be a bomb.
    "Accept-Encoding": "identity",
    "User-Agent": f"ChatMe/{__version__}",
}


@dataclass(frozen=True, slots=True)
class Site:
    """Where a provider is, and how it wants to be spoken to."""

    authorization_endpoint: str
    token_endpoint: str
    token_auth: str
    issuer: str | None = None
    jwks_uri: str | None = None
    userinfo_endpoint: str | None = None
    algorithms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Client:
    """How we are registered with a provider, and what we ask of it."""

    name: str
    id: str
    secret: str
    scope: str


@dataclass(frozen=True, slots=True)
class Trip:
    """One way to a provider and back: what must fit when somebody returns from there."""

    callback: str
    state: str
    nonce: str
    verifier: str


class Wire:
    """The way out to all providers; lives as long as the app; close it."""

    def __init__(
        self, inner: httpx2.AsyncBaseTransport | None = None, seconds: float = SECONDS
    ) -> None:
        self._inner = inner or httpx2.AsyncHTTPTransport(limits=_CONNECTIONS)
        self._seconds = seconds
        self._transport = _Bounded(self._inner)

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._inner.aclose()

    def options(self) -> dict[str, Any]:
        """What any HTTP client is made with."""
        return {
            "transport": self._transport,
            "timeout": SECONDS_PER_STEP,
            "headers": dict(_HEADERS),
            "follow_redirects": False,
            "trust_env": False,
        }

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Whatever an answer breaks inside is `OAuthFailed`; so is what takes too long."""
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except AuthlibBaseError as error:
            raise OAuthFailed(f"the provider refused: {_word(error.error)}") from None
        except JoseError as error:
            raise OAuthFailed(f"the id token is not valid: {str(error)[:200]}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, TimeoutError) as error:
            raise OAuthFailed(f"the provider cannot be reached: {type(error).__name__}") from None
        except _RUBBISH as error:
            raise OAuthFailed(f"the provider answered rubbish: {type(error).__name__}") from None

    async def get(self, url: str, token: str | None = None) -> tuple[int, Any]:
        """The status and the JSON of an address, with an access token where one is given."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        # A client for each call: no cookie of one caller's travels with another's.
        async with self.call(), httpx2.AsyncClient(**self.options()) as client:
            response = await client.get(url, headers=headers)
            return response.status_code, response.json()


class OAuthClient:
    """Authlib's client of one provider, for as long as what is known of its site holds."""

    def __init__(self, client: Client, site: Site, wire: Wire) -> None:
        self.site = site
        self._client = client
        self._wire = wire
        self._app: Any = OAuth().register(
            client.name,
            client_id=client.id,
            client_secret=client.secret,
            authorize_url=site.authorization_endpoint,
            access_token_url=site.token_endpoint,
            client_kwargs={
                **wire.options(),
                "scope": client.scope,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": site.token_auth,
            },
            issuer=site.issuer,
            jwks_uri=site.jwks_uri,
            id_token_signing_alg_values_supported=list(site.algorithms),
        )

    async def authorization_url(self, trip: Trip) -> str:
        """Where somebody goes to sign in there (RFC 6749, 4.1.1; PKCE, RFC 7636)."""
        async with self._wire.call():
            made = await self._app.create_authorization_url(
                trip.callback, state=trip.state, nonce=trip.nonce, code_verifier=trip.verifier
            )
        return str(made["url"])

    async def tokens(self, code: str, trip: Trip) -> dict[str, Any]:
        """What the provider gives for a code (RFC 6749, 4.1.3): at least an access token."""
        async with self._wire.call():
            found = await self._app.fetch_access_token(
                trip.callback,
                grant_type="authorization_code",
                code=code,
                code_verifier=trip.verifier,
            )
        if not isinstance(found.get("access_token"), str):
            raise OAuthFailed("the provider gave no access token")
        return dict(found)

    async def claims(self, tokens: Mapping[str, Any], trip: Trip) -> dict[str, Any]:
        """What a genuine id token says (OpenID Connect Core 1.0, 3.1.3.7).

        The algorithms are those of the site, each of which has a public key; so ``none`` and a
        signature by what is no secret are refused.
        """
        if not isinstance(tokens.get("id_token"), str):
            raise OAuthFailed("the provider gave no id token")
        expected = {
            "iss": {"essential": True, "value": self.site.issuer},
            "aud": {"essential": True, "value": self._client.id},
            "nonce": {"essential": True, "value": trip.nonce},
        }
        async with self._wire.call():
            claims = await self._app.parse_id_token(
                dict(tokens), trip.nonce, claims_options=expected, leeway=LEEWAY
            )
        if claims["aud"] not in (self._client.id, [self._client.id]):
            raise OAuthFailed("the id token is for others, too")
        return dict(claims)


def _word(text: object) -> str:
    """An error's code as RFC 6749 spells it; a provider's sentences may hold what it was sent."""
    if isinstance(text, str) and len(text) <= 100 and text.replace("_", "").isalnum():
        return text
    return "in other words"


class _Bounded(httpx2.AsyncBaseTransport):
    """Ends an answer that is too long or packed; lets clients come and go over one pool."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request."""
        response = await self._inner.handle_async_request(request)
        stream = response.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise httpx2.DecodingError("no stream")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await stream.aclose()
            raise httpx2.DecodingError("the answer is packed", request=request)
        response.stream = _BoundedStream(stream, request)
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, request: httpx2.Request) -> None:
        self._inner = inner
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > MAX_ANSWER:
                raise httpx2.DecodingError("the answer is too long", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        """Ends the answer."""
        await self._inner.aclose()
