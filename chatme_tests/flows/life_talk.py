"""What tests of the real-time contract have in common: the server, and words for what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from chatme_tests.client import Json, Refused, Socket, User
from chatme_tests.server import Server

ABSENT = "65f0c0ffee65f0c0ffee65f0"
FREE: Mapping[str, str] = {
    "WS_RATE": "",
    "RATE_LIMIT_SHORT": "",
    "RATE_LIMIT_LONG": "",
    "RATE_LIMIT_AUTH": "",
}
"""No limits: tests are faster than people."""

Verdict = tuple[int, str]


@contextmanager
def sound_server(folder: Path, **settings: str) -> Iterator[Server]:
    """A server without limits, whose log shows no fault of ours at the end."""
    with Server(folder / "data", {**FREE, **settings}) as running:
        yield running
        log = running.read_log()
    assert "Traceback" not in log, log
    assert '"level": "error"' not in log, log


async def settle(*sockets: Socket) -> None:
    """Returns when all that was written to these sockets before has come."""
    for socket in sockets:
        await socket.call("ping")


async def refusal(socket: Socket, event: str, data: Json) -> str:
    """The code of the error that a frame is answered with; an ack is none."""
    try:
        return f"ack: {await socket.call(event, data)}"
    except Refused as refused:
        return refused.code


def verdict(response: httpx.Response) -> Verdict:
    """The status, and the code where it is an error."""
    code = "" if response.is_success else str(response.json()["code"])
    return response.status_code, code


async def direct(one: User, other: User) -> str:
    """The id of two users' conversation."""
    return str((await one.post("/conversations/direct", {"userId": other.id}))["id"])


async def group(admin: User, *others: User, name: str = "Tea") -> str:
    """The id of a fresh group."""
    body = {"name": name, "memberIds": [each.id for each in others]}
    return str((await admin.post("/conversations/group", body))["id"])


async def say(user: User, conversation_id: str, content: str, **more: object) -> Json:
    """Sends a message without a socket."""
    sent: Json = await user.post(f"/messages/{conversation_id}", {"content": content, **more})
    return sent


async def history(user: User, conversation_id: str, **query: object) -> list[Json]:
    """The newest page of a conversation."""
    items: list[Json] = (await user.get(f"/messages/{conversation_id}", **query))["items"]
    return items


async def view(user: User, conversation_id: str) -> Json:
    """A conversation as one of its members sees it."""
    found: Json = await user.get(f"/conversations/{conversation_id}")
    return found


async def listed(user: User) -> list[str]:
    """The ids in a user's list of conversations."""
    return [each["id"] for each in (await user.get("/conversations", limit=100))["items"]]


def roles(conversation: Json) -> dict[str, str]:
    """Each member's role, by the user's id."""
    return {each["user"]["id"]: each["role"] for each in conversation["members"]}


async def add(admin: User, group_id: str, *others: User) -> Json:
    """Adds members; the group as it then is."""
    body = {"memberIds": [each.id for each in others]}
    answer = await admin.http.patch(f"/conversations/{group_id}/members", json=body)
    assert verdict(answer) == (200, "")
    found: Json = answer.json()
    return found


def names(socket: Socket) -> list[str]:
    """The events that came so far, without what every socket gets."""
    ours = {"connected", "ack", "error", "pong"}
    return [frame["event"] for frame in socket.frames if frame["event"] not in ours]
