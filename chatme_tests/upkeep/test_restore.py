"""A backup becomes a database again, or nothing is changed."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
from pathlib import Path

import pytest

from chatme.settings import Settings
from chatme.storage.engine import DatabaseError, open_engine
from chatme.storage.moves import begin_move
from chatme.upkeep.archive import BadArchive
from chatme.upkeep.backup import back_up
from chatme.upkeep.progress import Progress
from chatme.upkeep.restore import TargetNotEmpty, restore
from chatme.wiring import open_services
from chatme_tests.fakes import FrozenClock, settings_of
from chatme_tests.upkeep.house import House, furnish, say
from chatme_tests.upkeep.places import ENGINES, content_of, indexes_of, place_of


@pytest.fixture
async def house(tmp_path: Path) -> House:
    """A database with something in it, and an upload."""
    made = await furnish(tmp_path / "house")
    picture = made.settings.data_dir / "uploads" / "ab" / "cd.webp"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"pixels")
    return made


@pytest.fixture
async def backup(house: House, tmp_path: Path) -> Path:
    """Its backup."""
    path = tmp_path / "backup.tar.gz"
    await back_up(house.settings, path, FrozenClock(), Progress())
    return path


async def _restore(path: Path, settings: Settings, *, force: bool = False) -> bool:
    return await restore(path, settings, Progress(), force=force)


def _files(settings: Settings) -> dict[str, bytes]:
    folder = settings.data_dir / "uploads"
    return {
        each.relative_to(folder).as_posix(): each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file()
    }


@pytest.mark.parametrize("kind", ENGINES)
async def test_all_is_there_again(house: House, backup: Path, kind: str, tmp_path: Path) -> None:
    """Documents, indexes and files are those of before, a server serves them, and numbers go on."""
    async with place_of(kind, tmp_path / "new") as settings:
        assert await _restore(backup, settings)
        assert await content_of(settings) == await content_of(house.settings)
        assert await indexes_of(settings) == await indexes_of(house.settings)
        async with open_services(settings) as services:
            await say(services, house.ada, house.group, "After")
            page = await services.conversations.listing.one(house.ada, house.group)

    assert page.seq == 13
    assert _files(settings) == {"ab/cd.webp": b"pixels"}


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_full_place_is_kept(house: House, backup: Path, kind: str, tmp_path: Path) -> None:
    """What is there is replaced by force alone, and then whole, its uploads included."""
    async with place_of(kind, tmp_path / "new") as settings:
        await _restore(backup, settings)
        async with open_services(settings) as services:
            await say(services, house.ada, house.group, "More")
        (settings.data_dir / "uploads" / "more.webp").write_bytes(b"more")
        before, files = await content_of(settings), _files(settings)
        with pytest.raises(TargetNotEmpty):
            await _restore(backup, settings)
        assert (await content_of(settings), _files(settings)) == (before, files)
        await _restore(backup, settings, force=True)

        assert await content_of(settings) == await content_of(house.settings)
        assert _files(settings) == {"ab/cd.webp": b"pixels"}


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_backup_leads_from_one_engine_to_another(
    house: House, backup: Path, kind: str, tmp_path: Path
) -> None:
    """What was backed up from either engine is restored into a file, and said to be of one moment
    where it is."""
    async with place_of(kind, tmp_path / "first") as settings:
        await _restore(backup, settings)
        await back_up(settings, tmp_path / "second.tar.gz", FrozenClock(), Progress())
    settings = settings_of(tmp_path / "second", mongodb_uri=None)
    is_one_moment = await _restore(tmp_path / "second.tar.gz", settings)

    assert is_one_moment is (kind == "embedded")
    assert await content_of(settings) == await content_of(house.settings)


async def test_uploads_alone_are_not_nothing(backup: Path, tmp_path: Path) -> None:
    """A folder with files of somebody's and no database is not written over either."""
    (tmp_path / "new" / "uploads").mkdir(parents=True)
    (tmp_path / "new" / "uploads" / "file").write_bytes(b"x")
    with pytest.raises(TargetNotEmpty):
        await _restore(backup, settings_of(tmp_path / "new", mongodb_uri=None))


async def test_a_database_in_use_is_refused(house: House, backup: Path) -> None:
    """While a server has the file nothing is replaced, by force neither."""
    async with open_engine(house.settings):
        with pytest.raises(DatabaseError, match="in use"):
            await _restore(backup, house.settings, force=True)


