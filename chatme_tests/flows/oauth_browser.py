"""A browser that signs in by a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from chatme_tests.judging import rest_client

LANDING = "http://localhost:5173/oauth/callback"
FAILED = f"{LANDING}?error=oauth_failed"


class Browser:
    """One browser: it keeps cookies, and goes where it is sent, step by step."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.there = ""

    @property
    def query(self) -> dict[str, str]:
        """What the provider is sent by the browser."""
        return {name: value for name, (value,) in parse_qs(urlsplit(self.there).query).items()}

    async def depart(self, provider: str) -> httpx.Response:
        """Asks to sign in by a provider."""
        response = await self.http.get(f"/auth/{provider}")
        self.there = response.headers.get("location", "")
        return response

    async def consent(self, subject: str, **form: str) -> str:
        """Signs in at the mock, as a subject; where that sends the browser."""
        async with rest_client() as http:
            response = await http.post(self.there, data={"sub": subject, **form})
        assert response.status_code == 302, response.text
        return str(response.headers["location"])

    async def github(self, login: str) -> str:
        """Signs in at the GitHub fake; where that sends the browser."""
        async with rest_client() as http:
            response = await http.get(f"{self.there}&login={login}")
        assert response.status_code == 302, response.text
        return str(response.headers["location"])

    async def arrive(self, url: str) -> httpx.Response:
        """Comes back to where the provider sends it."""
        return await self.http.get(url)

    async def sign_in(self, provider: str, subject: str) -> httpx.Response:
        """All of it, there and back."""
        await self.depart(provider)
        back = await (self.github(subject) if provider == "github" else self.consent(subject))
        return await self.arrive(back)

    async def me(self) -> Any:
        """Who is signed in."""
        refreshed = await self.http.post("/auth/refresh")
        assert refreshed.status_code == 200, refreshed.text
        headers = {"Authorization": f"Bearer {refreshed.json()['accessToken']}"}
        return (await self.http.get("/auth/me", headers=headers)).json()


@asynccontextmanager
async def browsing(url: str) -> AsyncIterator[Browser]:
    """A fresh browser at a server."""
    async with rest_client(base_url=f"{url}/api/v1", timeout=20) as http:
        yield Browser(http)


def refused(response: httpx.Response) -> bool:
    """Whether somebody is sent back with an error, and with nothing set."""
    cookies = response.headers.get_list("set-cookie")
    return (
        response.status_code == 302
        and response.headers["location"] == FAILED
        and not any(each.startswith("refresh_token") for each in cookies)
    )
