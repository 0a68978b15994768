"""A provider without a network: it signs, and answers what a test says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from chatme.auth.remote import Client, OAuthClient, Site, Trip, Wire

HOME = "https://id.example"
CLIENT = Client("oidc", "our-id", "our-secret", "openid email profile")
TRIP = Trip("https://chat.example/back", "the-state", "the-nonce", "v" * 64)
SITE = Site(
    authorization_endpoint=f"{HOME}/authorize?tenant=1",
    token_endpoint=f"{HOME}/token",
    token_auth="client_secret_basic",
    issuer=HOME,
    jwks_uri=f"{HOME}/jwks",
    userinfo_endpoint=f"{HOME}/userinfo",
    algorithms=("RS256", "ES256"),
)
DISCOVERY: Mapping[str, Any] = {
    "issuer": HOME,
    "authorization_endpoint": f"{HOME}/authorize",
    "token_endpoint": f"{HOME}/token",
    "jwks_uri": f"{HOME}/jwks",
    "userinfo_endpoint": f"{HOME}/userinfo",
    "id_token_signing_alg_values_supported": ["RS256"],
}

Answer = httpx2.Response | Callable[[httpx2.Request], httpx2.Response]


def claims(**more: Any) -> dict[str, Any]:
    """What a genuine id token says; None leaves a claim out."""
    now = int(time.time())
    whole = {
        "iss": HOME,
        "sub": "1",
        "aud": CLIENT.id,
        "iat": now,
        "exp": now + 60,
        "nonce": TRIP.nonce,
        "email": "ada@example.com",
        "email_verified": True,
        **more,
    }
    return {name: value for name, value in whole.items() if value is not None}


class Abroad:
    """Answers by path, keeps what it was asked, and signs with its own key."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.answers: dict[str, Answer] = {
            "/.well-known/openid-configuration": httpx2.Response(200, json=dict(DISCOVERY))
        }
        self.asked: list[httpx2.Request] = []

    @property
    def paths(self) -> list[str]:
        """The paths that were asked, in order."""
        return [request.url.path for request in self.asked]

    def wire(self, seconds: float = 10) -> Wire:
        """A way out that leads here."""
        return Wire(httpx2.MockTransport(self._answer), seconds)

    def client(self, wire: Wire) -> OAuthClient:
        """A client of this provider."""
        return OAuthClient(CLIENT, SITE, wire)

    def sign(self, payload: dict[str, Any], **header: Any) -> str:
        """An id token."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid, **header}, payload, self.key)

    def gives(self, id_token: str | None = None, **more: Any) -> None:
        """The next codes are worth this token."""
        body: dict[str, Any] = {"access_token": "at", "token_type": "Bearer", **more}
        if id_token is not None:
            body["id_token"] = id_token
        self.answers["/token"] = httpx2.Response(200, json=body)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if request.url.path == "/jwks":
            return httpx2.Response(200, json=KeySet([self.key]).as_dict(private=False))
        path = request.url.path.removeprefix("/login/oauth/access_")
        answer = self.answers.get(path if path[0] == "/" else f"/{path}", httpx2.Response(404))
        if not isinstance(answer, httpx2.Response):
            return answer(request)
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)
