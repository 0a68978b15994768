"""The simple model's world: what each action changes, and what it may not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from chatme_tests.flows.model import Ear, Joined, Json, Resumption, Room, Said, Stored


@dataclass(eq=False)
class World:
    """All that there is: the users' conversations, sockets, blocks and notifications."""

    users: list[str]
    rooms: list[Room]
    ears: list[Ear] = field(default_factory=list)
    blocks: set[tuple[str, str]] = field(default_factory=set)
    stored: dict[str, list[Stored]] = field(default_factory=dict)
    sent: dict[tuple[str, str], Said] = field(default_factory=dict)

    # What is seen

    def sees(self, user: str, room: Room, said: Said) -> bool:
        """Whether a message is in a user's history."""
        return (
            user in room.members
            and said.seq > room.cleared.get(user, 0)
            and (user, said.sender) not in self.blocks
            and not (room.direct and user in said.withheld)
        )

    def history(self, user: str, room: Room) -> list[Said]:
        """What a user sees, oldest first."""
        return [said for said in room.said if self.sees(user, room, said)]

    def unread(self, user: str, room: Room) -> list[Said]:
        """What a user sees and has not read."""
        return [said for said in self.history(user, room) if not room.has_read(user, said)]

    def is_listed(self, user: str, room: Room) -> bool:
        """Whether a conversation is in the user's list: one that was deleted comes back with the
        next message."""
        return user in room.members and room.cleared.get(user, -1) < room.seq

    def is_here(self, user: str) -> bool:
        """Whether a user has a socket."""
        return any(ear.user == user for ear in self.ears)

    def missed(self, user: str, room: Room, known: int | None) -> Resumption:
        """What one who knows so much of a conversation has missed."""
        seen = self.history(user, room)
        if known is None:
            shown = sorted(seen[-30:], key=lambda said: said.rev)
            return Resumption([("new_message", said) for said in shown], len(seen) > 30)
        changed = sorted((each for each in seen if each.rev > known), key=lambda said: said.rev)
        names = {True: "new_message", False: "message_updated"}
        events = [(names[said.first_rev > known], said) for said in changed]
        return Resumption(events[-200:], len(events) > 200)

    # Messages

    def say(self, user: str, room: Room, answer: Json, reply_to: Said | None) -> Said:
        """A message came; the server's answer names it."""
        others = set(room.members) - {user}
        withheld = frozenset(each for each in others if (each, user) in self.blocks)
        room.rev += 1
        said = Said(
            id=answer["id"],
            seq=room.seq + 1,
            rev=room.rev,
            sender=user,
            content=answer["content"],
            client_id=answer["clientId"],
            reply_to=reply_to,
            created_at=answer["createdAt"],
            withheld=withheld,
            first_rev=room.rev,
        )
        room.said.append(said)
        if said.client_id is not None:
            self.sent[user, said.client_id] = said
        for each in set(room.members) - withheld:
            reply = reply_to if reply_to and self.sees(each, room, reply_to) else None
            self._tell([each], "new_message", said.id, said.rev, reply and reply.id)
        for each in others - withheld:
            self._notify(each, room, "new_message", said)
            if self.is_here(each):
                self._deliver(each, room, told_from=said.seq)
        return said

    def edit(self, user: str, room: Room, said: Said, content: str) -> None:
        """A message has other words."""
        said.content, said.edited = content, True
        self._changed(user, room, said, "message_edited", content)

    def delete(self, user: str, room: Room, said: Said) -> None:
        """A message is only a tombstone."""
        if said.deleted:
            return
        said.deleted, said.content, said.reactions = True, "", {}
        self._changed(user, room, said, "message_deleted", user)
        for stored in self.stored.values():
            stored[:] = [each for each in stored if each.said is not said]

    def react(self, user: str, room: Room, said: Said, emoji: str) -> None:
        """An emoji, in place of the one before."""
        if said.reactions.get(user) != emoji:
            said.reactions.pop(user, None)
            said.reactions[user] = emoji
            self._changed(user, room, said, "message_reaction_added", emoji)

    def unreact(self, user: str, room: Room, said: Said) -> None:
        """An emoji goes."""
        emoji = said.reactions.pop(user, None)
        if emoji is not None:
            self._changed(user, room, said, "message_reaction_removed", emoji)

    # Receipts

    def connect(self, ear: Ear) -> None:
        """A socket opened: what waited is delivered, but nothing of whom one blocks to a pair."""
        self.ears.append(ear)
        for room in self.rooms:
            at_odds = any((ear.user, other) in self.blocks for other in room.members)
            if ear.user in room.members and not (room.direct and at_odds):
                self._deliver(ear.user, room, told_from=0)

    def read_all(self, ear: Ear, room: Room) -> None:
        """A conversation is on the screen; with one whom one blocks, nothing is read."""
        ear.shown = room
        self._forget_stored(ear.user, room, of_messages_only=False)
        if room.direct and any((ear.user, other) in self.blocks for other in room.members):
            return
        room.opened[ear.user] = room.seq
        self._read(ear, room, [said for said in room.said if not room.has_read(ear.user, said)])

    def read_one(self, ear: Ear, room: Room, said: Said) -> None:
        """One message alone is read."""
        if not room.has_read(ear.user, said):
            self._read(ear, room, [said])

    def clear(self, user: str, room: Room) -> None:
        """A conversation is deleted for one user alone."""
        room.cleared[user] = room.seq
        self._forget_stored(user, room, of_messages_only=True)
        self._tell([user], "conversation_removed", room.id)

    # Members

    def add(self, user: str, room: Room) -> None:
        """Somebody came into a group."""
        if user not in room.members:
            room.members[user] = Joined("member", room.seq)
            self._tell(room.members, "member_added", room.id, user)
            self._tell([user], "conversation_created", room.id)
            self._notify(user, room, "group_added", None)

    def remove(self, user: str, room: Room, by: str) -> None:
        """Somebody left a group, or was taken out of it."""
        was_admin = room.is_admin(user)
        del room.members[user]
        self._tell(room.members, "member_removed", room.id, user)
        self._tell([user], "conversation_removed", room.id)
        if was_admin and room.members and not any(map(room.is_admin, room.members)):
            first = next(iter(room.members))
            room.members[first] = room.members[first]._replace(role="admin")
            self._tell(room.members, "conversation_updated", room.id)
        if by != user:
            self._notify(user, room, "group_removed", None)

    def set_role(self, user: str, room: Room, role: str) -> None:
        """Somebody decides from now on, or no more."""
        room.members[user] = room.members[user]._replace(role=role)
        self._tell(room.members, "conversation_updated", room.id)

    def _read(self, ear: Ear, room: Room, read: Collection[Said]) -> None:
        seen = {said.id for said in read if self.sees(ear.user, room, said)}
        for other in self.ears:
            if other.user == ear.user and other is not ear:
                other.must_clear |= seen
        for said in read:
            said.read.add(ear.user)
            if (ear.user, said.sender) in self.blocks:
                said.silent.add(ear.user)

    def _deliver(self, user: str, room: Room, told_from: int) -> None:
        for said in room.said[room.members[user].seq :]:
            if said.sender != user and user not in said.got:
                said.got.add(user)
                if said.seq < told_from or (user, said.sender) in self.blocks:
                    said.silent.add(user)

    def _changed(self, user: str, room: Room, said: Said, event: str, what: str) -> None:
        room.rev += 1
        said.rev = room.rev
        seers = [
            each
            for each in room.members
            if self.sees(each, room, said) and (each, user) not in self.blocks
        ]
        self._tell(seers, event, said.id, said.rev, what)

    def _tell(self, users: Collection[str], *event: object) -> None:
        for ear in self.ears:
            if ear.user in users:
                ear.must_hear.append(event)

    def _notify(self, user: str, room: Room, kind: str, said: Said | None) -> None:
        if not self.is_here(user):
            self.stored.setdefault(user, []).append(Stored(room, said))
        for ear in self.ears:
            if ear.user == user and ear.shown is not room:
                ear.must_hear.append(("notification", kind, room.id, said and said.id))

    def _forget_stored(self, user: str, room: Room, *, of_messages_only: bool) -> None:
        stored = self.stored.get(user, [])
        stored[:] = [
            each
            for each in stored
            if each.room is not room or (of_messages_only and each.said is None)
        ]
