"""One session for each login, listed and revocable."""

from __future__ import annotations

from chatme_tests.client import PASSWORD, User, signed_up
from chatme_tests.judging import rest_client
from chatme_tests.server import Server


async def _login(server: Server, user: User, agent: str) -> str:
    """Signs in from another device; its access token."""
    async with rest_client() as http:
        answer = await http.post(
            f"{server.url}/api/v1/auth/login",
            json={"email": user.email, "password": PASSWORD},
            headers={"User-Agent": agent},
        )
        return str(answer.json()["accessToken"])


async def test_sessions_are_listed_and_revoked_alone(server: Server) -> None:
    """Each login is a session of its own; revoking one ends it and its sockets, no other."""
    async with signed_up(server.url, "Ada Devices", "Eve Devices") as (ada, eve):
        phone = await _login(server, ada, "Phone/1.0")
        mine = await ada.connect()
        ada.token = phone
        theirs = await ada.connect()
        listed = (await ada.get("/auth/sessions"))["items"]
        (other,) = [each for each in listed if not each["current"]]
        foreign = await eve.http.delete(f"/auth/sessions/{other['id']}")
        revoked = await ada.http.delete(f"/auth/sessions/{other['id']}")
        again = await ada.http.delete(f"/auth/sessions/{other['id']}")

        assert len(listed) == 2
        assert (other["userAgent"], other["ip"]) == ("Phone/1.0", "127.0.0.1")
        assert {"id", "userAgent", "ip", "createdAt", "lastUsedAt", "current"} == set(other)
        assert (foreign.status_code, revoked.status_code, again.status_code) == (404, 204, 404)
        assert await theirs.wait_closed() == 4401
        assert await mine.call("ping") == {}
        assert (await ada.get("/auth/me"))["id"] == ada.id


async def test_logout_all_ends_every_session(server: Server) -> None:
    """Logging out everywhere ends all sessions and sockets, and says how many they were."""
    async with signed_up(server.url, "Ada Everywhere") as (ada,):
        phone = await _login(server, ada, "Phone/1.0")
        socket = await ada.connect()
        left = await ada.post("/auth/logout-all")
        me = await ada.http.get("/auth/me")
        there = await ada.http.get("/auth/me", headers={"Authorization": f"Bearer {phone}"})

        assert left["sessions"] == 2
        assert (me.status_code, there.status_code) == (401, 401)
        assert await socket.wait_closed() == 4401
