"""What comes into a backup."""

from __future__ import annotations

import tarfile
from pathlib import Path

import bson
import pytest

from chatme.storage.engine import DatabaseError, open_engine
from chatme.storage.moves import begin_move
from chatme.upkeep.archive import Piece, reading_archive
from chatme.upkeep.backup import back_up
from chatme.upkeep.progress import Progress
from chatme_tests.fakes import FrozenClock, settings_of
from chatme_tests.upkeep.house import furnish
from chatme_tests.upkeep.places import ENGINES, content_of, place_of


async def test_all_documents_and_files_are_in_it(tmp_path: Path) -> None:
    """Every document is there once, byte for byte, and every upload; no secret comes along."""
    settings = (await furnish(tmp_path / "data")).settings
    picture = settings.data_dir / "uploads" / "ab" / "cd.webp"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"pixels")
    path = tmp_path / "backup"
    async with open_engine(settings):  # as a server holds it
        await back_up(settings, path, FrozenClock(), Progress())
    wanted = await content_of(settings)
    documents: list[bytes] = []
    with reading_archive(path) as archive:
        for entry in archive.entries():
            if isinstance(entry, Piece):
                documents += [bson.encode(each) for each in bson.decode_all(entry.documents)]
    with tarfile.open(path) as tar:
        names = tar.getnames()

    assert sorted(documents) == sorted(one for each in wanted.values() for one in each.values())
    assert (settings.data_dir / "jwt_secret").exists()
    assert [name for name in names if not name.startswith("database/")] == [
        "backup.json",
        "uploads/ab/cd.webp",
        "manifest.json",
    ]
    assert archive.facts["isOneMoment"] is True
    assert archive.facts["begunAt"] == "2040-01-31T12:00:00.000Z"
    assert archive.manifest["files"] == 1


@pytest.mark.parametrize("kind", ENGINES)
async def test_large_collections_come_in_pieces(kind: str, tmp_path: Path) -> None:
    """Many MiB of documents are many entries, none much larger than four."""
    async with place_of(kind, tmp_path / "data") as settings:
        async with open_engine(settings) as engine:
            for at in range(20):
                documents = [{"_id": f"{at} {each}", "x": "y" * 50_000} for each in range(10)]
                await engine.database["users"].insert_many(documents)
        await back_up(settings, tmp_path / "backup", FrozenClock(), Progress())
    with reading_archive(tmp_path / "backup") as archive:
        pieces = [len(each.documents) for each in archive.entries() if isinstance(each, Piece)]

    assert len(pieces) == 3
    assert max(pieces) < 4 * 1024 * 1024 + 100_000
    assert archive.facts["isOneMoment"] is (kind == "embedded")


@pytest.mark.parametrize("kind", ENGINES)
async def test_half_a_database_is_not_backed_up(kind: str, tmp_path: Path) -> None:
    """What is being moved in is refused in words, and no file is left."""
    async with place_of(kind, tmp_path / "data") as settings:
        async with open_engine(settings) as engine:
            await begin_move(engine, "copy from elsewhere")
        with pytest.raises(DatabaseError, match="a copy from elsewhere was cut"):
            await back_up(settings, tmp_path / "backup", FrozenClock(), Progress())

    assert not (tmp_path / "backup").exists()


async def test_what_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    """Without a database there is an error in words, and neither a backup nor a database."""
    settings = settings_of(tmp_path / "data", mongodb_uri=None)
    with pytest.raises(DatabaseError, match="there is no database"):
        await back_up(settings, tmp_path / "backup", FrozenClock(), Progress())

    assert not (tmp_path / "backup").exists()
    assert not (tmp_path / "data" / "chatme.db").exists()
