"""Providers on real sockets: one that nobody here wrote, GitHub's dialect, and a liar."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_urlsafe
from socket import create_server
from typing import Any
from urllib.parse import parse_qsl, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

ID, SECRET = "our-id", "our-very-secret-secret"


@contextmanager
def openid_mock() -> Iterator[str]:
    """`oidc-provider-mock`, from PyPI, as a process of its own; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        told = (re.search(r"running on (http://\S+)", line) for line in process.stderr)
        url = next(found[1] for found in told if found)
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        yield url
    finally:
        process.kill()
        process.wait()
    drain.join()
    process.stderr.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """An application on a socket of its own, in a thread; its address."""
    listener = create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class GitHubFake:
    """GitHub's dialect, with PKCE; ``people`` by login are what its API tells."""

    people: dict[str, tuple[dict[str, Any], object]] = field(default_factory=dict)
    grants: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def app(self) -> Starlette:
        """It as an application: ``login`` in the query says who sits at the browser."""
        return Starlette(
            routes=[
                Route("/login/oauth/authorize", self._authorize),
                Route("/login/oauth/access_token", self._token, methods=["POST"]),
                Route("/api/user", self._user),
                Route("/api/user/emails", self._user),
            ]
        )

    async def _authorize(self, request: Request) -> Response:
        query = request.query_params
        wanted = {"read:user", "user:email"}
        assert query["client_id"] == ID
        assert query["code_challenge_method"] == "S256"
        assert wanted == set(query["scope"].split())
        code = token_urlsafe(16)
        self.grants[code] = (query["login"], query["redirect_uri"], query["code_challenge"])
        back = urlencode({"code": code, "state": query["state"]})
        return RedirectResponse(f"{query['redirect_uri']}?{back}", 302)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if (form.get("client_id"), form.get("client_secret")) != (ID, SECRET):
            return JSONResponse({"error": "incorrect_client_credentials"})
        login, callback, challenge = self.grants.pop(str(form.get("code")), ("", "", ""))
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        proven = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
        if not proven or form.get("redirect_uri") != callback:
            return JSONResponse({"error": "bad_verification_code", "error_description": "No."})
        token = token_urlsafe(16)
        self.tokens[token] = login
        body = {"access_token": token, "token_type": "bearer", "scope": "read:user,user:email"}
        if "application/json" in request.headers["accept"]:
            return JSONResponse(body)
        return Response(urlencode(body), media_type="application/x-www-form-urlencoded")

    async def _user(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return JSONResponse({"message": "Bad credentials"}, 401)
        profile, emails = self.people[self.tokens[token]]
        return JSONResponse(emails if request.url.path.endswith("/emails") else profile)


@dataclass
class Liar:
    """An OpenID provider that says what a test makes it say; honest where nothing is set."""

    url: str = ""
    nonce: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    unsigned: bool = False
    answer: Response | None = None
    hold: threading.Event | None = None
    asked: threading.Event = field(default_factory=threading.Event)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k"}))

    def app(self) -> Starlette:
        """It as an application."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/jwks", self._jwks),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def honest(self) -> None:
        """Says the truth from now on."""
        self.claims, self.unsigned, self.answer, self.hold = {}, False, None, None
        self.asked.clear()

    async def _discovery(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
            }
        )

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    def _token(self, _request: Request) -> Response:
        self.asked.set()
        if self.hold is not None:
            self.hold.wait(10)
        if self.answer is not None:
            return self.answer
        now = int(time.time())
        whole = {
            "iss": self.url,
            "sub": "liar-1",
            "aud": ID,
            "iat": now,
            "exp": now + 60,
            "nonce": self.nonce,
            "email": "liar@example.com",
            "email_verified": True,
            **self.claims,
        }
        token = jwt.encode({"alg": "RS256", "kid": "k"}, whole, self.key)
        if self.unsigned:
            head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
            token = f"{head}.{token.split('.')[1]}."
        return JSONResponse({"access_token": "at", "token_type": "Bearer", "id_token": token})
