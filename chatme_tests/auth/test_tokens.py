"""Tokens: what is genuine passes, whatever else a stranger makes up does not."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import jwt
import pytest
from bson import ObjectId
from jwt.api_jws import PyJWS

from chatme.auth.tokens import REFRESH_LIFE, Tokens
from chatme.clock import to_epoch
from chatme.errors import NotAuthenticated
from chatme_tests.fakes import SOMETIME, FrozenClock

ACCESS, REFRESH, FOREIGN = "access-" + "a" * 57, "refresh-" + "b" * 56, "foreign-" + "c" * 56
LIFE = timedelta(minutes=15)
USER, SESSION = ObjectId("65f0c0ffee65f0c0ffee65f0"), ObjectId("65f0c0ffee65f0c0ffee65f1")
NOW = int(to_epoch(SOMETIME))
CLAIMS: dict[str, Any] = {
    "sub": str(USER),
    "sid": str(SESSION),
    "jti": "name",
    "iat": NOW,
    "exp": NOW + 900,
}


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still."""
    return FrozenClock()


@pytest.fixture
def tokens(clock: FrozenClock) -> Tokens:
    """Both kinds under their secrets."""
    return Tokens(ACCESS, REFRESH, LIFE, clock)


def _signed(claims: object, secret: str = ACCESS, algorithm: str = "HS256") -> str:
    """Whatever claims under a genuine signature."""
    return PyJWS().encode(json.dumps(claims).encode(), secret, algorithm)


