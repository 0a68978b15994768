"""The table that the random lives are played on: real users and sockets beside the model.

Deliveries are written behind the sends. A step that would make them come out differently, since
somebody comes, goes or changes sides, settles first; the others do not wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize

from chatme_tests.client import Refused, User
from chatme_tests.flows.model import Ear, Joined, Json, Room, Said, Stored
from chatme_tests.flows.model_checks import (
    check_heard,
    check_receipts,
    check_told,
    check_user,
    eventually,
    history,
)
from chatme_tests.flows.model_ears import Live
from chatme_tests.flows.model_stage import Stage
from chatme_tests.flows.model_world import World

MAX_SOCKETS = 7


class Table(RuleBasedStateMachine):
    """Ada and Bob have a direct conversation, and a group with Cy; Di is outside at first."""

    def __init__(self, stage: Stage, *, thorough: bool = False) -> None:
        super().__init__()
        self.stage = stage
        self.thorough = thorough
        self.users: list[User] = []
        self.lives: list[Live] = []
        self.steps = 0
        self.world = World([], [])

    @initialize()
    def begin(self) -> None:
        """Four users and two conversations."""
        self.users = self.stage.people("Ada", "Bob", "Cy", "Di")
        ids = [user.id for user in self.users]
        pair = self._post(self.users[0], "/conversations/direct", {"userId": ids[1]})
        group = self._post(
            self.users[0], "/conversations/group", {"name": "Tea", "memberIds": ids[1:3]}
        )
        members = [Joined("admin", 0), Joined("member", 0), Joined("member", 0)]
        two = dict(zip(ids[:2], members[1:], strict=True))
        three = dict(zip(ids[:3], members, strict=True))
        self.world = World(ids, [Room(pair["id"], True, two), Room(group["id"], False, three)])
        for each in ids[1:3]:
            self.world.stored[each] = [Stored(self.world.rooms[1], None)]

    def teardown(self) -> None:
        """At the end everything is compared, for everybody."""
        try:
            if self.users:
                self.settle()
                rooms = self.world.rooms
                for user in self.users:
                    self.stage.run(check_user(self.world, user))
                    for room in rooms:
                        self.stage.run(check_receipts(self.world, user, room))
        finally:
            self.stage.close(self.users)

    def settle(self) -> None:
        """Waits until what is written behind the sends is written and told."""

        async def all_written() -> None:
            for user in self.users:
                await check_user(self.world, user)
            for live in self.lives:
                await check_told(self.world, live)

        self.stage.run(eventually(all_written))

    def compare(self) -> None:
        """After a step: what every socket heard, and all that one user, each in turn, can see."""
        self.stage.together(*(live.socket.call("ping") for live in self.lives))
        for live in self.lives:
            check_heard(live)
        self.steps += 1
        user = self.users[self.steps % len(self.users)]
        if self.thorough:
            self.settle()
        else:
            self.stage.run(eventually(lambda: check_user(self.world, user)))

    def connect(self, user: User) -> None:
        """A user opens a socket, and fetches what it should know."""
        socket = self.stage.connect(user)
        live = Live(Ear(user.id), user, socket)
        self.world.connect(live.ear)
        self.lives.append(live)
        self.learn(live)

    def disconnect(self, live: Live) -> None:
        """A user closes a socket."""
        self.stage.disconnect(live.user, live.socket)
        self.lives.remove(live)
        self.world.ears.remove(live.ear)

    def learn(self, live: Live) -> None:
        """A socket's owner fetches the histories."""
        live.take()
        for room in self.world.rooms:
            if live.user.id in room.members:
                live.learn(self.stage.run(history(live.user, room)))

    def attempt(self, refusal: str | None, call: Callable[[], Any]) -> Any:
        """Does what is refused or not, as the contract says; None where it is refused."""
        if refusal is None:
            answer = call()
            return {} if answer is None else answer
        with pytest.raises(Refused, match=f"^{refusal}: "):
            call()
        return None

    def emit(self, refusal: str | None, live: Live, event: str, **data: object) -> Any:
        """The same by a socket's frame."""
        return self.attempt(refusal, lambda: self.stage.run(live.socket.call(event, data)))

    def ask(
        self, refusal: str | None, user: User, method: str, path: str, body: Json | None = None
    ) -> Any:
        """The same by REST."""
        return self.attempt(refusal, lambda: self.stage.ask(user, method, path, body))

    def live(self, pick: int) -> Live:
        """Some open socket."""
        return self.lives[pick % len(self.lives)]

    def some(self, room: int, pick: int) -> tuple[Room, Said | None]:
        """Some message of a conversation, the newest first; None where there is none."""
        found = self.world.rooms[room]
        return found, found.said[-1 - pick % found.seq] if found.said else None

    def _post(self, user: User, path: str, body: Json) -> Json:
        answer: Json = self.stage.ask(user, "POST", path, body)
        return answer
