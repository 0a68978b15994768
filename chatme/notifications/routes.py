"""Notifications over HTTP."""

from __future__ import annotations

from chatme.http.endpoint import Call, Endpoint
from chatme.notifications.service import NotificationService
from chatme.notifications.wire import (
    NotificationCount,
    NotificationPage,
    NotificationQuery,
    NotificationView,
    Updated,
)


async def page(
    service: NotificationService, call: Call, query: NotificationQuery
) -> NotificationPage:
    """The caller's unread notifications, newest first."""
    return await service.page(call.caller.user_id, query)


async def count(service: NotificationService, call: Call) -> NotificationCount:
    """How many notifications the caller has not read."""
    return NotificationCount(count=await service.count(call.caller.user_id))


async def read_all(service: NotificationService, call: Call) -> Updated:
    """Marks all the caller's notifications as read."""
    return Updated(updated=await service.read_all(call.caller.user_id))


async def read(service: NotificationService, call: Call) -> NotificationView:
    """Marks one notification of the caller's as read."""
    return await service.read(call.caller.user_id, call.path_id("notification_id"))


ROUTES = (
    Endpoint("GET", "/notifications", page),
    Endpoint("GET", "/notifications/count", count),
    Endpoint("PATCH", "/notifications/read-all", read_all),
    Endpoint("PATCH", "/notifications/{notification_id}/read", read),
)
