"""The providers: a row for each, and the two dialects in which they say who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from chatme.auth.persons import OAuthFailed, Person, person
from chatme.auth.remote import Client, OAuthClient, Site, Trip, Wire
from chatme.clock import Clock
from chatme.settings import Settings

NAMES = ("google", "github", "oidc")
"""Every provider there is a row for, configured or not."""
WELL_KNOWN = "/.well-known/openid-configuration"
SITE_LIFE = timedelta(hours=1)
OPENID_SCOPE = "openid email profile"
GITHUB_SCOPE = "read:user user:email"
# Each with a public key: what an id token is signed with cannot be made from what clients know.
_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
_USUAL = ("RS256",)


class Dialect(Protocol):
    """How a kind of provider is found, and how it says who somebody is."""

    async def site(self) -> Site:
        """Where the provider is; raises `OAuthFailed`."""
        ...

    async def person(
        self, name: str, client: OAuthClient, tokens: Mapping[str, Any], trip: Trip
    ) -> Person:
        """Who returned with these tokens; raises `OAuthFailed`."""
        ...


def rows(settings: Settings, wire: Wire) -> Mapping[str, tuple[Client, Dialect]]:
    """The table: a row for each provider that is configured."""
    google = OpenIdConnect(settings.google_discovery_url, wire)
    github = GitHub(settings.github_base_url, settings.github_api_url, wire)
    oidc = OpenIdConnect((settings.oidc_issuer or "").rstrip("/") + WELL_KNOWN, wire)
    table: tuple[tuple[str, str | None, SecretStr | None, str, Dialect], ...] = (
        ("google", settings.google_client_id, settings.google_client_secret, OPENID_SCOPE, google),
        ("github", settings.github_client_id, settings.github_client_secret, GITHUB_SCOPE, github),
        ("oidc", settings.oidc_client_id, settings.oidc_client_secret, OPENID_SCOPE, oidc),
    )
    return {
        name: (Client(name, client_id, secret.get_secret_value(), scope), dialect)
        for name, client_id, secret, scope, dialect in table
        if client_id and secret and (name != "oidc" or settings.oidc_issuer)
    }


class Provider:
    """One provider that is configured; lives as long as the app.

    What it publishes about itself is kept for an hour, or until a sign-in there fails.
    """

    def __init__(self, client: Client, dialect: Dialect, wire: Wire, clock: Clock) -> None:
        self._client = client
        self._dialect = dialect
        self._wire = wire
        self._clock = clock
        self._known: tuple[datetime, OAuthClient] | None = None

    async def departure(self, trip: Trip) -> str:
        """Where somebody goes to sign in; raises `OAuthFailed`."""
        return await (await self._connected()).authorization_url(trip)

    async def arrival(self, code: str, trip: Trip, issuer: str | None = None) -> Person:
        """Who came back with a code, and from whom, where that was told; raises `OAuthFailed`."""
        client = await self._connected()
        # RFC 9207: another provider's code, brought to us in this one's name.
        if issuer is not None and client.site.issuer not in (None, issuer):
            raise OAuthFailed("the code is another provider's")
        try:
            tokens = await client.tokens(code, trip)
            return await self._dialect.person(self._client.name, client, tokens, trip)
        except OAuthFailed:
            self._known = None
            raise

    async def _connected(self) -> OAuthClient:
        now = self._clock.now()
        if self._known is not None and self._known[0] > now:
            return self._known[1]
        client = OAuthClient(self._client, await self._dialect.site(), self._wire)
        self._known = (now + SITE_LIFE, client)
        return client


@dataclass(frozen=True, slots=True)
class OpenIdConnect:
    """OpenID Connect Core 1.0, from the address of its discovery document."""

    discovery_url: str
    wire: Wire

    async def site(self) -> Site:
        """What the discovery document says (OpenID Connect Discovery 1.0, 3 and 4.3)."""
        status, found = await self.wire.get(self.discovery_url)
        if status != 200 or not isinstance(found, dict):
            raise OAuthFailed(f"no discovery document: status {status}")
        issuer = found.get("issuer")
        base, well_known, _ = self.discovery_url.partition(WELL_KNOWN)
        if not isinstance(issuer, str) or (well_known and issuer.rstrip("/") != base):
            raise OAuthFailed("the discovery document is another issuer's")
        named = _texts(found.get("id_token_signing_alg_values_supported")) or _USUAL
        algorithms = tuple(each for each in _ALGORITHMS if each in named)
        if not algorithms:
            raise OAuthFailed("the provider signs by no algorithm that is safe")
        methods = _texts(found.get("token_endpoint_auth_methods_supported"))
        by_post = "client_secret_post" in methods and "client_secret_basic" not in methods
        return Site(
            authorization_endpoint=self._address(found.get("authorization_endpoint")),
            token_endpoint=self._address(found.get("token_endpoint")),
            token_auth="client_secret_post" if by_post else "client_secret_basic",
            issuer=issuer,
            jwks_uri=self._address(found.get("jwks_uri")),
            userinfo_endpoint=(
                self._address(found["userinfo_endpoint"]) if "userinfo_endpoint" in found else None
            ),
            algorithms=algorithms,
        )

    async def person(
        self, name: str, client: OAuthClient, tokens: Mapping[str, Any], trip: Trip
    ) -> Person:
        """Who the id token names; the user-info endpoint is asked where it tells no address."""
        claims = await client.claims(tokens, trip)
        if "email" not in claims and client.site.userinfo_endpoint is not None:
            status, more = await self.wire.get(
                client.site.userinfo_endpoint, tokens["access_token"]
            )
            if status != 200 or not isinstance(more, dict) or more.get("sub") != claims["sub"]:
                raise OAuthFailed(f"no information about the user: status {status}")
            claims = {**more, **claims}
        verified = claims.get("email_verified")
        return person(
            name,
            str(client.site.issuer),
            claims["sub"],
            # A few providers write the boolean as a text.
            email=claims.get("email") if verified is True or verified == "true" else None,
            name=claims.get("name"),
            avatar=claims.get("picture"),
        )

    def _address(self, value: object) -> str:
        """An address that the document names; not in the clear where the document was not."""
        secure = urlsplit(self.discovery_url).scheme == "https"
        try:
            parts = urlsplit(value if isinstance(value, str) else "")
        except ValueError:
            parts = urlsplit("")
        if not parts.hostname or parts.scheme not in (("https",) if secure else ("http", "https")):
            raise OAuthFailed("the discovery document lacks an address")
        return parts.geturl()


@dataclass(frozen=True, slots=True)
class GitHub:
    """GitHub's dialect of OAuth 2.0, at github.com or on a server of one's own."""

    base_url: str
    api_url: str
    wire: Wire

    async def site(self) -> Site:
        """Its fixed addresses."""
        return Site(
            authorization_endpoint=f"{self.base_url}/login/oauth/authorize",
            token_endpoint=f"{self.base_url}/login/oauth/access_token",
            token_auth="client_secret_post",  # noqa: S106 -- the name of a method
        )

    async def person(
        self, name: str, client: OAuthClient, tokens: Mapping[str, Any], trip: Trip
    ) -> Person:
        """The owner of the access token, by the number that no renaming changes."""
        token = tokens["access_token"]
        status, user = await self.wire.get(f"{self.api_url}/user", token)
        if status != 200 or not isinstance(user, dict):
            raise OAuthFailed(f"no information about the user: status {status}")
        number = user.get("id")
        if not isinstance(number, int) or isinstance(number, bool):
            raise OAuthFailed("the provider names nobody")
        return person(
            name,
            self.base_url,
            str(number),
            email=await self._address(token, user.get("email")),
            name=user.get("name") or user.get("login"),
            avatar=user.get("avatar_url"),
        )

    async def _address(self, token: str, shown: object) -> str | None:
        """The verified address that the profile shows, else the primary one, where verified.

        The profile alone proves nothing: only the list says what is verified.
        """
        status, found = await self.wire.get(f"{self.api_url}/user/emails?per_page=100", token)
        if status in (403, 404):  # the user did not let us see them
            return None
        if status != 200 or not isinstance(found, list):
            raise OAuthFailed(f"no addresses: status {status}")
        verified = {
            each["email"]: each.get("primary") is True
            for each in found
            if isinstance(each, dict)
            and each.get("verified") is True
            and isinstance(each.get("email"), str)
        }
        if isinstance(shown, str) and shown in verified:
            return shown
        return next((email for email, primary in verified.items() if primary), None)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