def _damage(path: Path, change: str) -> None:
    """Cuts or alters a backup, or writes it again as somebody who knows the format would."""
    whole = path.read_bytes()
    if change == "cut":
        path.write_bytes(whole[:-30])
    elif change == "bit":
        path.write_bytes(whole[:-500] + bytes([whole[-500] ^ 1]) + whole[-499:])
    else:
        _tamper(path, change)


def _tamper(path: Path, change: str) -> None:
    raw = gzip.decompress(path.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        entries = [(each, tar.extractfile(each)) for each in tar]
        read = [(each, file.read()) for each, file in entries if file is not None]
    with tarfile.open(path, "w:gz") as tar:
        for member, content in read:
            data = content
            if change == "tally" and member.name == "manifest.json":
                data = content.replace(b'"users": "3:', b'"users": "4:')
            if change == "schema" and member.name == "backup.json":
                data = content.replace(b'"schema": 0', b'"schema": 999')
            if change == "name":
                member.name = member.name.replace("database/users", "database/losers")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("change", ["cut", "bit", "tally", "name"])
@pytest.mark.parametrize("kind", ENGINES)
async def test_a_bad_backup_changes_nothing(
    house: House, backup: Path, kind: str, change: str, tmp_path: Path
) -> None:
    """Truncated, altered or wrongly counted, it is refused, and what was there stays as it was."""
    async with place_of(kind, tmp_path / "new") as settings:
        await _restore(backup, settings)
        before, files = await content_of(settings), _files(settings)
        _damage(backup, change)
        with pytest.raises(BadArchive):
            await _restore(backup, settings, force=True)

        assert (await content_of(settings), _files(settings)) == (before, files)
        assert list(settings.data_dir.glob(".restore*")) == []
        async with open_services(settings) as services:
            await say(services, house.ada, house.group, "Still here")


async def test_a_bad_backup_makes_nothing(backup: Path, tmp_path: Path) -> None:
    """In a fresh place nothing of a bad backup is left: no database, no files."""
    _damage(backup, "cut")
    with pytest.raises(BadArchive):
        await _restore(backup, settings_of(tmp_path / "new", mongodb_uri=None))

    left = {each.name for each in (tmp_path / "new").iterdir()}
    assert left == {"chatme.db.lock", "jwt_secret", "jwt_refresh_secret"}


@pytest.mark.parametrize("kind", ENGINES)
async def test_nobody_serves_half_a_database(
    house: House, backup: Path, kind: str, tmp_path: Path
) -> None:
    """Where collections were being put in place, no server starts before that is done."""
    async with place_of(kind, tmp_path / "new") as settings:
        async with open_engine(settings) as engine:
            await begin_move(engine, f"restore of {backup.name}")
        with pytest.raises(DatabaseError, match="not whole: a restore of backup"):
            async with open_services(settings):
                raise AssertionError("served half a database")
        # MongoDB's mark is of this very backup; a file's is of something else.
        await _restore(backup, settings, force=kind == "embedded")
        async with open_services(settings) as services:
            assert await services.users.by_id(house.ada) is not None


async def test_the_files_are_the_owner_s(backup: Path, tmp_path: Path) -> None:
    """Folder, database and uploads are readable by their owner alone."""
    settings = settings_of(tmp_path / "new", mongodb_uri=None)
    await _restore(backup, settings)
    paths = [settings.data_dir, *settings.data_dir.rglob("*")]

    assert len(paths) > 5
    for each in paths[:1] + [each for each in paths if each.is_file()]:
        assert stat.S_IMODE(each.stat().st_mode) & 0o077 == 0, each


@pytest.mark.parametrize("kind", ENGINES)
async def test_what_a_database_has_had_comes_along(house: House, kind: str, tmp_path: Path) -> None:
    """A restored database is as far changed as it was, and that of a newer program is refused."""
    path = tmp_path / "changed.tar.gz"
    async with open_engine(house.settings) as engine:
        await engine.database["schema"].insert_one(
            {"_id": "schema", "applied": [], "claim": None, "beats": 3}
        )
    await back_up(house.settings, path, FrozenClock(), Progress())
    async with place_of(kind, tmp_path / "new") as settings:
        await _restore(path, settings)
        assert await content_of(settings) == await content_of(house.settings)
        _damage(path, "schema")
        with pytest.raises(BadArchive, match="newer program"):
            await _restore(path, settings, force=True)
