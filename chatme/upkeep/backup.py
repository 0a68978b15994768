"""A backup of a database and its uploads in one file, while the server runs.

Of the embedded database it is one moment. Of MongoDB, which has no such moment without a replica
set, each document is as it stood at some moment of the reading; what was there when it began is in
it, every conversation's log is a beginning without holes, and ``chatme check --repair`` makes the
rest of what it says agree. The uploads' files come after the database: what it names is there, or
was deleted since.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import bson

from chatme import __version__
from chatme.clock import Clock, timestamp
from chatme.settings import Settings
from chatme.storage.dump import Dump, open_dump
from chatme.storage.migrations import MIGRATIONS, SCHEMA, version_of
from chatme.storage.moves import MOVES, UnfinishedMove
from chatme.upkeep.archive import PIECE_BYTES, ArchiveWriter, writing_archive
from chatme.upkeep.files import UPLOADS, files_below
from chatme.upkeep.progress import Progress
from chatme.upkeep.stock import Tally, collections, order_of


async def back_up(settings: Settings, path: Path, clock: Clock, progress: Progress) -> None:
    """Writes a backup to a file that must not be there yet.

    Raises `DatabaseError`, also for half a database, and `OSError` where it cannot be written.
    """
    async with open_dump(settings) as dump:
        async for page in dump.pages(MOVES):
            raise UnfinishedMove(str(bson.decode(page[0])["what"]))
        with writing_archive(path) as archive:
            archive.begin(
                {
                    "version": __version__,
                    "begunAt": timestamp(clock.now()),
                    "isOneMoment": dump.is_one_moment,
                    "schema": await _schema(dump),
                }
            )
            tallies = {
                name: (await _add_collection(dump, name, archive, progress)).text
                for name in collections()
            }
            files = _add_files(settings.data_dir / UPLOADS, archive, progress)
            archive.finish({"collections": tallies, "files": files})


async def _schema(dump: Dump) -> int:
    """How many changes the database has had."""
    found = [bson.decode(each) async for page in dump.pages(SCHEMA) for each in page]
    return version_of(found[0] if found else None, MIGRATIONS)


async def _add_collection(
    dump: Dump, name: str, archive: ArchiveWriter, progress: Progress
) -> Tally:
    progress.begin(name, await dump.count(name))
    tally, piece = Tally(), bytearray()
    async for page in dump.pages(name, order_of(name)):
        for document in page:
            tally.add(document)
            piece += document
            if len(piece) >= PIECE_BYTES:
                archive.add_documents(name, bytes(piece))
                piece.clear()
        progress.advance(len(page))
    if piece:
        archive.add_documents(name, bytes(piece))
    return tally


def _add_files(folder: Path, archive: ArchiveWriter, progress: Progress) -> int:
    """All finished files below the folder; how many."""
    progress.begin("files", sum(1 for _ in files_below(folder)))
    count = 0
    for path in files_below(folder):
        with suppress(FileNotFoundError), path.open("rb") as file:  # deleted since
            count += archive.add_file(path.relative_to(folder).as_posix(), file)
        progress.advance()
    return count
