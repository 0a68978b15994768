"""The providers: how each is found, and whom and which address its words name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chatme.auth.persons import OAuthFailed, Person
from chatme.auth.providers import NAMES, GitHub, OpenIdConnect, Provider, rows
from chatme.auth.remote import Wire
from chatme_tests.auth.abroad import CLIENT, DISCOVERY, HOME, TRIP, Abroad, claims
from chatme_tests.fakes import FrozenClock, settings_of

WELL_KNOWN = f"{HOME}/.well-known/openid-configuration"


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
def openid(wire: Wire, clock: FrozenClock) -> Provider:
    """It, by OpenID Connect."""
    return Provider(CLIENT, OpenIdConnect(WELL_KNOWN, wire), wire, clock)


@pytest.fixture
def github(wire: Wire, clock: FrozenClock) -> Provider:
    """It, by GitHub's dialect."""
    return Provider(CLIENT, GitHub(HOME, f"{HOME}/api", wire), wire, clock)


def _found(abroad: Abroad, **more: Any) -> None:
    found = {name: value for name, value in {**DISCOVERY, **more}.items() if value is not None}
    abroad.answers["/.well-known/openid-configuration"] = httpx2.Response(200, json=found)


async def test_the_table_has_a_row_for_each_that_is_set(tmp_path: Path, wire: Wire) -> None:
    """A provider is there where its id and its secret are set, and for OpenID its issuer."""
    whole = {
        f"{name}_client_{part}": f"{name}-{part}" for name in NAMES for part in ("id", "secret")
    }
    table = rows(settings_of(tmp_path, **whole, oidc_issuer=f"{HOME}/"), wire)
    lacking = {name: value for name, value in whole.items() if name != "google_client_secret"}

    assert tuple(table) == NAMES
    assert [(each.name, each.id, each.secret) for each, _ in table.values()] == [
        (name, f"{name}-id", f"{name}-secret") for name in NAMES
    ]
    assert table["oidc"][1] == OpenIdConnect(WELL_KNOWN, wire)
    assert tuple(rows(settings_of(tmp_path, **lacking), wire)) == ("github",)
    assert rows(settings_of(tmp_path), wire) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"issuer": [HOME]},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://id.example/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": ["https://id.example/token"]},
        {"jwks_uri": None},
        {"jwks_uri": "https://[::1"},
        {"userinfo_endpoint": "//id.example"},
        {"id_token_signing_alg_values_supported": ["none"]},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    ],
    ids=str,
)
async def test_a_wrong_discovery_is_refused(
    wrong: dict[str, Any], openid: Provider, abroad: Abroad
) -> None:
    """A document of another issuer, without an address or a safe algorithm leads nowhere."""
    _found(abroad, **wrong)
    with pytest.raises(OAuthFailed):
        await openid.departure(TRIP)

    _found(abroad)
    assert await openid.departure(TRIP)


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(404, json={}),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json="x"),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json={}),
    ],
)
async def test_a_rubbish_discovery_is_not_kept(
    answer: httpx2.Response, openid: Provider, abroad: Abroad
) -> None:
    """What is no discovery document is a failure, and is asked for again the next time."""
    abroad.answers["/.well-known/openid-configuration"] = answer
    with pytest.raises(OAuthFailed):
        await openid.departure(TRIP)

    _found(abroad)
    assert await openid.departure(TRIP)


async def test_options_of_ours_are_not_a_providers(openid: Provider, abroad: Abroad) -> None:
    """Nothing in a discovery document changes how we call: not by a library's names either."""
    _found(
        abroad,
        verify=False,
        timeout=9999,
        follow_redirects=True,
        client_id="theirs",
        code_challenge_method="plain",
        scope="everything",
        headers={"X-Evil": "1"},
        id_token_signing_alg_values_supported=["none", "RS256"],
        token_endpoint_auth_methods_supported=["client_secret_post"],
    )
    abroad.gives(abroad.sign(claims()))
    url = await openid.departure(TRIP)
    await openid.arrival("the-code", TRIP)
    exchange = abroad.asked[1]

    assert "client_id=our-id" in url
    assert "code_challenge_method=S256" in url
    assert "everything" not in url
    assert "x-evil" not in exchange.headers
    assert b"client_secret=our-secret" in exchange.content


async def test_a_site_is_known_for_an_hour(
    openid: Provider, abroad: Abroad, clock: FrozenClock
) -> None:
    """What a provider publishes is asked for once an hour, and again after a failure."""
    await openid.departure(TRIP)
    clock.move(minutes=59)
    await openid.departure(TRIP)
    assert len(abroad.asked) == 1
    clock.move(minutes=1)
    await openid.departure(TRIP)
    assert len(abroad.asked) == 2
    with pytest.raises(OAuthFailed):
        await openid.arrival("the-code", TRIP)
    await openid.departure(TRIP)
    assert abroad.paths.count("/.well-known/openid-configuration") == 3


async def test_another_issuers_code_is_not_sent(openid: Provider, abroad: Abroad) -> None:
    """A code that names another issuer (RFC 9207) is not shown to this one."""
    abroad.gives(abroad.sign(claims()))
    with pytest.raises(OAuthFailed):
        await openid.arrival("the-code", TRIP, "https://evil.example")

    assert "/token" not in abroad.paths
    assert (await openid.arrival("the-code", TRIP, HOME)).provider_id == "1"


