"""Providers that lie, answer rubbish, take their time or are not there, at the real server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from chatme_tests.flows.oauth_browser import LANDING, browsing, refused
from chatme_tests.flows.oauth_places import ID, SECRET, Liar, served
from chatme_tests.server import Server

CODE = "the-one-and-only-code"


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    """The provider that lies."""
    made = Liar()
    with served(made.app()) as made.url:
        yield made


@pytest.fixture(scope="module")
def deceived(liar: Liar, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose provider is the liar."""
    settings = {"OIDC_ISSUER": liar.url, "OIDC_CLIENT_ID": ID, "OIDC_CLIENT_SECRET": SECRET}
    settings["LOG_LEVEL"] = "debug"
    with Server(tmp_path_factory.mktemp("oauth") / "liar", settings) as running:
        yield running


LIES: dict[str, dict[str, Any]] = {
    "nonce": {"nonce": "another"},
    "audience": {"aud": "their-id"},
    "more audiences": {"aud": [ID, "their-id"], "azp": ID},
    "issuer": {"iss": "https://evil.example"},
    "expired": {"exp": 1_700_000_000},
    "future": {"iat": 9_000_000_000},
    "subject": {"sub": ""},
    "unverified": {"sub": "liar-2", "email_verified": False},
    "address": {"sub": "liar-2", "email": "liar@example.com\r\nBcc: you@example.com"},
}
RUBBISH: dict[str, Response] = {
    "page": Response("<html>", media_type="text/html"),
    "list": JSONResponse([1]),
    "error": JSONResponse({"error": "invalid_grant", "error_description": CODE}, 400),
    "fault": Response(status_code=500),
    "flood": Response(b" " * 2_000_000, media_type="application/json"),
    "redirect": Response(status_code=307, headers={"Location": "http://127.0.0.1:9/"}),
    "no id token": JSONResponse({"access_token": "at", "token_type": "Bearer"}),
    "rubbish id token": JSONResponse({"access_token": "at", "id_token": "a.b.c"}),
}


async def _believe(server: Server, liar: Liar) -> httpx.Response:
    async with browsing(server.url) as browser:
        await browser.depart("oidc")
        liar.nonce = browser.query["nonce"]
        state = browser.query["state"]
        return await browser.arrive(f"/auth/oidc/callback?code={CODE}&state={state}")


@pytest.mark.parametrize("lie", [*LIES, *RUBBISH, "alg none"])
async def test_a_liar_is_not_believed(lie: str, deceived: Server, liar: Liar) -> None:
    """A provider that lies or answers rubbish signs nobody in, and is heard again when honest."""
    liar.claims, liar.answer = LIES.get(lie, {}), RUBBISH.get(lie)
    liar.unsigned = lie == "alg none"
    assert refused(await _believe(deceived, liar))
    liar.honest()

    assert (await _believe(deceived, liar)).headers["location"] == LANDING


async def test_a_slow_provider_holds_up_nobody(deceived: Server, liar: Liar) -> None:
    """While a provider takes its time the server answers others, and then signs in."""
    liar.hold = threading.Event()
    waiting = asyncio.create_task(_believe(deceived, liar))
    await asyncio.to_thread(liar.asked.wait, 10)
    async with browsing(deceived.url) as browser:
        for _ in range(20):
            assert (await browser.http.get("/health/live", timeout=1)).status_code == 200
    assert not waiting.done()
    liar.hold.set()
    arrival = await waiting
    liar.honest()

    assert arrival.headers["location"] == LANDING


async def test_a_provider_that_is_down(data: Path) -> None:
    """Where nobody answers at a provider's address the browser is sent back, as the log says."""
    settings = {
        "OIDC_ISSUER": "http://127.0.0.1:9",
        "OIDC_CLIENT_ID": ID,
        "OIDC_CLIENT_SECRET": SECRET,
        "FRONTEND_URL": "https://chat.example,https://other.example",
    }
    with Server(data, settings) as server:
        async with browsing(server.url) as browser:
            response = await browser.depart("oidc")
            absent = [await browser.depart(provider) for provider in ("google", "github")]
            callback = await browser.arrive("/auth/github/callback?code=1&state=2")
        told = [json.loads(line) for line in server.read_log().splitlines()]

    landing = "https://chat.example/oauth/callback?error=oauth_failed"
    assert (response.status_code, response.headers["location"]) == (302, landing)
    assert callback.headers["location"] == landing
    for each in absent:
        assert (each.status_code, each.json()["code"]) == (503, "provider_not_configured")
    assert [each["reason"] for each in told if each.get("provider") == "oidc"] == [
        "the provider cannot be reached: ConnectError"
    ]


def test_the_log_keeps_secrets(deceived: Server) -> None:
    """After all this no log, even of everything, holds a secret, a code, a token or a verifier."""
    told = deceived.read_log()

    assert "sign-in by a provider failed" in told
    for word in (SECRET, CODE, "code_verifier", "code=", "state=", "Bearer"):
        assert word not in told
