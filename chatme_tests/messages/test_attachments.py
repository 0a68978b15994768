"""Messages that show uploads: what may be sent, what becomes of the files, what a crash leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bson import ObjectId

from chatme.errors import Invalid, NotFound
from chatme.messages.models import Message
from chatme.messages.wire import MessageNamed, MessageView, WordsWanted
from chatme.uploads.models import Upload
from chatme_tests.conversations.engines import AskedEngine, CountingEngine, Crash, DyingEngine
from chatme_tests.conversations.world import Node, World


async def _delete(node: Node, user: ObjectId, message: MessageView) -> None:
    await node.changes.delete(user, MessageNamed(message_id=message.id))


async def _talk(world: World) -> tuple[ObjectId, ObjectId, ObjectId]:
    ann, bob = await world.people("ann", "bob")
    return ann, bob, await world.direct(ann, bob)


def _named(upload: Upload, **more: Any) -> dict[str, Any]:
    return {"type": "image", "content": "", "attachment": {"public_id": upload.public_id}, **more}


async def test_the_server_fills_the_attachment_in(world: World) -> None:
    """All that is known of the upload is shown to everybody, and the notification says what it
    is."""
    ann, bob, talk = await _talk(world)
    upload = await world.upload(ann, thumbnail_url="http://here/small")
    world.forget()
    sent = await world.say(ann, talk, **_named(upload, content="Tea?"))

    assert sent.attachment is not None
    assert sent.attachment.to_plain() == {
        "url": upload.url,
        "publicId": upload.public_id,
        "name": "tea.png",
        "size": 3,
        "mimeType": "image/png",
        "width": 40,
        "height": 30,
        "duration": None,
        "thumbnailUrl": "http://here/small",
    }
    assert (sent.type, sent.content) == ("image", "Tea?")
    assert world.heard("new_message", by=bob) == [sent]
    assert await world.history(bob, talk) == [sent]
    assert [each["kind"] for what, each in world.notes.told if what == "arrived"] == ["image"]


async def test_an_address_as_content_names_the_upload(world: World) -> None:
    """Who knows no attachments sends the address as the content, which is no caption: nobody reads
    it, and no search finds it."""
    ann, bob, talk = await _talk(world)
    upload = await world.upload(ann, kind="file", media_type="audio/ogg", duration=1.5)
    named = {"public_id": upload.public_id}
    alone = await world.say(ann, talk, upload.url, type="audio")
    both = await world.say(ann, talk, upload.url, type="audio", attachment=named)
    found = await world.search.in_all(bob, WordsWanted(q=upload.public_id))

    assert [each.content for each in (alone, both)] == ["", ""]
    assert alone.attachment is not None
    assert alone.attachment.public_id == upload.public_id
    assert alone.attachment == both.attachment
    assert alone.attachment.duration == 1.5
    assert found.items == []


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        ({"type": "text", "content": "x", "attachment": {"public_id": "mine"}}, "attachment"),
        ({"type": "text", "content": " "}, "content"),
        ({"type": "image", "content": ""}, "attachment"),
        ({"type": "image", "content": " "}, "attachment"),
        ({"type": "image", "content": "http://elsewhere/tea.png"}, "attachment"),
        ({"type": "image", "content": "mine too", "attachment": {"public_id": "x"}}, "attachment"),
        ({"type": "audio", "content": "", "attachment": {"public_id": "mine"}}, "attachment"),
        ({"type": "file", "content": "", "attachment": {"public_id": "theirs"}}, "attachment"),
    ],
)
async def test_what_does_not_fit_is_refused(
    world: World, draft: dict[str, Any], field: str
) -> None:
    """Nothing is sent, the field is named, and nobody's upload is in use."""
    ann, bob, talk = await _talk(world)
    for owner, name in ((ann, "mine"), (bob, "theirs")):
        await world.upload(owner, public_id=name, url=f"http://here/{name}")
    with pytest.raises(Invalid) as refused:
        await world.say(ann, talk, **draft)

    assert [each.field for each in refused.value.faults] == [field]
    assert await world.engine.count(Message) == 0
    assert [each.uses for each in await world.engine.find(Upload)] == [[], []]


async def test_who_may_not_send_uses_nothing(world: World) -> None:
    """A send to a conversation that one is not in leaves the upload as it was."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    upload = await world.upload(cyd)
    with pytest.raises(NotFound):
        await world.say(cyd, await world.direct(ann, bob), **_named(upload))

    assert await world.engine.find(Upload) == [upload]


async def test_a_retry_is_one_message_and_one_use(world: World) -> None:
    """The same client id with the same upload, through two processes at once, uses it once; after
    the message's deletion it is the tombstone."""
    ann, _, talk = await _talk(world)
    upload = await world.upload(ann)
    nodes = world.node(), world.node()
    draft = _named(upload, client_id="c-1")
    answers = await asyncio.gather(*(nodes[at % 2].say(ann, talk, **draft) for at in range(6)))
    (row,) = await world.engine.find(Upload)
    await _delete(world, ann, answers[0])
    again = await world.say(ann, talk, **draft)

    assert len({each.id for each in answers}) == 1
    assert row.uses == [f"message:{answers[0].id}"]
    assert (again.id, again.is_deleted, again.attachment) == (answers[0].id, True, None)
    assert world.outside.blobs.files == {}


