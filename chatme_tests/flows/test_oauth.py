"""Signing in by providers over the real server, against providers on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatme_tests.client import PASSWORD, sign_up
from chatme_tests.flows.oauth_browser import LANDING, browsing, refused
from chatme_tests.flows.oauth_places import ID, SECRET, GitHubFake, openid_mock, served
from chatme_tests.judging import rest_client
from chatme_tests.server import Server

CODE = "the-one-and-only-code"


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    """The provider that nobody here wrote."""
    with openid_mock() as url:
        yield url


@pytest.fixture(scope="module")
def github() -> GitHubFake:
    """GitHub's people."""
    return GitHubFake()


@pytest.fixture(scope="module")
def places(mock: str, github: GitHubFake) -> Iterator[dict[str, str]]:
    """Settings for all three providers."""
    with served(github.app()) as hub:
        ids = {f"{name}_CLIENT_ID": ID for name in ("GOOGLE", "GITHUB", "OIDC")}
        secrets = {f"{name}_CLIENT_SECRET": SECRET for name in ("GOOGLE", "GITHUB", "OIDC")}
        yield {
            **ids,
            **secrets,
            "GOOGLE_DISCOVERY_URL": f"{mock}/.well-known/openid-configuration",
            "OIDC_ISSUER": mock,
            "GITHUB_BASE_URL": hub,
            "GITHUB_API_URL": f"{hub}/api",
            "LOG_LEVEL": "debug",
        }


