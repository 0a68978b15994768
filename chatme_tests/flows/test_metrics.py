"""The metrics of the running server: they move with what happens, and only some may read them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from chatme.messages.routes import COMMANDS
from chatme_tests.client import Refused, Socket, User, signed_up
from chatme_tests.server import Server
from chatme_tests.serving import PATIENCE

TOKEN = "an-operator-s-token"
Samples = dict[str, float]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token for its metrics, that trusts nobody's forwarding headers."""
    settings = {"METRICS_TOKEN": TOKEN, "WS_RATE": "200/second"}
    with Server(tmp_path_factory.mktemp("metrics") / "data", settings) as running:
        yield running


async def _ask(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
        return await http.get(f"{url}/metrics", headers=headers)


async def _samples(server: Server) -> Samples:
    """Every sample as Prometheus's own parser reads it: ``name{label="value",…}``."""
    response = await _ask(server.url)
    assert response.status_code == 200
    return {
        sample.name
        + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


class Moves:
    """How far samples moved between two looks."""

    def __init__(self) -> None:
        self.before: Samples = {}
        self.after: Samples = {}

    def __getitem__(self, name: str) -> float:
        return self.after.get(name, 0) - self.before.get(name, 0)


@asynccontextmanager
async def _moving(server: Server) -> AsyncIterator[Moves]:
    moves = Moves()
    moves.before = await _samples(server)
    yield moves
    moves.after = await _samples(server)


@asynccontextmanager
async def _talk(server: Server, *names: str) -> AsyncIterator[tuple[list[User], str]]:
    """Users in one group, each with a socket."""
    async with signed_up(server.url, *names) as users:
        body = {"name": "All", "memberIds": [each.id for each in users[1:]]}
        group = await users[0].post("/conversations/group", body)
        for user in users:
            await user.connect()
        yield users, group["id"]


async def test_messages_and_frames_are_counted(server: Server) -> None:
    """Seven messages to three sockets are seven messages, seven frames in, 21 out and seven acks,
    each worked in some time, and stored by as many inserts."""
    names = "Ann Counted", "Bob Counted", "Cy Counted"
    async with _talk(server, *names) as (users, group), _moving(server) as moves:
        for at in range(7):
            draft = {"conversationId": group, "content": f"hi {at}"}
            sent = (await users[0].sockets[0].call("send_message", draft))["message"]
        for user in users:
            await user.sockets[0].wait_for("new_message", id=sent["id"])

    assert moves["chatme_messages_sent_total,type=text"] == 7
    assert moves["chatme_frames_received_total,event=send_message"] == 7
    assert moves["chatme_frames_sent_total,event=new_message"] == 21
    assert moves["chatme_frames_sent_total,event=ack"] == 7
    assert moves["chatme_frame_seconds_count,event=send_message,outcome=ok"] == 7
    assert moves["chatme_frame_seconds_sum,event=send_message,outcome=ok"] > 0
    assert moves["chatme_database_seconds_count,collection=messages,operation=insert"] == 7


@pytest.fixture
def quiet(data: Path) -> Iterator[Server]:
    """A server where nobody else comes and goes."""
    with Server(data) as running:
        yield running


async def test_sockets_and_users_are_counted(quiet: Server) -> None:
    """Two sockets of one user and a stranger are seen as such, and not when they are gone."""
    async with signed_up(quiet.url, "Dora Counted") as (dora,):
        before = await _samples(quiet)
        await dora.connect()
        await dora.connect()
        with socket.create_connection(("127.0.0.1", int(quiet.url.rpartition(":")[2]))) as raw:
            raw.sendall(
                b"GET /chat HTTP/1.1\r\nHost: chat\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
            )
            assert raw.recv(12) == b"HTTP/1.1 101"
            during = await _samples(quiet)
    after = await _until_closed(quiet, before)

    def moved(samples: Samples, name: str) -> float:
        return samples[name] - before[name]

    assert moved(during, "chatme_sockets,state=signed_in") == 2
    assert moved(during, "chatme_sockets,state=stranger") == 1
    assert moved(during, "chatme_users_online") == 1
    assert moved(after, "chatme_sockets,state=stranger") == 0
    assert after["chatme_socket_closes_total,reason=gone"] >= 3


async def _until_closed(server: Server, before: Samples) -> Samples:
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await _samples(server)
            states = ("chatme_sockets,state=signed_in", "chatme_sockets,state=stranger")
            if all(found[each] <= before[each] for each in states):
                return found


async def test_requests_are_counted_by_route(server: Server) -> None:
    """Requests count under their route's template, whatever ids stand in the path."""
    route = "route=/api/v1/conversations/{conversation_id}"
    async with signed_up(server.url, "Eve Counted", "Fay Counted") as (eve, fay):
        talk = await eve.post("/conversations/direct", {"userId": fay.id})
        async with _moving(server) as moves:
            await eve.get(f"/conversations/{talk['id']}")
            await eve.get(f"/conversations/{talk['id']}")
            await eve.http.get("/conversations/nonsense")

    assert moves[f"chatme_http_request_seconds_count,method=GET,{route},status=2xx"] == 2
    assert moves[f"chatme_http_request_seconds_count,method=GET,{route},status=4xx"] == 1
    assert moves["chatme_errors_total,code=not_found,door=http"] == 1


async def _torment(server: Server, user: User, wire: Socket, name: str) -> None:
    """Says a name wherever somebody could make a label of it."""
    await user.http.request("GET", f"/{name}/{name}")
    await user.http.request("POST", f"/messages/{name}")
    await user.http.request("PROPFIND", f"/conversations/{name}")
    await user.http.request("GET", f"{server.url}/{name}%00%22%7d%0a?{name}")
    with pytest.raises(Refused):
        await wire.call(name)
    await wire.connection.send(json.dumps({"event": [name]}))


def _made_by_clients(samples: Samples) -> set[str]:
    """The series of what clients ask; not those of what the server does by itself meanwhile."""
    kinds = ("chatme_http_", "chatme_errors_", "chatme_frames_received_", "chatme_frame_seconds")
    return {name for name in samples if name.startswith(kinds)}


async def test_strangers_make_no_series(server: Server) -> None:
    """However many paths, methods and events somebody makes up, no series comes of their words."""
    async with signed_up(server.url, "Gus Hostile") as (gus,):
        wire = await gus.connect()
        await _samples(server)  # to read them is a request, too
        rounds = []
        for at in range(3):  # in the second all that can come is there
            for turn in range(20):
                await _torment(server, gus, wire, f"evil{at}x{turn}")
            rounds.append(await _samples(server))

    found = rounds[-1]
    assert not [name for name in found if "evil" in name]
    assert _made_by_clients(found) == _made_by_clients(rounds[0])
    assert found["chatme_frames_received_total,event=unknown"] >= 60
    assert found["chatme_frames_received_total,event=refused"] >= 59
    assert found["chatme_errors_total,code=unknown_event,door=socket"] >= 60
    assert found["chatme_http_request_seconds_count,method=GET,route=unmatched,status=4xx"] >= 120


async def test_what_is_over_a_rate_is_counted(data: Path) -> None:
    """Frames and sign-ins over their rate count as such."""
    settings = {"WS_RATE": "1/hour", "RATE_LIMIT_AUTH": "2/hour"}
    with Server(data, settings) as running:
        async with signed_up(running.url, "Hal Hasty") as (hal,):
            wire = await hal.connect()
            await wire.call("ping")
            with pytest.raises(Refused):
                await wire.call("ping")
            for _ in range(3):
                await hal.http.post("/auth/login", json={"email": hal.email, "password": "x"})
            found = await _samples(running)

    assert found["chatme_errors_total,code=rate_limited,door=socket"] == 1
    assert found["chatme_errors_total,code=rate_limited,door=http"] >= 1


async def test_the_token_opens(server: Server) -> None:
    """Through a proxy the metrics are a 404 like any other, but to who knows the token."""
    away = {"X-Forwarded-For": "192.0.2.1", "Host": "chat.example.org"}
    answers = [
        await _ask(server.url, **away),
        await _ask(server.url, **away, Authorization=f"Bearer {TOKEN}x"),
        await _ask(server.url, **away, Authorization=f"Basic {TOKEN}"),
        await _ask(server.url, **away, Authorization=f"Bearer {TOKEN}"),
    ]

    assert [each.status_code for each in answers] == [404, 404, 404, 200]
    assert answers[0].json()["code"] == "not_found"
    assert answers[3].headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answers[3].headers["cache-control"] == "no-store"


async def test_without_a_token_only_this_machine(data: Path) -> None:
    """Without a setting no token is right, and this machine itself may read."""
    with Server(data) as running:
        local = await _ask(running.url)
        proxied = await _ask(running.url, Forwarded="for=127.0.0.1", Authorization="Bearer None")
        bare = await _http_1_0(running)

    assert [local.status_code, proxied.status_code, bare] == [200, 404, 404]


async def _http_1_0(server: Server) -> int:
    """The status for an HTTP/1.0 request, as a bare nginx would send it."""
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    line = await asyncio.wait_for(reader.readline(), PATIENCE)
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def test_every_command_has_its_own_series(server: Server) -> None:
    """The events of the contract are counted by their names."""
    async with signed_up(server.url, "Ida Named") as (ida,):
        wire = await ida.connect()
        for command in COMMANDS:
            try:
                await wire.call(command.event)
            except Refused:
                continue
        found = await _samples(server)

    for command in COMMANDS:
        assert found[f"chatme_frames_received_total,event={command.event}"] >= 1
