"""Signing up, in and out."""

from __future__ import annotations

import asyncio

import httpx

from chatme_tests.client import PASSWORD, open_socket, sign_up, signed_up
from chatme_tests.judging import rest_client
from chatme_tests.server import Server


def _caller(server: Server) -> httpx.AsyncClient:
    return rest_client(base_url=f"{server.url}/api/v1")


async def _refresh(server: Server, token: str) -> httpx.Response:
    """A tab of its own that refreshes with a cookie."""
    async with _caller(server) as http:
        return await http.post("/auth/refresh", headers={"Cookie": f"refresh_token={token}"})


async def test_registration_signs_in(server: Server) -> None:
    """A new account is answered with itself, a token, and the cookie as the contract has it."""
    async with _caller(server) as http:
        response = await http.post(
            "/auth/register",
            json={"displayName": " Ada L. ", "email": " ADA@Example.org ", "password": PASSWORD},
        )
        body = response.json()
        me = await http.get("/auth/me", headers={"Authorization": f"bearer {body['accessToken']}"})

    assert response.status_code == 201
    assert {"accessToken", "user"} == set(body)
    assert (
        body["user"]["displayName"],
        body["user"]["email"],
        body["user"]["role"],
        body["user"]["isVerified"],
    ) == ("Ada L.", "ada@example.org", "user", False)
    assert response.headers["cache-control"] == "no-store"
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("refresh_token=")
    for part in ("HttpOnly", "SameSite=lax", "Path=/api/v1/auth", "Max-Age=604800"):
        assert part in cookie
    assert "Secure" not in cookie
    assert body["user"] == me.json()


async def test_login_fails_alike_for_all(server: Server) -> None:
    """A wrong password and an unknown address are told in the same words."""
    async with signed_up(server.url, "Ada Alike") as (ada,), _caller(server) as http:
        good = await http.post(
            "/auth/login", json={"email": ada.email.upper(), "password": PASSWORD}
        )
        wrong = await http.post("/auth/login", json={"email": ada.email, "password": "Wrong-1"})
        unknown = await http.post(
            "/auth/login", json={"email": "nobody@example.com", "password": PASSWORD}
        )
        rubbish = await http.post("/auth/login", json={"email": "x", "password": PASSWORD})

    assert good.status_code == 200
    for response in (wrong, unknown, rubbish):
        assert (response.status_code, response.json()["code"]) == (401, "invalid_credentials")
        assert wrong.json()["message"] == response.json()["message"]


async def test_every_character_of_a_password_counts(server: Server) -> None:
    """Two passwords that differ after the 72nd byte do not pass for each other."""
    long = "A1" + "x" * 100
    async with _caller(server) as http:
        body = {"displayName": "Long", "email": "long@example.com", "password": long + "y"}
        assert (await http.post("/auth/register", json=body)).status_code == 201
        credentials = {"email": "long@example.com", "password": long + "z"}
        assert (await http.post("/auth/login", json=credentials)).status_code == 401


async def test_refresh_rotates_and_ends_what_is_reused(server: Server) -> None:
    """A refresh hands out a new cookie; two at once agree; forged and foreign ones are refused."""
    async with _caller(server) as http:
        body = {"displayName": "Ada R", "email": "rotate@example.com", "password": PASSWORD}
        await http.post("/auth/register", json=body)
        old = http.cookies["refresh_token"]
        tabs = await asyncio.gather(*(_refresh(server, old) for _ in range(2)))
        fresh = {tab.cookies["refresh_token"] for tab in tabs}
        http.cookies.clear()
        none = await http.post("/auth/refresh")
        forged = await http.post("/auth/refresh", headers={"Cookie": "refresh_token=a.b.c"})
        foreign = await http.post(
            "/auth/refresh",
            headers={
                "Origin": "https://evil.example",
                "Cookie": f"refresh_token={fresh.copy().pop()}",
            },
        )

    assert [tab.status_code for tab in tabs] == [200, 200]
    assert len(fresh) == 1
    assert old not in fresh
    assert (none.status_code, none.json()["code"]) == (401, "session_ended")
    assert (forged.status_code, forged.json()["code"]) == (401, "session_ended")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign_origin")


async def test_logout_ends_the_session_at_once(server: Server) -> None:
    """After logging out, by token or by cookie, the access token is refused on both doors."""
    for by_cookie in (False, True):
        user = await sign_up(server.url, "Ada Out", f"out{by_cookie}@example.com")
        header = user.http.headers.pop("Authorization")
        if not by_cookie:
            user.http.cookies.clear()
            user.http.headers["Authorization"] = header
        left = await user.http.post("/auth/logout")
        user.http.headers["Authorization"] = header
        me = await user.http.get("/auth/me")
        again = await user.http.post("/auth/refresh")
        socket = await open_socket(f"{server.socket_url}?token={user.token}")

        assert (left.status_code, list(left.json())) == (200, ["message"])
        assert 'refresh_token=""' in left.headers["set-cookie"]
        assert (me.status_code, me.json()["code"]) == (401, "not_authenticated")
        assert me.headers["www-authenticate"] == "Bearer"
        assert again.status_code == 401
        assert await socket.wait_closed() == 4401
        await user.aclose()


async def test_users_are_found_by_parts_of_their_names(server: Server) -> None:
    """A search finds active others by any part of name or address, as text and never a pattern."""
    async with signed_up(server.url, "Zoë Ångström", "zoe.*", "Xavier Quill") as (zoe, dots, xav):

        async def search(text: str) -> list[str]:
            return [
                each["displayName"] for each in (await xav.get("/users/search", q=text))["items"]
            ]

        assert await search("ÅNG") == ["Zoë Ångström"]
        assert await search(".*") == ["zoe.*"]
        assert await search("z") == []
        assert await search("quill") == []
        assert {"Zoë Ångström", "zoe.*"} == set(await search("zo"))
        assert [zoe.email] == [
            each["email"] for each in (await xav.get("/users/search", q=zoe.email[:6]))["items"]
        ]
        other = await xav.get(f"/users/{dots.id}")
        assert {"id", "displayName", "avatar", "bio"} == set(other)


async def test_a_profile_is_changed(server: Server) -> None:
    """What is given of a profile changes, is found under its new name, and the rest stays."""
    async with signed_up(server.url, "Before Change", "Looker Up") as (user, looker):
        changed = await user.http.patch("/users/me", json={"displayName": "After Change"})
        found = await looker.get("/users/search", q="after ch")
        bio = await user.http.patch("/users/me", json={"bio": "Tea."})
        refused = await user.http.patch("/users/me", json={"displayName": None, "bio": "x" * 161})

    assert changed.json()["displayName"] == "After Change"
    assert [user.id] == [each["id"] for each in found["items"]]
    assert (bio.json()["displayName"], bio.json()["bio"]) == ("After Change", "Tea.")
    assert [each["field"] for each in refused.json()["errors"]] == ["displayName", "bio"]
