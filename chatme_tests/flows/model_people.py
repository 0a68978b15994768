"""The steps of which hypothesis makes up the users' lives: who comes, goes, and wants whom."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from chatme_tests.flows import model_refusals as refusals
from chatme_tests.flows.model import Json
from chatme_tests.flows.model_checks import agree, expected, shown
from chatme_tests.flows.model_ears import Live
from chatme_tests.flows.model_rules import Messages, has_lives, people, picks, rooms
from chatme_tests.flows.model_table import MAX_SOCKETS

roles = st.sampled_from(("admin", "member"))


class Machine(Messages):
    """All steps together."""

    @precondition(lambda machine: len(machine.lives) < MAX_SOCKETS)
    @rule(who=people)
    def come(self, who: int) -> None:
        """A socket opens."""
        self.settle()
        self.connect(self.users[who])
        self.compare()

    @precondition(has_lives)
    @rule(pick=picks)
    def go(self, pick: int) -> None:
        """A socket closes."""
        self.settle()
        self.disconnect(self.live(pick))
        self.compare()

    @rule(who=people, other=people)
    def block(self, who: int, other: int) -> None:
        """Somebody wants nothing of somebody."""
        if who != other:
            self.settle()
            user, target = self.users[who], self.users[other]
            self.ask(None, user, "POST", f"/users/{target.id}/block")
            self.world.blocks.add((user.id, target.id))
            self.compare()

    @rule(who=people, other=people)
    def unblock(self, who: int, other: int) -> None:
        """Somebody forgives."""
        if who != other:
            self.settle()
            user, target = self.users[who], self.users[other]
            self.ask(None, user, "DELETE", f"/users/{target.id}/block")
            self.world.blocks.discard((user.id, target.id))
            for live in self.lives:
                if live.user is user:
                    self.learn(live)
            self.compare()

    @rule(who=people, room=rooms)
    def clear(self, who: int, room: int) -> None:
        """Somebody deletes a conversation for themselves."""
        user, found = self.users[who], self.world.rooms[room]
        refusal = refusals.of_member(user.id, found)
        if self.ask(refusal, user, "DELETE", f"/conversations/{found.id}") is not None:
            self.world.clear(user.id, found)
        self.compare()

    @rule(who=people, other=people)
    def add(self, who: int, other: int) -> None:
        """An admin adds somebody to the group."""
        self.settle()
        user, target, group = self.users[who], self.users[other], self.world.rooms[1]
        refusal = refusals.of_add(self.world, user.id, group, target.id)
        wanted = {"memberIds": [target.id]}
        if self.ask(refusal, user, "PATCH", f"/conversations/{group.id}/members", wanted):
            self.world.add(target.id, group)
            for live in self.lives:
                if live.user is target:
                    self.learn(live)
        self.compare()

    @rule(who=people, other=people)
    def remove(self, who: int, other: int) -> None:
        """An admin takes somebody out of the group, or somebody leaves."""
        self.settle()
        user, target, group = self.users[who], self.users[other], self.world.rooms[1]
        refusal = refusals.of_remove(user.id, group, target.id)
        if user is target:
            answer = self.ask(refusal, user, "POST", f"/conversations/{group.id}/leave")
        else:
            path = f"/conversations/{group.id}/members/{target.id}"
            answer = self.ask(refusal, user, "DELETE", path)
        if answer is not None:
            self.world.remove(target.id, group, by=user.id)
        self.compare()

    @rule(who=people, other=people, role=roles)
    def set_role(self, who: int, other: int, role: str) -> None:
        """An admin gives a role."""
        user, target, group = self.users[who], self.users[other], self.world.rooms[1]
        refusal = refusals.of_role(user.id, group, target.id, role)
        path = f"/conversations/{group.id}/members/{target.id}"
        if self.ask(refusal, user, "PATCH", path, {"role": role}):
            self.world.set_role(target.id, group, role)
        self.compare()

    @precondition(has_lives)
    @rule(pick=picks, knowns=st.tuples(*[st.none() | st.integers(0, 40)] * 2))
    def resume(self, pick: int, knowns: tuple[int | None, int | None]) -> None:
        """A client asks for what it missed."""
        self.settle()
        live = self.live(pick)
        live.take()
        named = {
            room.id: min(known, room.rev)
            for room, known in zip(self.world.rooms, knowns, strict=True)
            if known is not None
        }
        answer = self.emit(None, live, "resume", conversations=named)
        self._compare_resumed(live, named, answer, live.take_resumed())
        self.compare()

    def _compare_resumed(
        self, live: Live, named: dict[str, int], answer: Json, frames: list[Json]
    ) -> None:
        own = [room for room in self.world.rooms if live.user.id in room.members]
        limited = {}
        for room in own:
            missed = self.world.missed(live.user.id, room, named.get(room.id))
            limited[room.id] = {"rev": room.rev, "limited": missed.limited}
            came = [each for each in frames if each["data"]["conversationId"] == room.id]
            agree(
                [(each["event"], shown(each["data"])) for each in came],
                [
                    (event, expected(self.world, live.user.id, room, said))
                    for event, said in missed.events
                ],
            )
        assert {each["data"]["conversationId"] for each in frames} <= set(limited)
        agree(answer, {"conversations": limited, "complete": True})
