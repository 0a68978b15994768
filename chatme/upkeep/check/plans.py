"""The queries of everyday, each of which an index must serve, whatever the collection's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.storage.explain import explain
from chatme.upkeep.check.findings import Finding

_SOMEBODY = ObjectId("0" * 24)
_HERE: Mapping[str, Any] = {"conversation": _SOMEBODY}


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for, in words and as it is asked."""

    words: str
    collection: str
    filter: Mapping[str, Any]
    sort: Sequence[tuple[str, int]] = ()


QUERIES = (
    Query("a sign-in", "users", {"email": "ada@example.com"}),
    Query("a sign-in from elsewhere", "users", {"identities.key": "github:1"}),
    Query("the search of users", "users", {"grams": {"$all": ["ada"]}}),
    Query("a user's sessions", "sessions", {"user": _SOMEBODY}, (("last_used_at", -1),)),
    Query("whom one blocks", "blocks", {"blocker": _SOMEBODY}),
    Query("who blocks one", "blocks", {"blocked": _SOMEBODY}),
    Query("a user's conversations", "conversations", {"members.user": _SOMEBODY}),
    Query("the conversation of two", "conversations", {"direct_key": "a:b"}),
    Query("a user's watermarks", "watermarks", {"user": _SOMEBODY}),
    Query("a conversation's watermarks", "watermarks", _HERE),
    Query("the list of conversations", "activities", {"_id": {"$in": [_SOMEBODY]}}),
    Query("a conversation's last number", "messages", _HERE, (("seq", -1),)),
    Query("a conversation's last revision", "messages", _HERE, (("rev", -1),)),
    Query("a page of messages", "messages", {**_HERE, "seq": {"$lt": 9}}, (("seq", -1),)),
    Query("what one missed", "messages", {**_HERE, "rev": {"$gt": 9}}, (("rev", 1),)),
    Query("one's own in a conversation", "messages", {**_HERE, "sender": _SOMEBODY}),
    Query("a message sent again", "messages", {"sender": _SOMEBODY, "client_id": "c-1"}),
    Query(
        "unread notifications",
        "notifications",
        {"user": _SOMEBODY, "is_read": False},
        (("created_at", -1), ("_id", -1)),
    ),
    Query("a message's notifications", "notifications", {"message": _SOMEBODY}),
    Query("what one was told of a conversation", "notifications", {"user": _SOMEBODY, **_HERE}),
)


async def slow_queries(engine: AIOEngine) -> list[Finding] | None:
    """The queries that no index serves; None where the server does not tell."""
    found = []
    for each in QUERIES:
        plan = await explain(engine, each.collection, each.filter, each.sort)
        if plan is None:
            return None
        if plan.scans:
            found.append(Finding(f"{each.collection}: {each.words} looks at every document"))
        elif plan.sorts:
            found.append(Finding(f"{each.collection}: {each.words} is put in order by hand"))
    return found
