"""A socket's life: whose it is, how long, how many, how fast, and from where."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from chatme_tests.client import PASSWORD, Json, Socket, User, open_socket, signed_up
from chatme_tests.flows.life_talk import FREE, direct, refusal, say, settle, sound_server
from chatme_tests.judging import rest_client
from chatme_tests.server import Server

PAGE = "https://chat.example.org"
STRANGERS = 100
BURST, PATIENCE = 40, 100


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the limits that ship, and a page of its own."""
    folder = tmp_path_factory.mktemp("life")
    limited = {name: value for name, value in FREE.items() if name != "WS_RATE"}
    with Server(folder / "data", {**limited, "FRONTEND_URL": PAGE}) as running:
        yield running


async def _fresh_token(user: User) -> str:
    answer = await user.http.post("/auth/refresh")
    assert answer.status_code == 200
    return str(answer.json()["accessToken"])


async def _another_session(user: User) -> User:
    """The same user, signed in on another device."""
    http = rest_client(base_url=user.http.base_url)
    credentials = {"email": user.email, "password": PASSWORD}
    token = (await http.post("/auth/login", json=credentials)).json()["accessToken"]
    http.headers["Authorization"] = f"Bearer {token}"
    return User(user.id, user.name, user.email, token, http, user.socket_url)


async def _answer(socket: Socket, frame_id: int) -> Json:
    """The ack or the error of one frame."""
    return await socket.until(lambda frame: frame.get("id") == frame_id)


async def test_a_token_runs_out(data: Path) -> None:
    """A socket is warned before its token ends, closes with 4401 when it does, and lives on where
    it was given a fresh one."""
    with sound_server(data.parent, JWT_EXPIRES_IN="3s") as server:
        async with signed_up(server.url, "Ada Expire") as (ada,):
            old, kept = await ada.connect(), await ada.connect()
            ends = [await socket.wait_for("token_expiring") for socket in (old, kept)]
            assert ends[0] == ends[1]
            await asyncio.sleep(0.9)  # so that the fresh token is of a later second
            answer = await kept.call("auth", {"token": await _fresh_token(ada)})
            await kept.until(lambda _: len(kept.of("token_expiring")) == 2)
            code = await old.wait_closed()
            closed_at = datetime.now().astimezone()

            assert answer == {"userId": ada.id}
            assert kept.of("token_expiring")[1]["expiresAt"] > ends[0]["expiresAt"]
            assert code == 4401
            assert abs((closed_at - datetime.fromisoformat(ends[0]["expiresAt"])).seconds) < 2
            assert await kept.call("ping") == {}
            assert len(kept.of("connected")) == 1
            late = await open_socket(f"{server.socket_url}?token={ada.token}")
            assert await late.wait_closed() == 4401
            assert await kept.wait_closed() == 4401


async def test_a_socket_stays_its_user_s(server: Server) -> None:
    """A token of another user is an error and the end, and leaves that user's sockets alone."""
    async with signed_up(server.url, "Ada Own", "Bob Own") as (ada, bob):
        mine, theirs = await ada.connect(), await bob.connect()
        assert await refusal(mine, "auth", {"token": bob.token}) == "not_authenticated"
        assert await mine.wait_closed() == 4401
        assert await theirs.call("auth", {"token": bob.token}) == {"userId": bob.id}
        assert await theirs.call("ping") == {}


@pytest.mark.parametrize("how", ["token", "cookie"])
async def test_logging_out_closes_the_session_s_sockets(server: Server, how: str) -> None:
    """A logout closes at once what the session opened or renewed, and nothing else."""
    async with signed_up(server.url, f"Ada Out {how}", f"Bob Out {how}") as (ada, bob):
        phone = await _another_session(ada)
        first, second = await ada.connect(), await ada.connect()
        moved, gained = await ada.connect(), await phone.connect()
        await moved.call("auth", {"token": phone.token})
        await gained.call("auth", {"token": ada.token})
        other, stranger = await phone.connect(), await bob.connect()
        if how == "cookie":
            del ada.http.headers["Authorization"]
        else:
            ada.http.cookies.clear()
        assert (await ada.http.post("/auth/logout")).status_code == 200
        codes = [await socket.wait_closed() for socket in (first, second, gained)]
        await settle(moved, other, stranger)

        assert codes == [4401] * 3
        again = await open_socket(f"{server.socket_url}?token={ada.token}")
        assert await again.wait_closed() == 4401
        await phone.aclose()


