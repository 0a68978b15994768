"""The steps of which hypothesis makes up the users' lives: what they do to messages."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from chatme_tests.flows import model_refusals as refusals
from chatme_tests.flows.model import Json, Said
from chatme_tests.flows.model_table import Table

people = st.integers(0, 3)
rooms = st.sampled_from((1, 0))
picks = st.integers(0, 9)
words = st.text("aé☕ \n", max_size=3).map(lambda text: f"<{text}>" * 30)
emojis = st.sampled_from(("👍", "❤️", "🎉"))
client_ids = st.sampled_from(("c1", "c2"))


def has_lives(machine: Table) -> bool:
    """Somebody is connected."""
    return bool(machine.lives)


def has_said(machine: Table) -> bool:
    """Somebody is connected, and something was said."""
    return has_lives(machine) and any(room.said for room in machine.world.rooms)


class Messages(Table):
    """What is done to messages: one action, refused or not, and the comparison after it."""

    @rule(who=people, room=rooms, content=words)
    def say(self, who: int, room: int, content: str) -> None:
        """Somebody sends by REST."""
        self._say(who, room, {"content": content})

    @rule(who=people, room=rooms, content=words, client_id=client_ids)
    def say_once(self, who: int, room: int, content: str, client_id: str) -> None:
        """Somebody sends under an id of their own, perhaps not for the first time."""
        self._say(who, room, {"content": content, "clientId": client_id})

    @precondition(has_said)
    @rule(who=people, room=rooms, pick=picks, content=words)
    def reply(self, who: int, room: int, pick: int, content: str) -> None:
        """Somebody answers a message."""
        _, said = self.some(room, pick)
        if said is not None:
            self._say(who, room, {"content": content, "replyTo": said.id}, said)

    @precondition(has_lives)
    @rule(
        room=rooms, sent=st.lists(st.tuples(picks, st.none() | client_ids), min_size=2, max_size=5)
    )
    def all_talk(self, room: int, sent: list[tuple[int, str | None]]) -> None:
        """Several sockets send at once: the numbers say in which order they were accepted."""
        calls: list[Coroutine[Any, Any, Json]] = []
        found = self.world.rooms[room]
        for pick, client_id in sent:
            live = self.live(pick)
            if not refusals.of_send(self.world, live.user.id, found, client_id, None):
                draft = {"clientId": client_id} if client_id else {}
                draft |= {"conversationId": found.id, "content": f"all {len(calls)}"}
                calls.append(live.socket.call("send_message", draft))
        messages = [answer["message"] for answer in self.stage.together(*calls)]
        known = {said.id for each in self.world.rooms for said in each.said}
        fresh = {each["id"]: each for each in messages if each["id"] not in known}
        for each in sorted(fresh.values(), key=lambda message: int(message["seq"])):
            self.world.say(each["sender"]["id"], found, each, None)
        self.compare()

    @precondition(has_lives)
    @rule(pick=picks, room=rooms)
    def open(self, pick: int, room: int) -> None:
        """A conversation comes on a screen."""
        live, found = self.live(pick), self.world.rooms[room]
        refusal = refusals.of_member(live.user.id, found)
        if self.emit(refusal, live, "open_conversation", conversationId=found.id):
            self.world.read_all(live.ear, found)
        self.compare()

    @precondition(has_lives)
    @rule(pick=picks, room=rooms)
    def close(self, pick: int, room: int) -> None:
        """A conversation goes off a screen."""
        live, found = self.live(pick), self.world.rooms[room]
        refusal = refusals.of_member(live.user.id, found)
        answer = self.emit(refusal, live, "close_conversation", conversationId=found.id)
        if answer and live.ear.shown is found:
            live.ear.shown = None
        self.compare()

    @precondition(has_said)
    @rule(pick=picks, room=rooms, which=picks)
    def read(self, pick: int, room: int, which: int) -> None:
        """One message is read."""
        live, (found, said) = self.live(pick), self.some(room, which)
        if said is not None:
            refusal = refusals.of_seeing(self.world, live.user.id, found, said)
            if self.emit(refusal, live, "mark_read", messageId=said.id):
                self.world.read_one(live.ear, found, said)
            self.compare()

    @precondition(has_said)
    @rule(pick=picks, room=rooms, which=picks, content=words)
    def edit(self, pick: int, room: int, which: int, content: str) -> None:
        """A message gets other words."""
        live, (found, said) = self.live(pick), self.some(room, which)
        if said is not None:
            refusal = refusals.of_edit(self.world, live.user.id, found, said)
            if self.emit(refusal, live, "edit_message", messageId=said.id, content=content):
                self.world.edit(live.user.id, found, said, content)
            self.compare()

    @precondition(has_said)
    @rule(pick=picks, room=rooms, which=picks)
    def delete(self, pick: int, room: int, which: int) -> None:
        """A message is deleted."""
        live, (found, said) = self.live(pick), self.some(room, which)
        if said is not None:
            refusal = refusals.of_delete(self.world, live.user.id, found, said)
            if self.emit(refusal, live, "delete_message", messageId=said.id):
                self.world.delete(live.user.id, found, said)
            self.compare()

    @precondition(has_said)
    @rule(pick=picks, room=rooms, which=picks, emoji=emojis)
    def react(self, pick: int, room: int, which: int, emoji: str) -> None:
        """An emoji comes."""
        live, (found, said) = self.live(pick), self.some(room, which)
        if said is not None:
            refusal = refusals.of_react(self.world, live.user.id, found, said)
            if self.emit(refusal, live, "add_reaction", messageId=said.id, emoji=emoji):
                self.world.react(live.user.id, found, said, emoji)
            self.compare()

    @precondition(has_said)
    @rule(pick=picks, room=rooms, which=picks)
    def unreact(self, pick: int, room: int, which: int) -> None:
        """An emoji goes."""
        live, (found, said) = self.live(pick), self.some(room, which)
        if said is not None:
            refusal = refusals.of_seeing(self.world, live.user.id, found, said)
            if self.emit(refusal, live, "remove_reaction", messageId=said.id):
                self.world.unreact(live.user.id, found, said)
            self.compare()

    def _say(self, who: int, room: int, draft: Json, reply_to: Said | None = None) -> None:
        user, found = self.users[who], self.world.rooms[room]
        client_id = draft.get("clientId")
        refusal = refusals.of_send(self.world, user.id, found, client_id, reply_to)
        lives = [live for live in self.lives if live.user is user]
        if lives:
            answer = self.emit(refusal, lives[-1], "send_message", conversationId=found.id, **draft)
            message = answer and answer["message"]
        else:
            message = self.ask(refusal, user, "POST", f"/messages/{found.id}", draft)
        if message:
            before = self.world.sent.get((user.id, client_id or ""))
            if before is None:
                before = self.world.say(user.id, found, message, reply_to)
            assert message["id"] == before.id
        self.compare()
