"""An account's end, and what its owner takes along."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatme.clock import new_id
from chatme_tests.client import PASSWORD, open_socket, sign_up, signed_up
from chatme_tests.databases import bytes_of
from chatme_tests.flows.life_talk import direct, group, history, say, sound_server, verdict, view
from chatme_tests.server import Server

NOBODY = "Deleted user"


async def test_an_account_ends(tmp_path: Path) -> None:
    """Its owner is out everywhere at once, groups go on without them, and what they said stays,
    as nobody's; the address is free again."""
    with sound_server(tmp_path) as server:
        async with signed_up(server.url, "Ada Leaves", "Bob Stays") as (ada, bob):
            talk, tea = await direct(ada, bob), await group(ada, bob)
            await say(ada, talk, "Farewell.")
            await say(ada, tea, "To all.")
            there = await ada.connect()
            watching = await bob.connect()
            wrong = await ada.http.request("DELETE", "/users/me", json={"password": "Wrong-1"})
            gone = await ada.http.request("DELETE", "/users/me", json={"password": PASSWORD})
            await there.wait_closed()
            left = await watching.wait_for("member_removed", userId=ada.id)
            after = [
                verdict(await ada.http.get("/auth/me")),
                verdict(await ada.http.post("/auth/login", json=_login(ada.email))),
                verdict(await bob.http.post("/conversations/direct", json={"userId": ada.id})),
                verdict(await bob.http.get(f"/users/{ada.id}")),
            ]
            (said,) = await history(bob, talk)
            group_now, direct_now = await view(bob, tea), await view(bob, talk)
            found = await bob.get("/users/search", q="Ada Leaves")
            told = (await bob.get("/notifications"))["items"]
            again = await ada.http.post(
                "/auth/register",
                json={"displayName": "Ada Anew", "email": ada.email, "password": PASSWORD},
            )
        server.stop()
        database = bytes_of(tmp_path / "data")
        server.start()

    assert verdict(wrong) == (401, "invalid_credentials")
    assert gone.status_code == 204
    assert there.close_code == 4401
    assert left["conversationId"] == tea
    assert after == [
        (401, "not_authenticated"),
        (401, "invalid_credentials"),
        (200, ""),
        (200, ""),
    ]
    assert (said["sender"]["displayName"], said["content"]) == (NOBODY, "Farewell.")
    assert [each["role"] for each in group_now["members"]] == ["admin"]
    assert NOBODY in {each["user"]["displayName"] for each in direct_now["members"]}
    assert found["items"] == []
    assert {each["payload"].get("senderName") for each in told} <= {NOBODY, None}
    assert again.status_code == 201
    assert again.json()["user"]["id"] != ada.id
    assert b"Farewell." in database
    assert b"ada leaves" not in database.lower()


def _login(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD}


async def test_what_is_held_is_taken_along(server: Server) -> None:
    """The export holds oneself, sessions, blocks, conversations, messages, reactions and
    notifications, and no secret, nor what is others'."""
    async with signed_up(server.url, "Ada Exports", "Bob Exports") as (ada, bob):
        talk = await direct(ada, bob)
        await say(ada, talk, "Mine.")
        theirs = await say(bob, talk, "Not mine.")
        socket = await ada.connect()
        await socket.call("add_reaction", {"messageId": theirs["id"], "emoji": "👍"})
        await ada.http.post(f"/users/{bob.id}/block")
        answer = await ada.http.get("/users/me/export")
        stranger = await bob.http.get("/users/me/export")
    held = answer.json()

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="chatme-export.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert held["user"]["email"] == ada.email
    assert [each["id"] for each in held["blocked"]] == [bob.id]
    assert [each["conversationId"] for each in held["conversations"]] == [talk]
    assert [each["content"] for each in held["messages"]] == ["Mine."]
    assert [each["messageId"] for each in held["reactions"]] == [theirs["id"]]
    assert [each["payload"]["preview"] for each in held["notifications"]] == ["Not mine."]
    assert len(held["sessions"]) == 1
    assert "Not mine." not in str(held["messages"])
    for secret in ("$2b$", "passwordHash", "tokenHash", "password"):
        assert secret not in answer.text
    assert [each["content"] for each in stranger.json()["messages"]] == ["Not mine."]


async def test_what_is_no_password_is_told(server: Server) -> None:
    """A password that is none names its field and ends nothing."""
    async with signed_up(server.url, "Ada Mistyped") as (ada,):
        answers = [
            await ada.http.request("DELETE", "/users/me", json={"password": each})
            for each in (1, None, "x" * 1025, {"$ne": 1})
        ]
        me = await ada.http.get("/auth/me")

    for answer in answers:
        assert verdict(answer) == (422, "validation_failed")
        assert [each["field"] for each in answer.json()["errors"]] == ["password"]
    assert me.status_code == 200


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ('{"__proto__": {}, "$where": "1", "role": "admin", "": [[]]}', (204, "")),
        ('{"password": "x", "password": "Correct-Horse-7"}', (204, "")),
        ("[]", (422, "validation_failed")),
        ("null", (422, "validation_failed")),
        ("", (400, "bad_request")),
        ("{", (400, "bad_request")),
        ('"\\ud800"', (400, "bad_request")),
        ("[" * 100_000, (400, "bad_request")),
    ],
)
async def test_whatever_is_sent_is_answered(
    server: Server, body: str, outcome: tuple[int, str]
) -> None:
    """Unknown fields are ignored and rubbish is refused: the account ends, or is as it was."""
    async with signed_up(server.url, f"Ada {new_id()}") as (ada,):
        answer = await ada.http.request(
            "DELETE", "/users/me", content=body, headers={"Content-Type": "application/json"}
        )
        me = await ada.http.get("/auth/me")

    assert verdict(answer) == outcome
    assert me.status_code == (401 if outcome[0] == 204 else 200)


async def test_a_fresh_login_needs_no_password(server: Server) -> None:
    """Who signed in a moment ago ends their account without a body."""
    user = await sign_up(server.url, "Ada Fresh")
    socket = await open_socket(f"{server.socket_url}?token={user.token}")
    answer = await user.http.delete("/users/me")
    await socket.wait_closed()
    await user.aclose()

    assert answer.status_code == 204
    assert socket.close_code == 4401
