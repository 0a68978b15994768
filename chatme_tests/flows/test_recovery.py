"""Addresses that prove themselves and passwords that change, over the server and a real relay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest
import trustme

from chatme_tests.client import PASSWORD, User, sign_up, signed_up
from chatme_tests.judging import rest_client
from chatme_tests.postbox import HOST, Postbox
from chatme_tests.server import Server

NEW, OTHER = "Battery-Staple-8", "Quite-Another-9"
CHAT = {
    "FRONTEND_URL": "https://chat.example.org,https://other.example.org",
    "MAIL_FROM": "ChatMe <chat@example.org>",
    "RATE_LIMIT_AUTH": "",
    "RATE_LIMIT_SHORT": "",
    "RATE_LIMIT_LONG": "",
}


class Town(NamedTuple):
    """A server and the relay that it hands its letters to."""

    server: Server
    box: Postbox

    def caller(self) -> httpx.AsyncClient:
        """Somebody who is not signed in."""
        return _caller(self.server)

    async def token(self, user: User, page: str) -> str:
        """The token of a user's link to a page."""
        return (await self.box.letter_to(user.email, f"/{page}?")).token


def _caller(server: Server) -> httpx.AsyncClient:
    return rest_client(base_url=f"{server.url}/api/v1")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A server whose log tells no secret in the end."""
    folder = tmp_path_factory.mktemp("recovery") / "data"
    certificate = trustme.CA().issue_cert(HOST)
    with Postbox(certificate=certificate) as box, Server(folder, {**CHAT, **box.setting}) as server:
        yield Town(server, box)
        log = server.read_log()
        tokens = [each.token for each in box.received]
    assert {each.secret for each in box.received} == {True}
    assert [each for each in [PASSWORD, NEW, OTHER, "Traceback", *tokens] if each in log] == []


async def _logs_in(town: Town, user: User, password: str) -> bool:
    async with town.caller() as http:
        body = {"email": user.email, "password": password}
        return (await http.post("/auth/login", json=body)).status_code == 200


async def test_registration_sends_the_link_that_verifies(town: Town) -> None:
    """A new address gets a letter whose link verifies it once, signed in or not."""
    async with signed_up(town.server.url, "Ada Proves") as (ada,), town.caller() as http:
        letter = await town.box.letter_to(ada.email)
        before = (await ada.get("/auth/me"))["isVerified"]
        done = await http.post("/auth/verify", json={"token": letter.token})
        after = (await ada.get("/auth/me"))["isVerified"]
        again = await http.post("/auth/verify", json={"token": letter.token})
        more = await ada.http.post("/auth/verify/request")

    assert (letter.sender, letter.message["To"]) == ("chat@example.org", ada.email)
    assert f"https://chat.example.org/verify?token={letter.token}" in letter.text
    assert (before, after) == (False, True)
    assert (done.status_code, list(done.json())) == (200, ["message"])
    assert (again.status_code, again.json()["code"]) == (400, "invalid_link")
    assert (more.status_code, list(more.json())) == (202, ["message"])
    assert done.headers["cache-control"] == more.headers["cache-control"] == "no-store"
    assert len([each for each in town.box.received if ada.email in each.recipients]) == 1


async def test_a_reset_signs_everybody_out(town: Town) -> None:
    """After a reset no token, cookie or socket from before is good, and the new password is."""
    async with signed_up(town.server.url, "Ada Forgot") as (ada,), town.caller() as http:
        socket = await ada.connect()
        asked = await http.post("/auth/password/forgot", json={"email": f" {ada.email.upper()} "})
        token = await town.token(ada, "reset-password")
        weak = await http.post("/auth/password/reset", json={"token": token, "password": "weak"})
        done = await http.post("/auth/password/reset", json={"token": token, "password": NEW})
        again = await http.post("/auth/password/reset", json={"token": token, "password": OTHER})
        closed = await socket.wait_closed()
        me = await ada.http.get("/auth/me")
        refreshed = await ada.http.post("/auth/refresh")

    assert asked.status_code == 202
    assert (weak.status_code, weak.json()["errors"][0]["field"]) == (422, "password")
    assert (done.status_code, list(done.json())) == (200, ["message"])
    assert (again.status_code, again.json()["code"]) == (400, "invalid_link")
    assert closed == 4401
    assert (me.status_code, refreshed.status_code) == (401, 401)
    assert asked.headers["cache-control"] == done.headers["cache-control"] == "no-store"
    assert [await _logs_in(town, ada, each) for each in (PASSWORD, OTHER, NEW)] == [0, 0, 1]


async def test_all_addresses_get_the_same_answer(town: Town) -> None:
    """Who asks for somebody's new password is not told whether there is such a user."""
    async with signed_up(town.server.url, "Ada Known") as (ada,), town.caller() as http:
        answers = []
        for email in (ada.email, "nobody@example.com", "ädä@bücher.example"):
            answer = await http.post("/auth/password/forgot", json={"email": email})
            unlike = {"date", "x-request-id", "ratelimit-remaining"}
            headers = {name: each for name, each in answer.headers.items() if name not in unlike}
            answers.append((answer.status_code, answer.text, headers))
        await town.token(ada, "reset-password")

    assert answers[0][0] == 202
    assert answers == [answers[0]] * 3
    assert {each.recipients for each in town.box.received if "nobody" in str(each.recipients)} == (
        set()
    )


