"""What the contract refuses: the code of the error that an action must meet, or None."""

from __future__ import annotations

from chatme_tests.flows.model import Room, Said
from chatme_tests.flows.model_world import World

NOT_FOUND, FORBIDDEN = "not_found", "forbidden"


def of_member(user: str, room: Room) -> str | None:
    """What any member may do."""
    return None if user in room.members else NOT_FOUND


def of_send(
    world: World, user: str, room: Room, client_id: str | None, reply_to: Said | None
) -> str | None:
    """Sending; what was sent before is acked again whatever happened since."""
    if client_id is not None and (user, client_id) in world.sent:
        return None
    if reply_to is not None and not world.sees(user, room, reply_to):
        return NOT_FOUND
    return of_member(user, room)


def of_seeing(world: World, user: str, room: Room, said: Said) -> str | None:
    """What may be done to every message in sight."""
    return None if world.sees(user, room, said) else NOT_FOUND


def of_edit(world: World, user: str, room: Room, said: Said) -> str | None:
    """Editing: one's own, while there are words."""
    may = said.sender == user and not said.deleted
    return of_seeing(world, user, room, said) or (None if may else FORBIDDEN)


def of_delete(world: World, user: str, room: Room, said: Said) -> str | None:
    """Deleting: one's own, or as a group's admin."""
    may = said.sender == user or room.is_admin(user)
    return of_seeing(world, user, room, said) or (None if may else FORBIDDEN)


def of_react(world: World, user: str, room: Room, said: Said) -> str | None:
    """Reacting: not to a tombstone."""
    return of_seeing(world, user, room, said) or (FORBIDDEN if said.deleted else None)


def of_deciding(user: str, room: Room) -> str | None:
    """What only admins may do."""
    return of_member(user, room) or (None if room.is_admin(user) else FORBIDDEN)


def of_add(world: World, user: str, room: Room, target: str) -> str | None:
    """Adding: not somebody at odds with the admin."""
    at_odds = {(user, target), (target, user)} & world.blocks
    blocked = "blocked" if at_odds and target not in room.members else None
    return of_deciding(user, room) or blocked


def of_remove(user: str, room: Room, target: str) -> str | None:
    """Taking out: oneself, or as an admin."""
    return (of_member if user == target else of_deciding)(user, room) or of_member(target, room)


def of_role(user: str, room: Room, target: str, role: str) -> str | None:
    """Giving a role: an admin must be left."""
    found = of_deciding(user, room) or of_member(target, room)
    others = any(room.is_admin(each) for each in room.members if each != target)
    last = role == "member" and room.is_admin(target) and not others
    return found or ("last_admin" if last else None)