def _part(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _refuses_both(tokens: Tokens, token: str) -> bool:
    refused = 0
    for read in (tokens.read_access, tokens.read_refresh):
        try:
            read(token)
        except NotAuthenticated:
            refused += 1
    return refused == 2


def test_an_access_token_says_who_calls(tokens: Tokens) -> None:
    """A genuine token names the user, the session and its own end, a quarter of an hour ahead."""
    principal = tokens.read_access(tokens.access(USER, SESSION))

    assert (principal.user_id, principal.session_id) == (USER, SESSION)
    assert principal.expires_at == SOMETIME + LIFE


def test_an_access_token_holds_the_claims_of_the_contract(tokens: Tokens) -> None:
    """It is an HS256 token with five claims, and each one has a name of its own."""
    one, other = tokens.access(USER, SESSION), tokens.access(USER, SESSION)
    claims = jwt.decode(one, options={"verify_signature": False})

    assert jwt.get_unverified_header(one)["alg"] == "HS256"
    assert {"sub", "sid", "jti", "iat", "exp"} == set(claims)
    assert one != other


def test_a_refresh_token_is_made_again_letter_for_letter(tokens: Tokens) -> None:
    """The same session's row gives the same refresh token, another name another one."""
    made = [tokens.refresh(USER, SESSION, name, SOMETIME) for name in ("one", "one", "two")]
    claims = tokens.read_refresh(made[0])

    assert made[0] == made[1] != made[2]
    assert (claims.user_id, claims.session_id, claims.token_id) == (USER, SESSION, "one")


def test_the_two_kinds_do_not_pass_for_each_other(tokens: Tokens) -> None:
    """An access token refreshes nothing, and a refresh token lets nobody in."""
    with pytest.raises(NotAuthenticated):
        tokens.read_refresh(tokens.access(USER, SESSION))
    with pytest.raises(NotAuthenticated):
        tokens.read_access(tokens.refresh(USER, SESSION, "name", SOMETIME))


def test_tokens_end_by_the_clock(tokens: Tokens, clock: FrozenClock) -> None:
    """An access token ends after its quarter of an hour, a refresh token after seven days."""
    access, refresh = tokens.access(USER, SESSION), tokens.refresh(USER, SESSION, "x", SOMETIME)
    clock.move(minutes=14, seconds=59)
    assert tokens.read_access(access)
    clock.move(seconds=1)
    with pytest.raises(NotAuthenticated):
        tokens.read_access(access)
    clock.move(days=7, minutes=-15, seconds=-1)
    assert tokens.read_refresh(refresh)
    clock.move(seconds=1)
    with pytest.raises(NotAuthenticated):
        tokens.read_refresh(refresh)
    assert timedelta(days=7) == REFRESH_LIFE


def test_the_claims_of_these_tests_are_good(tokens: Tokens) -> None:
    """What the forgeries below start from would be let in, by its own kind of token."""
    assert tokens.read_access(_signed(CLAIMS)).user_id == USER
    assert tokens.read_refresh(_signed(CLAIMS, REFRESH)).token_id == "name"


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
@pytest.mark.parametrize("secret", [ACCESS, REFRESH])
def test_only_one_algorithm_is_taken(tokens: Tokens, secret: str, algorithm: str) -> None:
    """A token under our own secret by another algorithm is refused."""
    assert _refuses_both(tokens, _signed(CLAIMS, secret, algorithm))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "RS256", "hs256"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_token_names_no_algorithm_of_its_own(
    tokens: Tokens, algorithm: str, signed: bool
) -> None:
    """Neither an unsigned token nor one that renames its algorithm is let in."""
    genuine = _signed(CLAIMS)
    _, body, signature = genuine.split(".")
    head = _part(json.dumps({"alg": algorithm, "typ": "JWT"}))

    assert _refuses_both(tokens, f"{head}.{body}.{signature if signed else ''}")


@pytest.mark.parametrize("secret", [FOREIGN, ACCESS[:-1], ACCESS + "x", ACCESS.upper()])
def test_a_foreign_secret_is_refused(tokens: Tokens, secret: str) -> None:
    """Who does not know the secret makes no token."""
    assert _refuses_both(tokens, _signed(CLAIMS, secret))


def test_a_changed_token_is_refused(tokens: Tokens) -> None:
    """Another user's id in a token breaks its signature."""
    head, _, signature = _signed(CLAIMS).split(".")
    body = _part(json.dumps({**CLAIMS, "sub": str(ObjectId())}))

    assert _refuses_both(tokens, f"{head}.{body}.{signature}")


@pytest.mark.parametrize("missing", sorted(CLAIMS))
@pytest.mark.parametrize("secret", [ACCESS, REFRESH])
def test_every_claim_is_wanted(tokens: Tokens, secret: str, missing: str) -> None:
    """A token that lacks a claim, or has null for it, is refused even when signed."""
    lacking = {name: value for name, value in CLAIMS.items() if name != missing}

    assert _refuses_both(tokens, _signed(lacking, secret))
    assert _refuses_both(tokens, _signed({**CLAIMS, missing: None}, secret))


@pytest.mark.parametrize(
    "end",
    [
        True,
        False,
        0,
        -1,
        NOW,
        NOW + 900.5,
        str(NOW + 900),
        "tomorrow",
        [NOW + 900],
        {"$gt": 0},
        float("nan"),
        float("inf"),
        1e300,
        253402300800,
        10**20,
        10**400,
        -(10**400),
    ],
    ids=lambda end: repr(end)[:24],
)
@pytest.mark.parametrize("secret", [ACCESS, REFRESH])
def test_the_end_is_a_sane_whole_number(tokens: Tokens, secret: str, end: object) -> None:
    """An end that is no whole number, has passed, or is past all calendars is refused."""
    assert _refuses_both(tokens, _signed({**CLAIMS, "exp": end}, secret))


@pytest.mark.parametrize("claim", ["sub", "sid"])
@pytest.mark.parametrize("secret", [ACCESS, REFRESH])
@pytest.mark.parametrize(
    "value",
    [
        "",
        "me",
        "65f0c0ffee65f0c0ffee65f",
        "65f0c0ffee65f0c0ffee65fg",
        "65f0c0ffee65f0c0ffee65f0\n",
        " " * 24,
        "٦" * 24,
        7,
        True,
        ["65f0c0ffee65f0c0ffee65f0"],
        {"$ne": 1},
    ],
)
def test_ids_are_ids(tokens: Tokens, claim: str, secret: str, value: object) -> None:
    """A subject or a session that is no id of 24 hex digits is refused even when signed."""
    assert _refuses_both(tokens, _signed({**CLAIMS, claim: value}, secret))


@pytest.mark.parametrize("claims", [[], "text", 7, None, [CLAIMS]])
def test_claims_are_an_object(tokens: Tokens, claims: object) -> None:
    """A signed body that is no object is refused."""
    assert _refuses_both(tokens, _signed(claims))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d",
        "\x00.\x00.\x00",
        "ünïcödé.x.y",
        "\ud800.x.y",
        _part("[" * 2900) + ".e30.x",
        _part('{"a":' * 500) + ".e30.x",
        _part('{"alg":["HS256"]}') + ".e30.x",
        _part('{"alg":{"a":1},"typ":"JWT"}') + ".e30.x",
        _part('{"alg":"HS256","b64":false,"crit":["b64"]}') + ".e30.x",
        "x" * 5000,
    ],
)
def test_rubbish_is_refused(tokens: Tokens, token: str) -> None:
    """What is no token at all is refused like any other, however it is malformed."""
    assert _refuses_both(tokens, token)


def test_a_token_of_many_claims_is_too_long(tokens: Tokens) -> None:
    """A signed token over 4,096 characters is not even looked at."""
    assert _refuses_both(tokens, _signed({**CLAIMS, "more": "x" * 4096}))
