"""The rules for using uploads: nobody else's, nothing lost that is shown, nothing left that is
not."""

from __future__ import annotations

import asyncio

import pytest

from chatme.clock import new_id
from chatme.errors import Invalid
from chatme.uploads.models import MAX_USES, Upload, Use
from chatme.uploads.service import Purpose
from chatme_tests.uploads.stage import Stage, uploaded


async def _refusal(stage: Stage, name: str, purpose: Purpose = "image") -> str:
    use = Use("message", new_id())
    with pytest.raises(Invalid) as refused:
        await stage.uploads.claim(stage.owner, name, purpose, use, "attachment")
    (fault,) = refused.value.faults
    assert fault.field == "attachment"
    return fault.message


async def test_an_upload_is_named_by_its_id_or_address(stage: Stage) -> None:
    """Either name finds the owner's upload, with or without a host, and claiming it twice for one
    use is one use."""
    upload = await stage.upload()
    use = Use("message", new_id())
    for name in (upload.public_id, upload.url, f"/uploads/{upload.public_id}", upload.public_id):
        found = await stage.uploads.claim(stage.owner, name, "image", use, "attachment")

        assert (found.id, found.uses) == (upload.id, [use.key])


async def test_an_address_elsewhere_is_known_whole(stage: Stage) -> None:
    """What a store elsewhere keeps is found by all of its address, and by nothing less."""
    url = "https://res.example.com/v1/tea.png"
    upload = await stage.upload(url=url)
    use = Use("message", new_id())
    found = await stage.uploads.claim(stage.owner, url, "image", use, "attachment")

    assert found.id == upload.id
    assert "an upload of yours" in await _refusal(stage, "https://evil.example.com/v1/tea.png")
    assert "an upload of yours" in await _refusal(stage, "v1/tea.png")


async def test_only_ones_own_upload_can_be_used(stage: Stage) -> None:
    """Somebody else's, an unknown, an unfinished and a leaving one are refused alike."""
    foreign = await uploaded(stage.engine, stage.blobs, stage.clock, new_id())
    arriving = await stage.upload(state="arriving")
    leaving = await stage.upload(state="leaving")
    names = ("x", foreign.url, *(each.public_id for each in (foreign, arriving, leaving)))

    assert {await _refusal(stage, name) for name in names} == {
        "must name an upload of yours that is not older than a day"
    }


@pytest.mark.parametrize(
    ("purpose", "more", "fits"),
    [
        ("image", {"kind": "image"}, True),
        ("image", {"kind": "file", "media_type": "image/png"}, False),
        ("image", {"kind": "avatar"}, False),
        ("audio", {"kind": "file", "media_type": "audio/ogg"}, True),
        ("audio", {"kind": "file", "media_type": "text/audio/"}, False),
        ("audio", {"kind": "image"}, False),
        ("file", {"kind": "file", "media_type": "application/pdf"}, True),
        ("file", {"kind": "image"}, True),
        ("file", {"kind": "avatar"}, False),
    ],
)
async def test_an_upload_must_fit(
    stage: Stage, purpose: Purpose, more: dict[str, str], fits: bool
) -> None:
    """What was not looked at as an image is none, and only sound is sound."""
    upload = await stage.upload(**more)
    if fits:
        use = Use("message", new_id())
        await stage.uploads.claim(stage.owner, upload.public_id, purpose, use, "attachment")
    else:
        assert "must name a" in await _refusal(stage, upload.public_id, purpose)
    row = await stage.row(upload)

    assert row is not None
    assert len(row.uses) == fits


async def test_the_uses_are_bounded(stage: Stage) -> None:
    """The thousandth use is the last."""
    uses = [f"message:{new_id()}" for _ in range(MAX_USES - 1)]
    upload = await stage.upload(uses=uses)
    await stage.claim(upload)

    assert await _refusal(stage, upload.public_id) == "is shown 1000 times already: upload it again"


