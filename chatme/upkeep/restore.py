"""A backup becomes a database again: all of it, or nothing.

It is loaded aside, read back, and compared with what the backup says of itself. Only then does it
take its place: an embedded file by one renaming, after the uploads' files, which are nobody's
before; MongoDB's collections one by one, under a mark that keeps servers away until all are there.
A restore that was cut has changed nothing that is seen, or is marked and to be run again.
"""

from __future__ import annotations

from pathlib import Path

import bson
from bson.errors import BSONError
from odmantic import AIOEngine

from chatme.settings import Settings
from chatme.storage.dump import LiveDump, is_empty
from chatme.storage.embedded.replacing import holds_documents, install, locked
from chatme.storage.engine import DEFAULT_DATABASE, EMBEDDED_FILE, open_engine, prepare_under
from chatme.storage.migrations import MIGRATIONS
from chatme.storage.moves import begin_move, end_move, move_of, put_in_place
from chatme.upkeep.archive import ArchiveReader, BadArchive, Piece, reading_archive
from chatme.upkeep.files import (
    UPLOADS,
    aside,
    files_below,
    install_files,
    remove_other_files,
    write_new,
)
from chatme.upkeep.progress import Progress
from chatme.upkeep.stock import Tally, collections, models_by_collection, tally_of

_DRAFT = "restoring_"
_BATCH = 500


class TargetNotEmpty(Exception):
    """There is something already where the backup should go."""


async def restore(path: Path, settings: Settings, progress: Progress, *, force: bool) -> bool:
    """Puts a backup in the place of the settings' database; whether it was of one moment.

    Raises `TargetNotEmpty` where something is there, unless forced; `BadArchive`; `DatabaseError`,
    also where a server has the file; `OSError`. After any of them the old database is still there.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.mongodb_uri is None:
        with locked(settings.data_dir / EMBEDDED_FILE):
            return await _restore_embedded(path, settings, progress, force=force)
    return await _restore_mongodb(path, settings, progress, force=force)


async def _restore_embedded(
    path: Path, settings: Settings, progress: Progress, *, force: bool
) -> bool:
    place, uploads = settings.data_dir / EMBEDDED_FILE, settings.data_dir / UPLOADS
    if not force and (holds_documents(place, DEFAULT_DATABASE) or any(files_below(uploads))):
        raise TargetNotEmpty(f"{settings.data_dir.resolve()} is not empty")
    with aside(settings.data_dir) as folder:
        draft = settings.model_copy(update={"data_dir": folder})
        with reading_archive(path) as archive:
            async with open_engine(draft, sweeping=False) as engine:
                if _is_current(archive):
                    await _prepare(engine)  # first: the file is laid out by its indexes
                await _load(archive, engine, folder / UPLOADS, progress)
                await _compare(archive, engine, progress)
        install_files(folder / UPLOADS, uploads)
        install(folder / EMBEDDED_FILE, place)
        remove_other_files(folder / UPLOADS, uploads)
    return bool(archive.facts.get("isOneMoment"))


async def _restore_mongodb(
    path: Path, settings: Settings, progress: Progress, *, force: bool
) -> bool:
    uploads, mark = settings.data_dir / UPLOADS, f"restore of {path.name}"
    async with open_engine(settings) as engine:
        goes_on = force or await move_of(engine) == mark
        held = not await is_empty(engine, collections()) or any(files_below(uploads))
        if held and not goes_on:
            raise TargetNotEmpty("the database, or the folder of uploads, is not empty")
        with aside(settings.data_dir) as folder:
            with reading_archive(path) as archive:
                is_current = _is_current(archive)
                await _drop_drafts(engine)
                await _load(archive, engine, folder / UPLOADS, progress, _DRAFT)
                await _compare(archive, engine, progress, _DRAFT)
            if is_current:
                await _prepare(engine, _DRAFT)  # last: it is faster, and nothing expires before
            install_files(folder / UPLOADS, uploads)
            await begin_move(engine, mark)
            for name in collections():
                await put_in_place(engine, _DRAFT + name, name)
            await end_move(engine)
            remove_other_files(folder / UPLOADS, uploads)
        return bool(archive.facts.get("isOneMoment"))


def _is_current(archive: ArchiveReader) -> bool:
    """Whether the backup is of a database such as this program has; raises `BadArchive`.

    Of an older one the server makes the indexes, once it has changed what they are made of.
    """
    had = archive.facts.get("schema")
    if not isinstance(had, int) or had > len(MIGRATIONS):
        raise BadArchive("it is of a newer program's database")
    return had == len(MIGRATIONS)


async def _prepare(engine: AIOEngine, prefix: str = "") -> None:
    for name, model in models_by_collection().items():
        await prepare_under(engine, model, prefix + name)


async def _drop_drafts(engine: AIOEngine) -> None:
    """What a restore that was cut has left."""
    for name in collections():
        await engine.database.drop_collection(_DRAFT + name)


async def _load(
    archive: ArchiveReader,
    engine: AIOEngine,
    uploads: Path,
    progress: Progress,
    prefix: str = "",
) -> None:
    """All that the archive holds, into empty collections and files."""
    known = collections()
    label = ""
    for entry in archive.entries():
        if isinstance(entry, Piece):
            if entry.collection not in known:
                raise BadArchive(f"this program knows no {entry.collection}")
            if label != entry.collection:
                label = entry.collection
                progress.begin(label, 0)
            await _insert(engine, prefix + entry.collection, entry.documents, progress)
        else:
            if label != UPLOADS:
                label = UPLOADS
                progress.begin(label, 0)
            write_new(uploads / entry.path, entry.content)
            progress.advance()


async def _insert(engine: AIOEngine, name: str, documents: bytes, progress: Progress) -> None:
    try:
        found = bson.decode_all(documents)
    except BSONError as error:
        raise BadArchive(f"documents of {name} cannot be read: {error}") from error
    for at in range(0, len(found), _BATCH):
        batch = found[at : at + _BATCH]
        await engine.database[name].insert_many(batch)
        progress.advance(len(batch))


async def _compare(
    archive: ArchiveReader, engine: AIOEngine, progress: Progress, prefix: str = ""
) -> None:
    """Reads back what was loaded; raises `BadArchive` where it is not what was written."""
    wanted = archive.manifest.get("collections")
    dump = LiveDump(engine)
    for name in collections():
        progress.begin(f"verify {name}", await dump.count(prefix + name))
        tally = await tally_of(dump, prefix + name, progress)
        if not isinstance(wanted, dict) or wanted.get(name, Tally().text) != tally.text:
            raise BadArchive(f"what was loaded into {name} is not what was backed up")
