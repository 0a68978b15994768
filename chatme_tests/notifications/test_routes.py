"""Notifications over HTTP: paths, statuses, and whose they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bson import ObjectId
from starlette.applications import Starlette

from chatme.http.endpoint import Endpoint
from chatme.http.paging import encode_cursor
from chatme.notifications.models import Notification
from chatme.notifications.routes import ROUTES
from chatme.notifications.service import NotificationService
from chatme.storage import atomic
from chatme_tests.fakes import SOMETIME, FrozenClock, opened_engine
from chatme_tests.http.fakes import CALLER, SIGNED_IN, ask, bound
from chatme_tests.notifications.fakes import Ears, Sockets

MINE, FOREIGN = ObjectId("65f0c0ffee65f0c0ffee65f0"), ObjectId("65f0c0ffee65f0c0ffee65f1")
MINE_HEX = str(MINE)


def _of(user: ObjectId, id_: ObjectId) -> Notification:
    return Notification(
        id=id_, user=user, type="group_added", payload={"name": "Tea"}, created_at=SOMETIME
    )


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Starlette]:
    """The routes over one notification of the caller's and one of somebody else's."""
    async with opened_engine(tmp_path / "data", [Notification]) as engine:
        await atomic.insert_missing(engine, [_of(CALLER.user_id, MINE), _of(ObjectId(), FOREIGN)])
        service = NotificationService(engine, FrozenClock(), Ears(), Sockets())
        yield bound(*ROUTES, service=service)


async def test_a_day_of_notifications(app: Starlette) -> None:
    """They are listed, counted, read alone and read together, in the contract's shapes."""
    one = {
        "id": MINE_HEX,
        "type": "group_added",
        "payload": {"name": "Tea"},
        "isRead": False,
        "createdAt": "2040-01-31T12:00:00.000Z",
    }
    read = f"/notifications/{MINE_HEX.upper()}/read"
    told = [
        (await ask(app, method, path, headers=SIGNED_IN)).json()
        for method, path in (
            ("GET", "/notifications?limit=1"),
            ("GET", "/notifications/count"),
            ("PATCH", read),
            ("PATCH", read),
            ("PATCH", "/notifications/read-all"),
            ("GET", "/notifications/count"),
            ("GET", "/notifications"),
        )
    ]

    assert told == [
        {"items": [one], "next": None},
        {"count": 1},
        one | {"isRead": True},
        one | {"isRead": True},
        {"updated": 0},
        {"count": 0},
        {"items": [], "next": None},
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PATCH", f"/notifications/{FOREIGN}/read", 404),
        ("PATCH", f"/notifications/{'0' * 24}/read", 404),
        ("PATCH", "/notifications/not-an-id/read", 404),
        ("GET", "/notifications?limit=0", 422),
        ("GET", "/notifications?limit=101", 422),
        ("GET", "/notifications?limit=%D9%A1", 422),
        ("GET", "/notifications?cursor=", 422),
        ("GET", "/notifications/read-all", 405),
        ("DELETE", "/notifications", 405),
    ],
)
async def test_what_is_wrong_is_refused(
    app: Starlette, method: str, path: str, status: int
) -> None:
    """Foreign and unknown ids are not found, bad queries are invalid, wrong methods not allowed."""
    answer = await ask(app, method, path, headers=SIGNED_IN)

    assert (answer.status_code, answer.json()["statusCode"]) == (status, status)


@pytest.mark.parametrize(
    "cursor",
    ["x", "%C3%A9", encode_cursor([1]), encode_cursor([1, "no-id"]), encode_cursor(["a", MINE_HEX])]
    + [encode_cursor([at, MINE_HEX]) for at in (-1, 253402300800000, 2**63)],
)
async def test_a_made_up_cursor_is_refused(app: Starlette, cursor: str) -> None:
    """A cursor that no page gave is a fault of that field, however large its numbers."""
    answer = await ask(app, "GET", f"/notifications?cursor={cursor}", headers=SIGNED_IN)

    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == ["cursor"]


@pytest.mark.parametrize(("at", "found"), [(0, 0), (253402300799999, 1)])
async def test_the_ends_of_time_are_cursors(app: Starlette, at: int, found: int) -> None:
    """A cursor at either end of the calendar finds what is before it."""
    path = f"/notifications?cursor={encode_cursor([at, MINE_HEX])}"
    answer = await ask(app, "GET", path, headers=SIGNED_IN)

    assert (answer.status_code, len(answer.json()["items"])) == (200, found)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
async def test_strangers_see_none(app: Starlette, route: Endpoint) -> None:
    """Without a token every route is a 401."""
    path = route.path.format(notification_id=MINE)

    assert (await ask(app, route.method, path)).status_code == 401