async def test_the_last_use_takes_the_file_along(stage: Stage) -> None:
    """A file shown twice goes when the second use ends, its thumbnail and its row with it."""
    upload = await stage.upload(thumbnail_id="small")
    stage.blobs.files["small"] = b"t"
    first, second = await stage.claim(upload), await stage.claim(upload)
    await stage.uploads.release(upload.public_id, first)
    kept = dict(stage.blobs.files)
    for _ in range(2):
        await stage.uploads.release(upload.public_id, second)

    assert set(kept) == {upload.public_id, "small"}
    assert stage.blobs.files == {}
    assert await stage.row(upload) is None


async def test_what_was_not_sent_stays_for_another_try(stage: Stage) -> None:
    """A use that did not come about leaves the upload, to be used or to run out."""
    upload = await stage.upload()
    use = await stage.claim(upload)
    await stage.uploads.unclaim(upload.public_id, use)
    row = await stage.row(upload)

    assert row is not None
    assert (row.uses, row.due_at, row.state) == ([], upload.due_at, "ready")
    assert upload.public_id in stage.blobs.files


async def test_a_claim_and_a_removal_are_one_after_the_other(stage: Stage) -> None:
    """However a new use and the end of the last one meet: what was claimed keeps its file."""
    for _ in range(20):
        upload = await stage.upload()
        use, next_use = await stage.claim(upload), Use("message", new_id())
        _, claimed = await asyncio.gather(
            stage.uploads.release(upload.public_id, use),
            stage.uploads.claim(stage.owner, upload.public_id, "image", next_use, "attachment"),
            return_exceptions=True,
        )

        if isinstance(claimed, Upload):
            assert upload.public_id in stage.blobs.files
        else:
            assert isinstance(claimed, Invalid)
            assert upload.public_id not in stage.blobs.files


async def test_a_store_that_is_away_holds_nobody_up(stage: Stage) -> None:
    """A file that cannot be removed is out of use at once and left to the sweeper."""
    upload = await stage.upload()
    use = await stage.claim(upload)
    stage.blobs.away = True
    await stage.uploads.release(upload.public_id, use)
    row = await stage.row(upload)
    refusal = await _refusal(stage, upload.public_id)
    stage.blobs.away = False
    stage.clock.move(hours=1)
    await stage.sweeper.sweep()

    assert row is not None
    assert row.state == "leaving"
    assert refusal == "must name an upload of yours that is not older than a day"
    assert (stage.blobs.files, await stage.row(upload)) == ({}, None)


async def test_an_erased_owners_unused_uploads_go(stage: Stage) -> None:
    """What a message or a group shows stays; the picture and what nothing shows goes, at once."""
    picture = await stage.upload(kind="avatar", uses=[Use("user", stage.owner).key])
    unused, sent, worn = [await stage.upload() for _ in range(3)]
    await stage.claim(sent)
    await stage.claim(worn, Use("group", new_id()))
    foreign = await uploaded(stage.engine, stage.blobs, stage.clock, new_id())
    for _ in range(2):
        await stage.uploads.owner_erased(stage.owner)

    assert set(stage.blobs.files) == {sent.public_id, worn.public_id, foreign.public_id}
    assert [await stage.row(each) for each in (picture, unused)] == [None, None]


async def test_what_is_held_is_listed_whole(stage: Stage) -> None:
    """All that has arrived, the oldest first, over more than one page; nothing of others."""
    mine = [await stage.upload() for _ in range(101)]
    await stage.upload(state="arriving")
    await uploaded(stage.engine, stage.blobs, stage.clock, new_id())
    held = [each async for each in stage.uploads.held(stage.owner)]

    assert [each.id for each in held] == [each.id for each in mine]
    assert held[0].to_plain() == {
        "id": str(mine[0].id),
        "url": mine[0].url,
        "publicId": mine[0].public_id,
        "name": "tea.png",
        "size": 3,
        "mimeType": "image/png",
        "createdAt": "2040-01-31T12:00:00.000Z",
    }