async def _openid_person(openid: Provider, abroad: Abroad, **more: Any) -> Person:
    abroad.gives(abroad.sign(claims(**more)))
    return await openid.arrival("the-code", TRIP)


async def test_an_id_token_names_somebody(openid: Provider, abroad: Abroad) -> None:
    """Subject, name and picture are the id token's, and nobody is asked for more."""
    found = await _openid_person(
        openid, abroad, sub="42", name="Ada", picture="https://pic.example/a"
    )

    assert found == Person(
        provider="oidc",
        provider_id="42",
        key=f"oidc {HOME} 42",
        email="ada@example.com",
        name="Ada",
        avatar="https://pic.example/a",
    )
    assert "/userinfo" not in abroad.paths


@pytest.mark.parametrize(
    ("verified", "proven"),
    [(True, True), ("true", True), (False, False), (None, False), ("yes", False), (1, False)],
)
async def test_an_address_counts_where_it_is_verified(
    verified: object, proven: bool, openid: Provider, abroad: Abroad
) -> None:
    """An address is taken only where the provider says in so many words that it is verified."""
    found = await _openid_person(openid, abroad, email_verified=verified)

    assert (found.email is not None) == proven


async def test_an_address_may_be_told_apart(openid: Provider, abroad: Abroad) -> None:
    """Where the id token tells no address, that of the same subject's user information counts."""
    bare = {"email": None, "email_verified": None}
    more = {"sub": "1", "email": "apart@example.com", "email_verified": True, "name": "Ada"}
    abroad.answers["/userinfo"] = httpx2.Response(200, json=more)
    found = await _openid_person(openid, abroad, **bare)

    assert (found.email, found.name) == ("apart@example.com", "Ada")
    for answer in (
        httpx2.Response(200, json={**more, "sub": "2"}),
        httpx2.Response(200, json=[more]),
        httpx2.Response(500, json=more),
    ):
        abroad.answers["/userinfo"] = answer
        with pytest.raises(OAuthFailed):
            await _openid_person(openid, abroad, **bare)


USER = {"id": 77, "login": "ada", "name": None, "email": None, "avatar_url": "https://pic.x/a"}
MAIN = {"email": "main@example.com", "primary": True, "verified": True}
OTHER = {"email": "other@example.com", "primary": False, "verified": True}


async def _github_person(github: Provider, abroad: Abroad, user: object, emails: object) -> Person:
    abroad.gives()
    abroad.answers["/api/user"] = httpx2.Response(200, json=user)
    abroad.answers["/api/user/emails"] = (
        emails if isinstance(emails, httpx2.Response) else httpx2.Response(200, json=emails)
    )
    return await github.arrival("the-code", TRIP)


async def test_github_names_somebody(github: Provider, abroad: Abroad) -> None:
    """GitHub's number names somebody, by the login where there is no name, with no discovery."""
    found = await _github_person(github, abroad, USER, [OTHER, MAIN])

    assert found == Person(
        provider="oidc",
        provider_id="77",
        key=f"oidc {HOME} 77",
        email="main@example.com",
        name="ada",
        avatar="https://pic.x/a",
    )
    assert (await github.departure(TRIP)).startswith(f"{HOME}/login/oauth/authorize?")
    assert abroad.paths == ["/login/oauth/access_token", "/api/user", "/api/user/emails"]


@pytest.mark.parametrize(
    ("shown", "emails", "address"),
    [
        (None, [OTHER, MAIN], "main@example.com"),
        ("other@example.com", [MAIN, OTHER], "other@example.com"),
        ("lie@example.com", [MAIN], "main@example.com"),
        ("lie@example.com", [], None),
        ("lie@example.com", [{**MAIN, "email": "lie@example.com", "verified": False}], None),
        (None, [OTHER], None),
        (None, [{**MAIN, "verified": "yes"}], None),
        (None, [{**MAIN, "verified": None}, OTHER], None),
        (None, [{**MAIN, "email": ["main@example.com"]}], None),
        (None, ["main@example.com", 7, None], None),
        ({"email": 1}, [MAIN], "main@example.com"),
        ("main@example.com", httpx2.Response(403, json={}), None),
        ("main@example.com", httpx2.Response(404, json={}), None),
    ],
)
async def test_githubs_address(
    shown: object, emails: object, address: str | None, github: Provider, abroad: Abroad
) -> None:
    """The address is one that GitHub's list says is verified: the shown one, else the primary."""
    found = await _github_person(github, abroad, {**USER, "email": shown}, emails)

    assert found.email == address


@pytest.mark.parametrize(
    ("user", "emails"),
    [
        ({**USER, "id": "77"}, [MAIN]),
        ({**USER, "id": True}, [MAIN]),
        ({**USER, "id": None}, [MAIN]),
        ([USER], [MAIN]),
        (USER, {"message": "no"}),
        (USER, httpx2.Response(500, json=[MAIN])),
    ],
)
async def test_rubbish_from_github_is_refused(
    user: object, emails: object, github: Provider, abroad: Abroad
) -> None:
    """Whoever has no number, or whose addresses cannot be told, does not sign in."""
    with pytest.raises(OAuthFailed):
        await _github_person(github, abroad, user, emails)