@pytest.fixture(scope="module")
def server(places: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows all three."""
    with Server(tmp_path_factory.mktemp("oauth") / "data", places) as running:
        yield running


async def _known(mock: str, subject: str, **claims: Any) -> None:
    """Lets the mock know somebody."""
    body = {"email": f"{subject}@example.com", "email_verified": True, **claims}
    async with rest_client() as http:
        response = await http.put(f"{mock}/users/{subject}", json=body)
    assert response.status_code == 204


def _hub_person(github: GitHubFake, login: str, number: int, email: str) -> None:
    profile = {"id": number, "login": login, "name": login.title(), "email": None}
    emails = [
        {"email": f"old-{email}", "primary": False, "verified": True},
        {"email": email, "primary": True, "verified": True},
    ]
    github.people[login] = (profile, emails)


@pytest.mark.parametrize("provider", ["google", "oidc"])
async def test_an_openid_provider_signs_in(provider: str, server: Server, mock: str) -> None:
    """Somebody goes to the provider, comes back signed in, and is the same user the next time."""
    subject = f"ada-{provider}"
    await _known(mock, subject, name="Ada", picture="https://pic.example/ada.png")
    async with browsing(server.url) as browser:
        departure = await browser.depart(provider)
        query = browser.query
        arrival = await browser.arrive(await browser.consent(subject))
        first = await browser.me()
    async with browsing(server.url) as browser:
        await browser.sign_in(provider, subject)
        second = await browser.me()

    trip = departure.headers["set-cookie"]
    assert departure.status_code == 302
    assert departure.headers["location"].startswith(f"{mock}/oauth2/authorize?")
    assert departure.headers["cache-control"] == arrival.headers["cache-control"] == "no-store"
    for part in ("HttpOnly", "SameSite=lax", "Path=/api/v1/auth", "Max-Age=600"):
        assert part in trip
    assert query["redirect_uri"] == f"{server.url}/api/v1/auth/{provider}/callback"
    assert query["code_challenge_method"] == "S256"
    assert all(query[name] for name in ("state", "nonce", "code_challenge"))

    cookies = arrival.headers.get_list("set-cookie")
    assert (arrival.status_code, arrival.headers["location"]) == (302, LANDING)
    assert any(each.startswith('oauth_trip=""') and "Max-Age=0" in each for each in cookies)
    (refresh,) = [each for each in cookies if each.startswith("refresh_token=ey")]
    for part in ("HttpOnly", "SameSite=lax", "Path=/api/v1/auth", "Max-Age=604800"):
        assert part in refresh
    email = f"{subject}@example.com"
    assert (first["email"], first["displayName"], first["isVerified"]) == (email, "Ada", True)
    assert first["avatar"] == "https://pic.example/ada.png"
    assert first["identities"] == [{"provider": provider, "email": email}]
    assert first["id"] == second["id"]


async def test_github_signs_in(server: Server, github: GitHubFake) -> None:
    """GitHub's dialect works with PKCE, and the address is the primary, verified one."""
    _hub_person(github, "octo", 1, "octo@example.com")
    async with browsing(server.url) as browser:
        arrival = await browser.sign_in("github", "octo")
        user = await browser.me()

    assert arrival.headers["location"] == LANDING
    assert (user["email"], user["displayName"]) == ("octo@example.com", "Octo")
    assert user["identities"] == [{"provider": "github", "email": "octo@example.com"}]


async def test_two_providers_are_one_user(server: Server, mock: str, github: GitHubFake) -> None:
    """One address at two providers, in whatever case, is one user with two identities."""
    await _known(mock, "both", email="Both@Example.com")
    _hub_person(github, "both", 2, "both@example.COM")
    found = []
    for provider in ("google", "github"):
        async with browsing(server.url) as browser:
            await browser.sign_in(provider, "both")
            found.append(await browser.me())

    assert found[0]["id"] == found[1]["id"]
    assert [each["provider"] for each in found[1]["identities"]] == ["google", "github"]


async def test_a_squatter_is_put_out(server: Server, mock: str) -> None:
    """Who set up an account with another's address is out, on every door, once its owner comes."""
    squatter = await sign_up(server.url, "Squatter", "owner@example.com")
    socket = await squatter.connect()
    await _known(mock, "owner")
    async with browsing(server.url) as browser:
        await browser.sign_in("google", "owner")
        owner = await browser.me()
    closed = await socket.wait_closed()
    credentials = {"email": "owner@example.com", "password": PASSWORD}
    answers = [
        await squatter.http.get("/auth/me"),
        await squatter.http.post("/auth/refresh"),
        await squatter.http.post("/auth/login", json=credentials),
    ]
    await squatter.aclose()

    assert (owner["id"], owner["isVerified"]) == (squatter.id, True)
    assert closed == 4401
    assert [each.status_code for each in answers] == [401, 401, 401]


async def test_ten_first_arrivals_make_one_user(server: Server, mock: str) -> None:
    """Ten browsers that bring one new person at once end at one user, each signed in."""
    await _known(mock, "crowd")

    async def one() -> Any:
        async with browsing(server.url) as browser:
            assert (await browser.sign_in("google", "crowd")).headers["location"] == LANDING
            return await browser.me()

    found = await asyncio.gather(*(one() for _ in range(10)))

    assert len({each["id"] for each in found}) == 1
    assert all(len(each["identities"]) == 1 for each in found)


async def test_a_callback_that_does_not_fit(server: Server, mock: str) -> None:
    """Without cookie or state, with another's or a used one, nobody is signed in, none set."""
    await _known(mock, "fits")
    async with browsing(server.url) as browser, browsing(server.url) as other:
        await browser.depart("google")
        await other.depart("google")
        back = await browser.consent("fits")
        state, wrong = browser.query["state"], other.query["state"]
        cookie = browser.http.cookies["oauth_trip"]
        async with rest_client() as bare:
            assert refused(await bare.get(back))
            for seal in ("rubbish", "a.b", "x" * 8000, "%00", cookie[:-1], cookie[1:]):
                answer = await bare.get(back, headers={"Cookie": f"oauth_trip={seal}"})
                assert refused(answer), seal
        assert refused(await other.arrive(back))
        for changed in (
            back.replace(state, wrong),
            back.replace(f"state={state}", "state="),
            back.replace(f"state={state}", "state=%00%FF%F0%9F%92%A9"),
            back.partition("?")[0],
            back.replace("google", "oidc"),
        ):
            browser.http.cookies.set("oauth_trip", cookie, path="/api/v1/auth")
            assert refused(await browser.arrive(changed)), changed
        headers = {"Cookie": f"oauth_trip={cookie}"}
        async with rest_client(headers=headers) as bare:
            replays = [await bare.get(back) for _ in range(2)]

    assert replays[0].headers["location"] == LANDING
    assert refused(replays[1])


async def test_a_no_at_the_provider(server: Server) -> None:
    """Who declines there is sent back with the one error that there is."""
    async with browsing(server.url) as browser:
        await browser.depart("oidc")
        state = browser.query["state"]
        no = await browser.arrive(f"/auth/oidc/callback?error=access_denied&state={state}")
        again = await browser.arrive(f"/auth/oidc/callback?code={CODE}&state={state}")

    assert refused(no)
    assert refused(again)


async def test_only_verified_addresses_sign_up(
    server: Server, mock: str, github: GitHubFake
) -> None:
    """An address that is not verified makes no user and joins none, but whom it knows comes in."""
    victim = await sign_up(server.url, "Victim", "victim@example.com")
    _hub_person(github, "thief", 3, "thief@example.com")
    profile, _ = github.people["thief"]
    lie = {"email": "victim@example.com", "primary": True, "verified": False}
    github.people["thief"] = ({**profile, "email": "victim@example.com"}, [lie])
    await _known(mock, "thief", email="victim@example.com", email_verified=False)
    await _known(mock, "mute", email=None)
    async with browsing(server.url) as browser:
        for provider, subject in (("github", "thief"), ("google", "thief"), ("oidc", "mute")):
            assert refused(await browser.sign_in(provider, subject))
    me = await victim.get("/auth/me")
    await victim.aclose()
    await _known(mock, "moving")
    async with browsing(server.url) as browser:
        await browser.sign_in("google", "moving")
        first = await browser.me()
        await _known(mock, "moving", email="victim@example.com", email_verified=False)
        await browser.sign_in("google", "moving")
        second = await browser.me()

    assert (me["identities"], me["isVerified"]) == ([], False)
    assert first == second


async def test_names_inject_nothing(server: Server, mock: str) -> None:
    """A name with line breaks and an address that looks like another's are only that."""
    await _known(mock, "kate", email="kate@example.com")
    await _known(mock, "fake-kate", email="\u212aate@example.com")
    await _known(mock, "breaks", name="Eve\r\nSet-Cookie: admin=1\x00", picture="javascript:1")
    async with browsing(server.url) as browser:
        await browser.sign_in("google", "kate")
        assert refused(await browser.sign_in("google", "fake-kate"))
        arrival = await browser.sign_in("google", "breaks")
        user = await browser.me()

    assert "admin" not in str(arrival.headers)
    assert (user["displayName"], user["avatar"]) == ("Eve Set-Cookie: admin=1", None)


async def test_behind_a_proxy_in_production(data: Path, places: dict[str, str]) -> None:
    """Cookies are secure in production, and providers send people back to the public address."""
    settings = {
        **places,
        "APP_ENV": "production",
        "JWT_SECRET": "a" * 40,
        "JWT_REFRESH_SECRET": "b" * 40,
        "PASSWORD_COST": "12",
        "PUBLIC_URL": "https://chat.example/",
    }
    with Server(data, settings) as server:
        async with browsing(server.url) as browser:
            departure = await browser.depart("google")
            callback = browser.query["redirect_uri"]

    assert callback == "https://chat.example/api/v1/auth/google/callback"
    assert "Secure" in departure.headers["set-cookie"]


def test_the_log_keeps_secrets(server: Server) -> None:
    """After all this no log, even of everything, holds a secret, a code, a token or a verifier."""
    told = server.read_log()

    assert "sign-in by a provider failed" in told
    for word in (SECRET, CODE, "code_verifier", "code=", "state=", "Bearer"):
        assert word not in told
