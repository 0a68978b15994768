"""The rules for users: who they are, who finds them, what they change of themselves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from datetime import datetime

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import asc, in_

from chatme.clock import Clock
from chatme.errors import Code, Conflict, NotFound
from chatme.memo import Memo
from chatme.storage import atomic
from chatme.users.blocks import BlockService
from chatme.users.models import DELETED_USER, Identity, User, grams, new_user, search_text
from chatme.users.wire import (
    SEARCH_RESULTS,
    FoundUser,
    Oneself,
    ProfileChange,
    UserView,
    found_user,
    oneself,
    user_view,
)

_SEARCH_CANDIDATES = 50
_SEARCH_GRAMS = 8
_COUNTED_GRAMS = 1000
_KEPT_VIEWS = 10_000


class UserService:
    """Lives as long as the app; holds no state of its own.

    ``blocks`` are the rules for who blocks whom, for routes and other features.
    """

    def __init__(self, engine: AIOEngine, clock: Clock, blocks: BlockService) -> None:
        self.blocks = blocks
        self._engine = engine
        self._clock = clock
        self._views = Memo(self._load_view, _KEPT_VIEWS)

    async def create(self, display_name: str, email: str, password_hash: str | None) -> User:
        """A new user; raises `Conflict` (`email_taken`) where the address has one."""
        return await self.add(new_user(display_name, email, password_hash, self._clock.now()))

    async def add(self, user: User) -> User:
        """Stores a fresh user; raises `Conflict` where the address or an identity has one."""
        try:
            await atomic.insert(self._engine, user)
        except atomic.Duplicate:
            raise email_taken() from None
        return user

    async def by_identity(self, key: str) -> User | None:
        """The user as whom an account elsewhere signs in."""
        return await self._engine.find_one(User, {"identities.key": key})

    async def join(self, user_id: ObjectId, identity: Identity) -> bool:
        """An account elsewhere, on this user's very address, becomes theirs, and proves it.

        Only where the user is active, and was verified before or has no password; whether it did.
        """
        fits = {
            "_id": user_id,
            "email": identity.email,
            "is_active": True,
            "identities.key": {"$ne": identity.key},
            "$or": [{"is_verified": True}, {"password_hash": None}],
        }
        change = {"$push": {"identities": identity.model_dump()}, "$set": {"is_verified": True}}
        try:
            return await atomic.update(self._engine, User, fits, change)
        except atomic.Duplicate:
            return False

    async def drop_password(self, user_id: ObjectId) -> None:
        """A user whose address was never verified loses the local password."""
        fits = {"_id": user_id, "is_verified": False}
        await atomic.update(self._engine, User, fits, {"$set": {"password_hash": None}})

    async def by_email(self, email: str) -> User | None:
        """The user of a normalised address."""
        return await self._engine.find_one(User, User.email == email)

    async def by_id(self, user_id: ObjectId) -> User | None:
        """The stored user of an id."""
        return await self._engine.find_one(User, User.id == user_id)

    async def view(self, user_id: ObjectId) -> UserView:
        """One user as others see them; raises `NotFound`."""
        user = await self.by_id(user_id)
        if user is None:
            raise NotFound
        return user_view(user)

    async def views(self, user_ids: Collection[ObjectId]) -> dict[ObjectId, UserView]:
        """Several users as others see them, by id, in one query; unknown ids are left out."""
        if not user_ids:
            return {}
        users = await self._engine.find(User, in_(User.id, list(user_ids)))
        return {user.id: user_view(user) for user in users}

    async def known_views(self, user_ids: Collection[ObjectId]) -> dict[ObjectId, UserView]:
        """The same from memory where it can be; what another process changed shows later."""
        found = await asyncio.gather(*(self._views.get(each) for each in user_ids))
        return {view.id: view for view in found if view is not None}

    async def existing(self, user_ids: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the ids that are of active users."""
        found = await atomic.project(
            self._engine, User, {"_id": {"$in": list(user_ids)}, "is_active": True}, ["_id"]
        )
        return {document["_id"] for document in found}

    async def oneself(self, user_id: ObjectId) -> Oneself:
        """A user as they see themselves; raises `NotFound`."""
        user = await self.by_id(user_id)
        if user is None:
            raise NotFound
        return oneself(user)

    async def search(self, caller: ObjectId, text: str) -> list[FoundUser]:
        """At most ten active users, not the caller, whose name or address holds the text.

        Those who blocked the caller are left out. Names that begin with the text come first.
        Under two characters nothing is found.
        """
        folded = text.casefold()
        # A line break stands between name and address: no text reaches over it.
        if len(folded) < 2 or "\n" in folded:
            return []
        hidden = await self.blocks.blockers_of(caller)
        grams = await self._rarest_first(query_grams(folded))
        if not grams:
            return []
        users = await self._engine.find(
            User,
            {
                "grams": {"$all": grams},
                "search_text": {"$regex": re.escape(folded)},
                "is_active": True,
                "_id": {"$nin": [caller, *hidden]},
            },
            limit=_SEARCH_CANDIDATES,
        )
        users.sort(key=lambda user: (not user.search_text.startswith(folded), user.search_text))
        return [found_user(user) for user in users[:SEARCH_RESULTS]]

    async def _rarest_first(self, grams: list[str]) -> list[str]:
        """The grams by how many users have them; none where nobody has one of them.

        The first is what the index is asked for: what nearly all have, such as a common host's
        letters, would bring nearly all.
        """
        if len(grams) == 1:
            return grams
        counts = await asyncio.gather(
            *(
                atomic.count(self._engine, User, {"grams": each}, limit=_COUNTED_GRAMS)
                for each in grams
            )
        )
        found = sorted(zip(counts, grams, strict=True))
        return [gram for _, gram in found] if found[0][0] else []

    async def deactivate(self, user_id: ObjectId) -> None:
        """From now on nobody can sign in as this user; raises `NotFound`."""
        await self._set(user_id, {"is_active": False})

    async def erase(self, user_id: ObjectId) -> None:
        """Removes all that says who a user is; nobody signs in as them again. Safe to repeat."""
        nobody = User(
            id=user_id,
            display_name=DELETED_USER,
            email=f"{user_id}@deleted.invalid",
            is_active=False,
            created_at=self._clock.now(),
        ).model_dump_doc()
        # That there was somebody, since when, is what is left.
        kept = {key: value for key, value in nobody.items() if key not in ("_id", "created_at")}
        await atomic.update(self._engine, User, {"_id": user_id}, {"$set": kept})
        self._views.forget(user_id)

    async def set_password(self, user_id: ObjectId, hashed: str) -> None:
        """Gives a user another password; raises `NotFound`."""
        await self._set(user_id, {"password_hash": hashed})

    async def make_admin(self, user_id: ObjectId) -> None:
        """Makes a user an admin of the whole server; raises `NotFound`."""
        await self._set(user_id, {"role": "admin", "is_verified": True})

    async def everyone(self, after: ObjectId | None, limit: int) -> list[User]:
        """A page of all users, in the order in which they came."""
        conditions = {} if after is None else {"_id": {"$gt": after}}
        return await self._engine.find(User, conditions, sort=asc(User.id), limit=limit)

    async def _set(self, user_id: ObjectId, fields: dict[str, object]) -> None:
        if not await atomic.update(self._engine, User, {"_id": user_id}, {"$set": fields}):
            raise NotFound

    async def saw(self, user_id: ObjectId, at: datetime) -> None:
        """The user was here at that moment; an earlier one does not undo a later one.

        Of who is no more, nothing is kept.
        """
        active = {"_id": user_id, "is_active": True}
        await atomic.update(self._engine, User, active, {"$max": {"last_seen_at": at}})

    async def change(self, user_id: ObjectId, change: ProfileChange) -> Oneself:
        """Changes what is given of a user's profile; raises `NotFound`."""
        user = await self.by_id(user_id)
        if user is None:
            raise NotFound
        fields: dict[str, object] = {}
        if change.display_name is not None:
            text = search_text(change.display_name, user.email)
            fields |= {
                "display_name": change.display_name,
                "search_text": text,
                "grams": grams(text),
            }
        if change.bio is not None:
            fields["bio"] = change.bio
        if fields:
            changed = await atomic.update_and_get(
                self._engine, User, {"_id": user_id}, {"$set": fields}
            )
            self._views.forget(user_id)
            if changed is None:
                raise NotFound
            user = changed
        return oneself(user)

    async def change_avatar(
        self, user_id: ObjectId, before: str | None, url: str | None, after: str | None
    ) -> User | None:
        """Gives a user another picture, or none; nothing where it is not the one before any more.

        ``before`` and ``after`` are public ids of uploads.
        """
        fits = {"_id": user_id, "is_active": True, "avatar_id": before}
        change = {"$set": {"avatar": url, "avatar_id": after}}
        changed = await atomic.update_and_get(self._engine, User, fits, change)
        self._views.forget(user_id)
        return changed

    async def wearing(self, public_id: str, ids: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the users whose picture is an upload."""
        where = {"_id": {"$in": list(ids)}, "avatar_id": public_id}
        found = await atomic.project(self._engine, User, where, ["_id"])
        return {each["_id"] for each in found}

    async def _load_view(self, user_id: ObjectId) -> UserView | None:
        user = await self.by_id(user_id)
        return None if user is None else user_view(user)


def query_grams(folded: str) -> list[str]:
    """The grams that whatever holds the text must have, the longest ones: a bounded number, from
    all over the text."""
    size = min(len(folded), 3)
    found = list(dict.fromkeys(folded[at : at + size] for at in range(len(folded) - size + 1)))
    if len(found) <= _SEARCH_GRAMS:
        return found
    step = (len(found) - 1) / (_SEARCH_GRAMS - 1)
    return [found[round(at * step)] for at in range(_SEARCH_GRAMS)]


def email_taken() -> Conflict:
    """The error for an address that has a user already."""
    return Conflict("There is an account with this e-mail address.", code=Code.EMAIL_TAKEN)
