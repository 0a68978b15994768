"""Three people who talk, in an assembly that is cut at one of its writes; and what must hold."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import new_id
from chatme.conversations.models import Watermark
from chatme.conversations.wire import GroupWanted, PageQuery
from chatme.messages.models import Message
from chatme.messages.wire import HistoryQuery, MessageDraft
from chatme.notifications.models import Notification
from chatme.notifications.wire import preview
from chatme.storage import atomic
from chatme.uploads.models import UNUSED_LIFE, Kind, Upload
from chatme.users.models import User, new_user
from chatme.wiring import Services
from chatme_tests.fakes import FrozenClock


class Scene:
    """Ada, Bob and Cyd, none of whom is connected; they have a group, Ada and Bob a talk too."""

    def __init__(self, engine: AIOEngine, clock: FrozenClock) -> None:
        self.engine = engine
        self.clock = clock
        self.ada = self.bob = self.cyd = self.dan = new_id()
        self.group = self.talk = self.first = self.second = new_id()
        self.upload = self.portrait = ""
        self.client_id = str(new_id())
        self.email = f"{new_id()}@example.org"

    async def begin(self, services: Services) -> None:
        """What there is before anything is cut."""
        users = [
            new_user("Somebody", f"{new_id()}@example.org", None, self.clock.now())
            for _ in range(4)
        ]
        await atomic.insert_missing(self.engine, users)
        self.ada, self.bob, self.cyd, self.dan = [each.id for each in users]
        core = services.conversations.conversations
        self.talk = (await core.direct(self.ada, self.bob))[0].id
        wanted = GroupWanted(name="Tea", member_ids=[self.bob, self.cyd])
        self.group = (await services.conversations.groups.make(self.ada, wanted)).id
        self.first = await self.say(services, self.bob, self.group, "Who?")
        self.second = await self.say(services, self.ada, self.group, "I!")
        await self.say(services, self.ada, self.talk, "Hush")
        self.upload = await self.uploaded("image", [])

    async def say(
        self, services: Services, who: ObjectId, where: ObjectId, content: str, **more: Any
    ) -> ObjectId:
        """A message; its id."""
        self.clock.move(milliseconds=1)
        draft = MessageDraft(content=content, **more)
        return (await services.messages.messages.send(who, where, draft)).id

    async def row(self, public_id: str) -> Upload | None:
        """An upload as it is stored."""
        return await self.engine.find_one(Upload, Upload.public_id == public_id)

    async def portrait_row(self) -> Upload:
        """The upload that is to be Ada's picture."""
        row = await self.row(self.portrait)
        assert row is not None
        return row

    async def members(self, services: Services, where: ObjectId | None = None) -> set[ObjectId]:
        """Who is in a conversation, the group unless it is named."""
        core = services.conversations.conversations
        return set((await core.members(where or self.group)).user_ids)

    async def contents(self, where: ObjectId | None = None) -> list[str]:
        """What was said in a conversation, the group unless it is named, in its order."""
        found = await self.engine.find(
            Message, Message.conversation == (where or self.group), sort=Message.seq
        )
        assert [each.seq for each in found] == list(range(1, len(found) + 1))
        return [each.content for each in found]

    async def check(self, services: Services) -> None:
        """What must hold of this scene, whatever was done in it."""
        for where in await services.conversations.conversations.ids_of(self.ada):
            await self._check_conversation(services, where)
        listed = (await services.conversations.listing.page(self.ada, PageQuery(limit=50))).items
        moments = [each.last_message_at or each.created_at for each in listed]
        assert moments == sorted(moments, reverse=True)

    async def check_groups(self, services: Services, *, shut_out: bool) -> None:
        """Whoever came to a group of Ada's was told so once, and Bob where he was shut out."""
        core = services.conversations.conversations
        for roster in (await core.rosters(await core.ids_of(self.ada))).values():
            where = roster.conversation_id
            found = await self.engine.find(Notification, Notification.conversation == where)
            told = Counter((each.type, each.user) for each in found if each.message is None)
            others = frozenset() if roster.direct else roster.user_ids - {self.ada}
            gone = {self.bob} if shut_out and where == self.group else set()
            assert set(told.values()) <= {1}
            assert {user for kind, user in told if kind == "group_removed"} == gone
            assert others <= {user for kind, user in told if kind == "group_added"}

    async def _check_conversation(self, services: Services, where: ObjectId) -> None:
        messages = await self.engine.find(Message, Message.conversation == where)
        clients = Counter(each.client_id for each in messages if each.client_id is not None)
        assert not clients or max(clients.values()) == 1
        roster = await services.conversations.conversations.members(where)
        rows = await self.engine.find(Watermark, Watermark.conversation == where)
        marks = {row.user: row for row in rows}
        told = await self._told(where)
        for user, standing in roster.members.items():
            blocked = await services.users.blocks.blocked_by(user)
            floor = max(standing.joined_seq, marks[user].cleared_seq)
            mine = [
                each
                for each in messages
                if each.seq > floor and each.sender != user and each.sender not in blocked
            ]
            for each in mine:
                due = not each.is_deleted and user not in each.withheld_from
                line = preview(each.type, each.content)
                assert told.get((each.id, user), []) == ([line] if due else [])
            unread = [each for each in mine if not self._is_read(each, marks[user])]
            view = await services.conversations.listing.one(user, where)
            assert view.unread_count == len(unread)
            query = HistoryQuery(limit=100)
            page = await services.messages.messages.history(user, where, query)
            assert view.last_message == (page.items[0] if page.items else None)

    async def _told(self, where: ObjectId) -> dict[tuple[ObjectId | None, ObjectId], list[str]]:
        found: dict[tuple[ObjectId | None, ObjectId], list[str]] = {}
        for each in await self.engine.find(Notification, Notification.conversation == where):
            if each.type == "new_message":
                key = each.message, each.user
                found.setdefault(key, []).append(each.payload["preview"])
        return found

    @staticmethod
    def _is_read(message: Message, row: Watermark) -> bool:
        return message.seq <= row.read_seq or message.seq in row.read_ahead

    async def uploaded(self, kind: Kind, uses: list[str]) -> str:
        """An upload of Ada's; its public id."""
        public_id = str(new_id())
        upload = Upload(
            id=new_id(),
            owner=self.ada,
            public_id=public_id,
            kind=kind,
            state="ready",
            url=f"http://here/uploads/{public_id}",
            media_type="image/png",
            uses=uses,
            due_at=self.clock.now() + UNUSED_LIFE,
            created_at=self.clock.now(),
        )
        await atomic.insert(self.engine, upload)
        return public_id

    async def user(self, user_id: ObjectId) -> User:
        """A user as they are stored."""
        found = await self.engine.find_one(User, User.id == user_id)
        assert found is not None
        return found
