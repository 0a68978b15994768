"""Who decides in a group: names, roles, and that there is always an admin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import httpx
import pytest

from chatme_tests.client import User, signed_up
from chatme_tests.flows.life_talk import (
    ABSENT,
    add,
    direct,
    group,
    names,
    roles,
    say,
    settle,
    sound_server,
    verdict,
    view,
)
from chatme_tests.server import Server

RACES = 20

Move = Callable[[User, User, str], Coroutine[Any, Any, httpx.Response]]


async def _leave(one: User, _other: User, path: str) -> httpx.Response:
    return await one.http.post(f"{path}/leave")


async def _lower(one: User, other: User, path: str) -> httpx.Response:
    return await one.http.patch(f"{path}/members/{other.id}", json={"role": "member"})


async def _step_down(one: User, _other: User, path: str) -> httpx.Response:
    return await one.http.patch(f"{path}/members/{one.id}", json={"role": "member"})


async def _remove(one: User, other: User, path: str) -> httpx.Response:
    return await one.http.delete(f"{path}/members/{other.id}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("roles")) as running:
        yield running


async def _admins(user: User, group_id: str) -> list[str]:
    found = roles(await view(user, group_id))
    return [each for each, role in found.items() if role == "admin"]


async def test_the_longest_standing_takes_over(server: Server) -> None:
    """When the last admin leaves, the longest-standing member is admin, and all are told."""
    async with signed_up(server.url, "Ada Heir", "Bob Heir", "Cy Heir", "Di Heir") as users:
        ada, bob, cy, di = users
        group_id = await group(ada, bob)
        await add(ada, group_id, cy)
        await add(ada, group_id, di)
        sockets = [await each.connect() for each in (bob, cy, di)]
        await ada.post(f"/conversations/{group_id}/leave")
        await settle(*sockets)

        for user, socket in zip((bob, cy, di), sockets, strict=True):
            (updated,) = socket.of("conversation_updated")
            assert updated == await view(user, group_id)
            assert roles(updated) == {bob.id: "admin", cy.id: "member", di.id: "member"}
        await bob.post(f"/conversations/{group_id}/leave")
        await cy.post(f"/conversations/{group_id}/leave")
        assert await _admins(di, group_id) == [di.id]
        await di.post(f"/conversations/{group_id}/leave")
        assert verdict(await di.http.get(f"/conversations/{group_id}")) == (404, "not_found")


async def test_names_and_roles_are_told_to_all(server: Server) -> None:
    """A new name and a new role reach every member's sockets as the conversation they see."""
    async with signed_up(server.url, "Ada Name", "Bob Name", "Eve Name") as (ada, bob, eve):
        group_id = await group(ada, bob)
        path = f"/conversations/{group_id}"
        await say(ada, group_id, "unread by one")
        sockets = [await each.connect() for each in (ada, bob, eve)]
        long = await ada.http.patch(path, json={"name": " Coffee "})
        short = await ada.http.patch(f"{path}/name", json={"name": "Cocoa"})
        raised = await ada.http.patch(f"{path}/members/{bob.id}", json={"role": "admin"})
        await settle(*sockets)

        assert [verdict(each) for each in (long, short, raised)] == [(200, "")] * 3
        for socket, unread in zip(sockets, (0, 1), strict=False):
            told = socket.of("conversation_updated")
            assert [each["name"] for each in told] == ["Coffee", "Cocoa", "Cocoa"]
            assert [roles(each)[bob.id] for each in told] == ["member", "member", "admin"]
            assert [each["unreadCount"] for each in told] == [unread] * 3
        assert names(sockets[2]) == []
        assert raised.json() == sockets[0].of("conversation_updated")[-1]
        lowered = await bob.http.patch(f"{path}/members/{ada.id}", json={"role": "member"})
        assert verdict(lowered) == (200, "")
        assert await _admins(ada, group_id) == [bob.id]
        last = await bob.http.patch(f"{path}/members/{bob.id}", json={"role": "member"})
        assert verdict(last) == (409, "last_admin")
        assert await _admins(ada, group_id) == [bob.id]


