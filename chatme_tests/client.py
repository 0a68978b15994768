"""A caller of the real server: REST by httpx, each answer judged, the socket by websockets."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chatme_tests.judging import rest_client

WAIT_SECONDS = 10
KEPT_SECONDS = 3
"""The server hangs up on a connection that was idle for 5 s: nothing is sent at that moment."""
PASSWORD = "Correct-Horse-7"

Json = dict[str, Any]


class Refused(Exception):
    """The server answered a frame with an error."""

    def __init__(self, error: Json) -> None:
        self.code: str = error["code"]
        self.error = error
        super().__init__(f"{error['code']}: {error['message']}")


class Socket:
    """One open WebSocket: every frame that comes is kept, in order."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[Json] = []
        self._ids = itertools.count(1)
        self._arrived = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @property
    def close_code(self) -> int | None:
        """The code that the server closed with, once it has."""
        return self.connection.close_code

    def of(self, event: str) -> list[Json]:
        """The data of every frame of one event so far."""
        return [frame["data"] for frame in self.frames if frame["event"] == event]

    async def send(self, event: str, data: Json | None = None, **more: Any) -> None:
        """Sends a frame and waits for nothing."""
        await self.connection.send(json.dumps({"event": event, "data": data or {}, **more}))

    async def call(self, event: str, data: Json | None = None) -> Json:
        """Sends a frame with an id and returns the ack's data; raises `Refused` for an error."""
        frame_id = next(self._ids)
        await self.send(event, data, id=frame_id)
        answer = await self.until(lambda frame: frame.get("id") == frame_id)
        if answer["event"] == "error":
            raise Refused(answer["data"])
        found: Json = answer["data"]
        return found

    async def wait_for(self, event: str, **wanted: object) -> Json:
        """The data of the first frame of an event whose fields are as wanted."""
        frame = await self.until(
            lambda frame: (
                frame["event"] == event
                and all(frame["data"].get(key) == value for key, value in wanted.items())
            )
        )
        found: Json = frame["data"]
        return found

    async def until(self, fits: Callable[[Json], bool]) -> Json:
        """The first frame, past or to come, that fits."""
        seen = 0
        async with asyncio.timeout(WAIT_SECONDS), self._arrived:
            while True:
                for frame in self.frames[seen:]:
                    if fits(frame):
                        return frame
                seen = len(self.frames)
                if self._reader.done():
                    raise ConnectionError(f"closed with {self.close_code}: {self.frames[-3:]}")
                await self._arrived.wait()

    async def wait_closed(self) -> int | None:
        """Waits for the end; the close code."""
        await asyncio.wait_for(asyncio.shield(self._reader), WAIT_SECONDS)
        await self.connection.close()
        return self.close_code

    async def aclose(self) -> None:
        """Closes the socket."""
        await self.connection.close()
        await self._reader

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                async with self._arrived:
                    self.frames.append(json.loads(text))
                    self._arrived.notify_all()
        except ConnectionClosed:
            pass
        finally:
            async with self._arrived:
                self._arrived.notify_all()


@dataclass
class User:
    """Somebody who signed up; `http` sends their token along."""

    id: str
    name: str
    email: str
    token: str
    http: httpx.AsyncClient
    socket_url: str
    sockets: list[Socket] = field(default_factory=list)

    async def connect(self, **options: Any) -> Socket:
        """Opens a socket with the token in the header and waits for `connected`."""
        socket = await open_socket(
            self.socket_url, headers={"Authorization": f"Bearer {self.token}"}, **options
        )
        self.sockets.append(socket)
        await socket.wait_for("connected")
        return socket

    async def get(self, path: str, **query: Any) -> Any:
        """GETs a path; its JSON, which must be a success."""
        return _success(await self.http.get(path, params=query))

    async def post(self, path: str, body: Json | None = None) -> Any:
        """POSTs a body; the answer's JSON, which must be a success."""
        return _success(await self.http.post(path, json=body))

    async def aclose(self) -> None:
        """Closes all that is open."""
        for socket in self.sockets:
            await socket.aclose()
        await self.http.aclose()


async def open_socket(url: str, headers: Mapping[str, str] | None = None, **options: Any) -> Socket:
    """A WebSocket to the server, not yet signed in."""
    connection = await connect(
        url,
        additional_headers=headers,
        compression=None,
        ping_interval=None,
        max_size=None,
        max_queue=None,
        proxy=None,
        **options,
    )
    return Socket(connection)


async def sign_up(url: str, name: str, email: str | None = None) -> User:
    """Registers a user."""
    http = rest_client(
        base_url=f"{url}/api/v1",
        timeout=WAIT_SECONDS,
        limits=httpx.Limits(keepalive_expiry=KEPT_SECONDS),
    )
    email = email or f"{name.lower().replace(' ', '.')}@example.com"
    body = {"displayName": name, "email": email, "password": PASSWORD}
    found = _success(await http.post("/auth/register", json=body))
    http.headers["Authorization"] = f"Bearer {found['accessToken']}"
    socket_url = url.replace("http", "ws", 1) + "/chat"
    return User(found["user"]["id"], name, email, found["accessToken"], http, socket_url)


@asynccontextmanager
async def signed_up(url: str, *names: str) -> AsyncIterator[list[User]]:
    """Several fresh users, whose connections are closed at the end."""
    users = []
    async with AsyncExitStack() as stack:
        for name in names:
            user = await sign_up(url, name)
            stack.push_async_callback(user.aclose)
            users.append(user)
        yield users


def _success(response: httpx.Response) -> Any:
    assert response.is_success, f"{response.request.method} {response.url}: {response.text}"
    return response.json() if response.content else None
