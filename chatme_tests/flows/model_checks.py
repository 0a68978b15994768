"""Compares what the server shows with the model, observable by observable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from urllib.parse import quote

from chatme_tests.client import Refused, User
from chatme_tests.flows.model import Json, Room, Said
from chatme_tests.flows.model_ears import RANKS, Live
from chatme_tests.flows.model_stage import ask
from chatme_tests.flows.model_world import World

SETTLES_WITHIN = 3.0
QUERIES = ("a", "É", "aa e", "all", "AE a", "éà", "al 1")
"""What is searched for among the words of `model_rules`."""

_PAUSE = 0.005
SAME = (
    *("id", "conversationId", "seq", "rev", "content", "clientId"),
    *("isEdited", "isDeleted", "receiptCounts"),
)


async def eventually(check: Callable[[], Awaitable[None]]) -> None:
    """Checks until it holds: what is written behind a send takes a moment."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLES_WITHIN
    while True:
        try:
            await check()
        except AssertionError:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(_PAUSE)
        else:
            return


async def check_user(world: World, user: User) -> None:
    """All that one user can fetch is as the model has it."""
    await asyncio.gather(
        _check_list(world, user),
        _check_notifications(world, user),
        _check_search(world, user),
        *(_check_room(world, user, room) for room in world.rooms),
    )


async def check_receipts(world: World, user: User, room: Room) -> None:
    """The rows at `/receipts` of each message that the user sees."""
    seen = world.history(user.id, room)
    paths = [f"/messages/{room.id}/{said.id}/receipts" for said in seen]
    answers = await asyncio.gather(*(ask(user, "GET", path) for path in paths))
    for said, answer in zip(seen, answers, strict=True):
        agree(statuses(answer["items"]), expected_statuses(room, said))


def check_heard(live: Live) -> None:
    """A socket has heard of everything that concerns it, once and in order, and of nothing else."""
    live.take()
    agree(live.heard, live.ear.must_hear)


async def check_told(world: World, live: Live) -> None:
    """What a socket was told of what its user said, and sees, is what REST says."""
    live.take()
    me = live.user.id
    assert live.ear.must_clear <= live.cleared
    for room in world.rooms:
        for said in world.history(me, room):
            for user in room.recipients(said) if said.sender == me else ():
                told = live.ranks.get((said.id, user), 0)
                true = RANKS[said.status(user)]
                silent = user in said.silent and told < true
                assert told == true or silent, (said, user, told, true)


def agree(found: object, wanted: object) -> None:
    """What was found is what was wanted; if not, both are shown."""
    assert found == wanted, f"found\n{found}\nwhere the model has\n{wanted}"


async def history(user: User, room: Room) -> list[Json]:
    """All of a conversation, oldest first."""
    found: list[Json] = []
    before = ""
    while True:
        page = await ask(user, "GET", f"/messages/{room.id}?limit=100{before}")
        found += page["items"]
        if page["next"] is None:
            return found[::-1]
        before = f"&before={page['next']}"


def expected(world: World, viewer: str, room: Room, said: Said) -> Json:
    """A message as the model has it: an answer shows nothing of what its viewer may not see."""
    reply = said.reply_to
    if reply is not None and not world.sees(viewer, room, reply):
        reply = None
    rows = expected_statuses(room, said)
    return {
        "id": said.id,
        "conversationId": room.id,
        "seq": said.seq,
        "rev": said.rev,
        "sender": said.sender,
        "content": said.content,
        "clientId": said.client_id,
        "replyTo": reply and (reply.id, reply.sender, reply.content[:100]),
        "reactions": list(said.reactions.items()),
        "isEdited": said.edited,
        "isDeleted": said.deleted,
        "receipts": rows,
        "receiptCounts": {
            "recipients": len(rows),
            "delivered": sum(each != "sent" for each in rows.values()),
            "read": sum(each == "read" for each in rows.values()),
        },
    }


def shown(message: Json) -> Json:
    """A message as the server has it, in the same shape."""
    reply = message["replyTo"]
    return {name: message[name] for name in SAME} | {
        "sender": message["sender"]["id"],
        "replyTo": reply and (reply["id"], reply["senderId"], reply["content"]),
        "reactions": [(each["userId"], each["emoji"]) for each in message["reactions"]],
        "receipts": statuses(message["receipts"]),
    }