async def test_only_admins_decide(server: Server) -> None:
    """Members see the group and may not change it; to strangers it does not exist."""
    async with signed_up(server.url, "Ada May", "Bob May", "Cy May", "Eve May") as users:
        ada, bob, cy, eve = users
        group_id = await group(ada, bob, cy)
        path = f"/conversations/{group_id}"

        async def tried(user: User, at: str, target: User) -> list[tuple[int, str]]:
            http = user.http
            return [
                verdict(await http.patch(at, json={"name": "Mine"})),
                verdict(await http.patch(f"{at}/name", json={"name": "Mine"})),
                verdict(await http.patch(f"{at}/members", json={"memberIds": [eve.id]})),
                verdict(await http.patch(f"{at}/members/{target.id}", json={"role": "member"})),
                verdict(await http.delete(f"{at}/members/{target.id}")),
            ]

        assert await tried(bob, path, cy) == [(403, "forbidden")] * 5
        assert await tried(bob, path, ada) == [(403, "forbidden")] * 5
        assert await tried(eve, path, cy) == [(404, "not_found")] * 5
        assert await tried(eve, f"/conversations/{ABSENT}", cy) == [(404, "not_found")] * 5
        assert verdict(await eve.http.post(f"{path}/leave")) == (404, "not_found")
        strange = [
            await ada.http.patch(f"{path}/members/{eve.id}", json={"role": "admin"}),
            await ada.http.delete(f"{path}/members/{eve.id}"),
            await ada.http.delete(f"{path}/members/{ABSENT}"),
        ]
        assert [verdict(each) for each in strange] == [(404, "not_found")] * 3
        unknown = await ada.http.patch(f"{path}/members", json={"memberIds": [ABSENT]})
        assert verdict(unknown) == (422, "validation_failed")
        assert [each["field"] for each in unknown.json()["errors"]] == ["memberIds"]
        assert roles(await view(ada, group_id)) == {
            ada.id: "admin",
            bob.id: "member",
            cy.id: "member",
        }


async def test_a_direct_conversation_is_no_group(server: Server) -> None:
    """Nobody comes into a direct conversation, leaves it, or names it."""
    async with signed_up(server.url, "Ada Two", "Bob Two", "Eve Two") as (ada, bob, eve):
        talk = await direct(ada, bob)
        path = f"/conversations/{talk}"
        for user, expected in ((ada, (403, "forbidden")), (eve, (404, "not_found"))):
            answers = [
                await user.http.patch(path, json={"name": "Mine"}),
                await user.http.patch(f"{path}/name", json={"name": "Mine"}),
                await user.http.patch(f"{path}/members", json={"memberIds": [eve.id]}),
                await user.http.patch(f"{path}/members/{bob.id}", json={"role": "admin"}),
                await user.http.delete(f"{path}/members/{bob.id}"),
                await user.http.delete(f"{path}/members/{user.id}"),
                await user.http.post(f"{path}/leave"),
            ]
            assert [verdict(each) for each in answers] == [expected] * 7
        assert await view(ada, talk) == await view(bob, talk)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_leave, _leave),
        (_lower, _lower),
        (_remove, _remove),
        (_step_down, _leave),
        (_step_down, _step_down),
        (_lower, _leave),
    ],
    ids=lambda move: move.__name__.strip("_"),
)
async def test_two_admins_at_once_leave_one(server: Server, one: Move, other: Move) -> None:
    """Whatever two admins do to each other or themselves at the same time, one remains."""
    mark = f"{one.__name__} {other.__name__}"
    async with signed_up(server.url, *(f"{name}{mark}" for name in ("Ada", "Bob", "Cy"))) as users:
        ada, bob, cy = users
        for _ in range(RACES):
            group_id = await group(ada, bob, cy)
            path = f"/conversations/{group_id}"
            await ada.http.patch(f"{path}/members/{bob.id}", json={"role": "admin"})
            answers = await asyncio.gather(one(ada, bob, path), other(bob, ada, path))

            refused = {verdict(each) for each in answers if not each.is_success}
            assert refused <= {(403, "forbidden"), (404, "not_found"), (409, "last_admin")}
            assert len(await _admins(cy, group_id)) == 1