async def test_one_of_two_resets_wins(town: Town) -> None:
    """Of several uses of one link at once one sets its password, and the others are refused."""
    async with signed_up(town.server.url, "Ada Twice") as (ada,), town.caller() as http:
        await http.post("/auth/password/forgot", json={"email": ada.email})
        token = await town.token(ada, "reset-password")
        wanted = [f"Password-{at}" for at in range(5)]
        answers = await asyncio.gather(
            *(
                http.post("/auth/password/reset", json={"token": token, "password": each})
                for each in wanted
            )
        )
    codes = [each.status_code for each in answers]

    assert sorted(codes) == [200, 400, 400, 400, 400]
    assert await _logs_in(town, ada, wanted[codes.index(200)])


async def test_a_change_keeps_the_caller_in(town: Town) -> None:
    """Who changes the password stays, other devices go, and the present password is needed."""
    async with signed_up(town.server.url, "Ada Changes") as (ada,), town.caller() as http:
        login = {"email": ada.email, "password": PASSWORD}
        phone = (await http.post("/auth/login", json=login)).json()["accessToken"]
        mine = await ada.connect()
        body = {"currentPassword": "Wrong-1", "newPassword": NEW}
        wrong = await ada.http.post("/auth/password/change", json=body)
        weak = await ada.http.post("/auth/password/change", json={**body, "newPassword": "weak"})
        body = {"currentPassword": PASSWORD, "newPassword": NEW}
        stranger = await http.post("/auth/password/change", json=body)
        done = await ada.http.post("/auth/password/change", json=body)
        me = await ada.http.get("/auth/me")
        gone = await http.get("/auth/me", headers={"Authorization": f"Bearer {phone}"})
        await mine.call("ping")

    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    assert (weak.status_code, weak.json()["errors"][0]["field"]) == (422, "newPassword")
    assert (stranger.status_code, stranger.json()["code"]) == (401, "not_authenticated")
    assert (done.status_code, done.headers["cache-control"]) == (200, "no-store")
    assert (me.status_code, gone.status_code) == (200, 401)
    assert [await _logs_in(town, ada, each) for each in (PASSWORD, NEW)] == [0, 1]


async def test_other_tokens_are_no_links(town: Town) -> None:
    """Rubbish, a session's token and the other purpose's link are refused alike."""
    async with signed_up(town.server.url, "Ada Mixes") as (ada,), town.caller() as http:
        await http.post("/auth/password/forgot", json={"email": ada.email})
        verify, reset = await town.token(ada, "verify"), await town.token(ada, "reset-password")
        answers = [
            *[
                await http.post("/auth/verify", json={"token": each})
                for each in (reset, ada.token, "", "a.b.c", "é" * 1024, reset[:-1])
            ],
            *[
                await http.post("/auth/password/reset", json={"token": each, "password": NEW})
                for each in (verify, ada.token, "", "a.b.c", "é" * 1024, verify[:-1])
            ],
        ]
        long = await http.post("/auth/verify", json={"token": "x" * 1025})
        none = await http.post("/auth/verify/request")

    told = {(each.status_code, each.json()["code"], each.json()["message"]) for each in answers}
    assert [(status, code) for status, code, _ in told] == [(400, "invalid_link")]
    assert (long.status_code, none.status_code) == (422, 401)


@pytest.mark.parametrize(
    ("name", "email", "is_sent"),
    [
        ("Eve <eve@x.org>, Bcc: eve@x.org", "name-one@example.com", True),
        ("=?utf-8?q?=0D=0ABcc:_eve@x.org?=", "name-two@example.com", True),
        ("Win http://evil.example", "o'hara+x@example.com", True),
        ("Eve", "=?utf-8?q?a=0d=0abcc=3a_eve=40x.org?=@example.com", False),
        ("Eve", "=?utf-8?q?victim?=@example.com", False),
    ],
)
async def test_nothing_is_injected(town: Town, name: str, email: str, is_sent: bool) -> None:
    """No name and no address adds a recipient, a field or a word to a letter."""
    seen = len(town.box.received)
    user = await sign_up(town.server.url, name, email)
    await user.aclose()
    async with signed_up(town.server.url, f"After {seen}") as (after,):
        await town.box.letter_to(after.email)
    letters = [each for each in town.box.received[seen:] if after.email not in each.recipients]

    assert [list(each.recipients) for each in letters] == [[email]] * is_sent
    for each in letters:
        assert not {"bcc", "cc"} & {field.lower() for field in each.message}
        assert b"eve" not in each.raw
        assert b"evil" not in each.raw