async def test_ended_sessions_close_their_sockets(server: Server) -> None:
    """Revoking one session closes its sockets; ending all closes every socket of the user."""
    async with signed_up(server.url, "Ada All", "Bob All") as (ada, bob):
        phone, tablet = await _another_session(ada), await _another_session(ada)
        sockets = [await each.connect() for each in (ada, phone, tablet, bob)]
        known = (await phone.get("/auth/sessions"))["items"]
        (gone,) = [each["id"] for each in known if each["current"]]
        assert len(known) == 3
        assert (await ada.http.delete(f"/auth/sessions/{gone}")).status_code == 204
        assert await sockets[1].wait_closed() == 4401
        await settle(sockets[0], sockets[2], sockets[3])
        ended = await tablet.post("/auth/logout-all")
        codes = [await sockets[at].wait_closed() for at in (0, 2)]

        assert (ended["sessions"], codes) == (2, [4401, 4401])
        assert await sockets[3].call("ping") == {}
        for each in (phone, tablet):
            await each.aclose()


async def test_the_eleventh_socket_replaces_the_oldest(server: Server) -> None:
    """A user has ten sockets: one more ends the oldest with 4409, which may be told of nothing
    more, and no other user's."""
    async with signed_up(server.url, "Ada Eleven", "Bob Eleven") as (ada, bob):
        talk = await direct(ada, bob)
        theirs = await bob.connect()
        sockets = [await ada.connect() for _ in range(10)]
        await settle(*sockets)
        more = [await ada.connect() for _ in range(2)]
        codes = [await socket.wait_closed() for socket in sockets[:2]]
        await say(bob, talk, "hi")
        for socket in (theirs, *sockets[2:], *more):
            assert (await socket.wait_for("new_message"))["content"] == "hi"

        assert codes == [4409, 4409]
        assert [socket.of("new_message") for socket in sockets[:2]] == [[], []]


async def test_too_many_frames(server: Server) -> None:
    """Over its rate a socket's frames are refused, each answered and saying when to come back;
    one that does not stop is closed with 4429, and others notice nothing."""
    async with signed_up(server.url, "Ada Fast", "Bob Fast") as (ada, bob):
        mine, theirs = await ada.connect(), await bob.connect()
        for at in range(BURST + 20):
            await mine.send("ping", id=at)
        answers = [await _answer(mine, at) for at in range(BURST + 20)]
        refused = [each for each in answers if each["event"] == "error"]
        assert {each["event"] for each in answers[:BURST]} == {"ack"}
        assert 15 <= len(refused) <= 20
        assert {each["data"]["code"] for each in refused} == {"rate_limited"}
        wait = refused[-1]["data"]["retryAfter"]
        assert 0 < wait <= 1
        await asyncio.sleep(wait)
        assert await mine.call("ping") == {}
        for _ in range(BURST + 2 * PATIENCE):
            await mine.send("ping")
        assert await mine.wait_closed() == 4429
        assert await theirs.call("ping") == {}
        again = await ada.connect()
        assert await again.call("ping") == {}


async def test_only_rates_say_when_to_come_back(server: Server) -> None:
    """An error that waiting does not mend has no `retryAfter`."""
    async with signed_up(server.url, "Ada Never") as (ada,):
        socket = await ada.connect()
        await socket.connection.send('{"event": "no such", "id": 1}')
        frame = await _answer(socket, 1)

        assert list(frame["data"]) == ["code", "message", "errors"]


async def test_pages_of_others_are_refused(server: Server) -> None:
    """A foreign origin is a 403 before the upgrade; our own, the page's and none are let in."""
    own = f"http://{urlsplit(server.url).netloc}"
    async with signed_up(server.url, "Ada Page") as (ada,):
        for origin in ("https://evil.example", "null", f"{PAGE}.evil.example", f"{PAGE}:444", ""):
            headers = {"Origin": origin, "Authorization": f"Bearer {ada.token}"}
            with pytest.raises(InvalidStatus) as refused:
                await open_socket(server.socket_url, headers)
            assert refused.value.response.status_code == 403, origin
        for origin in (own, PAGE):
            headers = {"Origin": origin, "Authorization": f"Bearer {ada.token}"}
            socket = await open_socket(server.socket_url, headers)
            await socket.wait_for("connected")
            await socket.aclose()
        assert await (await ada.connect()).call("ping") == {}


async def test_strangers_are_counted(server: Server) -> None:
    """An address has a hundred sockets that have not signed in; who signs in or leaves makes
    room."""
    async with signed_up(server.url, "Ada Crowd") as (ada,), AsyncExitStack() as stack:

        async def stranger() -> Socket:
            socket = await open_socket(server.socket_url)
            stack.push_async_callback(socket.aclose)
            return socket

        async def refused() -> bool:
            try:
                await stranger()
            except InvalidStatus as error:
                return error.response.status_code == 429
            return False

        sockets = [await stranger() for _ in range(STRANGERS)]
        assert await refused()
        with pytest.raises(InvalidStatus):
            await ada.connect()
        await sockets[0].call("auth", {"token": ada.token})
        sockets.append(await stranger())
        assert await refused()
        await sockets[1].aclose()
        await sockets[2].call("ping")  # the server has seen the Close before
        sockets.append(await stranger())
        assert await refused()
        assert await sockets[0].call("ping") == {}