async def test_a_deleted_messages_file_goes(world: World) -> None:
    """It goes with the last message that shows it, and not before."""
    ann, bob, talk = await _talk(world)
    upload = await world.upload(ann)
    first, second = [await world.say(ann, talk, **_named(upload)) for _ in range(2)]
    await _delete(world, ann, first)
    kept = set(world.outside.blobs.files)
    for _ in range(2):
        await _delete(world, ann, second)
    shown = await world.history(bob, talk)

    assert kept == {upload.public_id}
    assert world.outside.blobs.files == {}
    assert await world.engine.count(Upload) == 0
    assert [each.attachment for each in shown] == [None, None]


async def test_a_file_that_a_message_shows_outlives_every_sweep(world: World) -> None:
    """However old it is; what nobody sent is gone after a day."""
    ann, _, talk = await _talk(world)
    sent, unsent = await world.upload(ann), await world.upload(ann)
    await world.say(ann, talk, **_named(sent))
    for _ in range(3):
        world.clock.move(days=1)
        await world.sweeper.sweep()

    assert set(world.outside.blobs.files) == {sent.public_id}
    assert unsent.public_id not in world.outside.blobs.files


async def test_a_send_with_a_file_writes_once_more(world: World) -> None:
    """To claim the upload is one write, and all that it costs, reads included."""
    ann, _, talk = await _talk(world)
    upload = await world.upload(ann)
    written, asked = [], []
    for draft in ({"content": "Hi"}, _named(upload)):
        writes, questions = CountingEngine(world.engine), AskedEngine(world.engine)
        for engine in (writes, questions):
            node = world.node(engine)
            await node.say(ann, talk, **draft)
            await node.aclose()
        written.append(sorted(writes.made))
        asked.append(sorted(f"{each.model.__name__}.{each.method}" for each in questions.asked))

    assert written[1] == sorted([*written[0], "uploads.find_one_and_update"])
    assert asked[1] == sorted([*asked[0], "Upload.find_one_and_update"])


async def _after_two_days(world: World) -> set[str]:
    """What the sweeps leave; each upload that a message shows must be there."""
    for _ in range(2):
        world.clock.move(days=1)
        await world.sweeper.sweep()
    shown = {a.public_id for each in await world.engine.find(Message) for a in each.attachments}
    kept = set(world.outside.blobs.files)
    assert {each.public_id for each in await world.engine.find(Upload)} == kept
    assert shown == kept
    return kept


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("at", range(4))
async def test_a_crash_in_a_send_loses_and_leaves_nothing(
    world: World, at: int, late: bool
) -> None:
    """Wherever the process dies: the file is there if the message is, and else it goes; sent
    again, it is one message that shows it."""
    ann, _, talk = await _talk(world)
    upload = await world.upload(ann)
    dying = DyingEngine(world.engine, at, late=late)
    node = world.node(dying)
    draft = _named(upload, client_id="c-1")
    try:
        await node.say(ann, talk, **draft)
    except Crash:
        sent = await world.say(ann, talk, **draft)
        assert sent.attachment is not None

    assert await _after_two_days(world) == {upload.public_id}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("at", range(5))
async def test_a_crash_in_a_deletion_leaves_nothing(world: World, at: int, late: bool) -> None:
    """Wherever the process dies: the file goes if the message is deleted, and else it stays."""
    ann, _, talk = await _talk(world)
    upload = await world.upload(ann)
    sent = await world.say(ann, talk, **_named(upload))
    world.clock.move(days=1)
    await world.sweeper.sweep()
    dying = DyingEngine(world.engine, at, late=late)
    with pytest.raises(Crash):
        await _delete(world.node(dying), ann, sent)
    (message,) = await world.engine.find(Message)

    assert await _after_two_days(world) == (set() if message.is_deleted else {upload.public_id})


async def test_the_last_use_ends_as_another_begins(world: World) -> None:
    """Whoever is first, a message that was sent shows a file that is there."""
    ann, _, talk = await _talk(world)
    for _ in range(10):
        upload = await world.upload(ann)
        first = await world.say(ann, talk, **_named(upload))
        node = world.node()
        _, second = await asyncio.gather(
            _delete(world, ann, first),
            node.say(ann, talk, **_named(upload)),
            return_exceptions=True,
        )
        await node.aclose()

        assert isinstance(second, MessageView | Invalid)
        there = upload.public_id in world.outside.blobs.files
        assert there == isinstance(second, MessageView)


async def test_only_who_may_delete_touches_the_file(world: World) -> None:
    """Who is refused to delete a message leaves its upload as it was."""
    ann, bob, talk = await _talk(world)
    upload = await world.upload(ann)
    sent = await world.say(ann, talk, **_named(upload))
    before = await world.engine.find(Upload)
    with pytest.raises(Exception, match="Only your own"):
        await _delete(world, bob, sent)

    assert await world.engine.find(Upload) == before