def expected_statuses(room: Room, said: Said) -> dict[str, str]:
    """How far each recipient is, by the model."""
    return {user: said.status(user) for user in room.recipients(said)}


def statuses(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The same by the server."""
    return {row["userId"]: row["status"] for row in rows}


async def _check_room(world: World, user: User, room: Room) -> None:
    if user.id not in room.members:
        for path in (f"/conversations/{room.id}", f"/messages/{room.id}"):
            assert await _refusal(user, path) == "not_found"
        return
    seen = await history(user, room)

    wanted = [expected(world, user.id, room, said) for said in world.history(user.id, room)]
    agree([each["id"] for each in seen], [each["id"] for each in wanted])
    for one, other in zip(seen, wanted, strict=True):
        agree(shown(one), other)
    _check_view(world, user, room, await ask(user, "GET", f"/conversations/{room.id}"))


async def _check_list(world: World, user: User) -> None:
    items = (await ask(user, "GET", "/conversations"))["items"]
    listed = [room for room in world.rooms if world.is_listed(user.id, room)]

    agree({room.id for room in listed}, {item["id"] for item in items})
    by_id = {item["id"]: item for item in items}
    for room in listed:
        _check_view(world, user, room, by_id[room.id])
    newest = {room.id: room.said[-1].created_at for room in listed if room.said}
    moments = [newest[item["id"]] for item in items if item["id"] in newest]
    agree(moments, sorted(moments, reverse=True))


async def _check_notifications(world: World, user: User) -> None:
    count = await ask(user, "GET", "/notifications/count")

    agree({"count": len(world.stored.get(user.id, []))}, count)


async def _check_search(world: World, user: User) -> None:
    """Another query each time: everywhere, and in one conversation."""
    said = sum(room.rev for room in world.rooms)
    query = QUERIES[said % len(QUERIES)]
    room = world.rooms[said // len(QUERIES) % len(world.rooms)]
    await _check_found(world, user, query, world.rooms, "/messages/search")
    if user.id in room.members:
        await _check_found(world, user, query, [room], f"/messages/{room.id}/search")
    else:
        assert await _refusal(user, f"/messages/{room.id}/search?q=a") == "not_found"


async def _check_found(
    world: World, user: User, query: str, rooms: Sequence[Room], path: str
) -> None:
    hits = {
        said.id: expected(world, user.id, room, said)
        for room in rooms
        for said in world.history(user.id, room)
        if said.begins(query)
    }
    found: list[Json] = []
    cursor = ""
    while True:
        page = await ask(user, "GET", f"{path}?limit=20&q={quote(query)}{cursor}")
        found += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    # Ids go up with time, so the newest is the greatest.
    agree([each["id"] for each in found], sorted(hits, reverse=True))
    agree([shown(each) for each in found], [hits[each["id"]] for each in found])
    assert all(each["highlights"] for each in found)


def _check_view(world: World, user: User, room: Room, view: Json) -> None:
    seen = world.history(user.id, room)
    last = seen[-1] if seen else None

    agree((view["seq"], view["rev"]), (room.seq, room.rev))
    agree(view["unreadCount"], len(world.unread(user.id, room)))
    agree(
        view["lastMessage"] and shown(view["lastMessage"]),
        last and expected(world, user.id, room, last),
    )
    agree(view["lastMessageAt"], last and last.created_at)
    agree(view["memberCount"], len(room.members))
    roles = {each["user"]["id"]: each["role"] for each in view["members"]}
    agree(list(roles.items()), [(user, joined.role) for user, joined in room.members.items()])
    for each in view["members"]:
        member = each["user"]["id"]
        _check_bounds(each["readSeq"], room.read_bounds(member))
        _check_bounds(each["deliveredSeq"], room.delivered_bounds(member))


def _check_bounds(seq: int, bounds: tuple[int, int]) -> None:
    low, high = bounds
    assert low <= seq <= high, f"{seq} is not in {bounds}"


async def _refusal(user: User, path: str) -> str | None:
    try:
        await ask(user, "GET", path)
    except Refused as refused:
        return refused.code
    return None
