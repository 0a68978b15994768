"""Signing in with a second factor, as an app on a phone would."""

from __future__ import annotations

import time
from pathlib import Path

import pyotp

from chatme_tests.client import PASSWORD, signed_up
from chatme_tests.flows.life_talk import verdict
from chatme_tests.flows.oauth_browser import LANDING, browsing
from chatme_tests.flows.oauth_places import ID, SECRET, openid_mock
from chatme_tests.judging import rest_client
from chatme_tests.server import Server

WRONG = (401, "invalid_code")


def _codes(secret: str) -> list[str]:
    """The codes of this time step and the next, which a phone that is ahead shows already."""
    now = int(time.time())
    return [pyotp.TOTP(secret).at(now), pyotp.TOTP(secret).at(now + 30)]


def _openid(mock: str) -> dict[str, str]:
    return {"OIDC_ISSUER": mock, "OIDC_CLIENT_ID": ID, "OIDC_CLIENT_SECRET": SECRET}


async def test_two_steps(server: Server) -> None:
    """Enrol, confirm, sign in by two steps with each kind of code, and give it up again."""
    async with (
        signed_up(server.url, "Ada Twice") as (ada,),
        rest_client(base_url=f"{server.url}/api/v1") as http,
    ):
        login = {"email": ada.email, "password": PASSWORD}
        off = (await ada.http.get("/auth/totp")).json()
        enrolled = await ada.http.post("/auth/totp/enrol", json={"password": PASSWORD})
        secret = enrolled.json()["secret"]
        code, next_code = _codes(secret)
        confirmed = await ada.http.post("/auth/totp/confirm", json={"code": code})
        recovery = confirmed.json()["recoveryCodes"]
        first = await http.post("/auth/login", json=login)
        token = first.json()["mfaToken"]
        replayed = await http.post("/auth/login/totp", json={"mfaToken": token, "code": code})
        by_app = await http.post("/auth/login/totp", json={"mfaToken": token, "code": next_code})
        by_paper = await http.post(
            "/auth/login/totp", json={"mfaToken": token, "code": recovery[0]}
        )
        on = (await ada.http.get("/auth/totp")).json()
        no_bearer = await http.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
        renewed = await ada.http.post("/auth/totp/recovery-codes", json={"code": recovery[1]})
        given_up = await ada.http.post(
            "/auth/totp/disable", json={"code": renewed.json()["recoveryCodes"][9]}
        )
        plain = await http.post("/auth/login", json=login)

    assert off == {"enabled": False, "recoveryCodesLeft": 0}
    assert set(enrolled.json()) == {"secret", "uri"}
    assert enrolled.json()["uri"].startswith("otpauth://totp/ChatMe:")
    assert len(set(recovery)) == 10
    assert (first.status_code, set(first.json())) == (200, {"mfaToken"})
    assert "set-cookie" not in first.headers
    assert verdict(replayed) == WRONG
    for answer in (by_app, by_paper, plain):
        assert answer.status_code == 200
        assert set(answer.json()) == {"accessToken", "user"}
        assert answer.headers["set-cookie"].startswith("refresh_token=")
        assert answer.json()["user"]["id"] == ada.id
    assert on == {"enabled": True, "recoveryCodesLeft": 9}
    assert no_bearer.status_code == 401
    assert given_up.status_code == 200


async def test_what_is_not_a_code_is_told(server: Server) -> None:
    """Missing, mistyped and hostile codes and tokens name their field or are wrong, never a 500."""
    async with signed_up(server.url, "Ada Rubbish") as (ada,):
        answers = [
            await ada.http.post("/auth/login/totp", json=body)
            for body in (
                {},
                {"mfaToken": 1, "code": {"$ne": 1}},
                {"mfaToken": "x" * 1025, "code": "0" * 65},
                {"mfaToken": "a\0b", "code": "1\0"},
            )
        ]
        stranger = await ada.http.post("/auth/login/totp", json={"mfaToken": "x", "code": "1"})
        unbegun = await ada.http.post("/auth/totp/confirm", json={"code": "123456"})
        wrong = await ada.http.post("/auth/totp/enrol", json={"password": "Wrong-1"})
        null = await ada.http.post("/auth/totp/enrol", json={"password": None})
        bodiless = await ada.http.post("/auth/totp/enrol")
        off = await ada.http.post("/auth/totp/disable", json={"code": "😀" * 8})

    for answer in answers:
        assert verdict(answer) == (422, "validation_failed")
        assert {each["field"] for each in answer.json()["errors"]} == {"mfaToken", "code"}
    assert verdict(stranger) == (401, "login_expired")
    assert verdict(unbegun) == (409, "conflict")
    assert verdict(wrong) == (401, "invalid_credentials")
    assert verdict(null) == (422, "validation_failed")
    assert bodiless.status_code == 200
    assert verdict(off) == WRONG


async def test_guessing_codes_is_slow(server: Server) -> None:
    """Wrong codes of one account are counted together, whatever address and token they come by."""
    with Server(server.data.parent / "slow", {"RATE_LIMIT_AUTH": "3/minute"}) as strict:
        async with signed_up(strict.url, "Ada Guessed") as (ada,):
            enrolled = await ada.http.post("/auth/totp/enrol")
            code, _ = _codes(enrolled.json()["secret"])
            await ada.http.post("/auth/totp/confirm", json={"code": code})
            login = {"email": ada.email, "password": PASSWORD}
            token = (await ada.http.post("/auth/login", json=login)).json()["mfaToken"]
            answers = [
                await ada.http.post("/auth/login/totp", json={"mfaToken": token, "code": "0"})
                for _ in range(3)
            ]

    assert [verdict(each) for each in answers] == [WRONG, WRONG, (429, "rate_limited")]
    assert int(answers[2].headers["retry-after"]) > 0


async def test_a_provider_does_not_go_round_it(tmp_path: Path) -> None:
    """Who comes back from a provider brings a token in the fragment instead of a session, and is
    in with a code."""
    with openid_mock() as mock, Server(tmp_path / "data", _openid(mock)) as server:
        async with browsing(server.url) as browser, rest_client() as http:
            person = {"email": "ada@example.com", "email_verified": True, "name": "Ada"}
            await http.put(f"{mock}/users/ada", json=person)
            await browser.sign_in("oidc", "ada")
            token = (await browser.http.post("/auth/refresh")).json()["accessToken"]
            browser.http.headers["Authorization"] = f"Bearer {token}"
            secret = (await browser.http.post("/auth/totp/enrol")).json()["secret"]
            code, next_code = _codes(secret)
            await browser.http.post("/auth/totp/confirm", json={"code": code})
        async with browsing(server.url) as browser:
            arrival = await browser.sign_in("oidc", "ada")
            landing, _, mfa_token = arrival.headers["location"].partition("#mfaToken=")
            unsigned = await browser.http.post("/auth/refresh")
            step = {"mfaToken": mfa_token, "code": next_code}
            done = await browser.http.post("/auth/login/totp", json=step)

    assert (arrival.status_code, landing) == (302, LANDING)
    assert verdict(unsigned) == (401, "session_ended")
    assert done.json()["user"]["email"] == "ada@example.com"
