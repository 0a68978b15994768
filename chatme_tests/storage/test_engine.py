"""Opening the database: which one, for whom, and what is said of it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Model
from odmantic.config import ODMConfigDict

from chatme.clock import new_id
from chatme.storage import atomic
from chatme.storage.engine import (
    DatabaseError,
    database_name,
    describe,
    open_engine,
    ping,
    prepare,
    queues,
)
from chatme_tests.fakes import RecordingMeter, settings_of
from chatme_tests.plans import plan_of


class Note(Model):
    """Something to find again."""

    text: str

    model_config = ODMConfigDict(
        collection="notes", indexes=lambda: (atomic.index("text", name="text"),)
    )


def _modes(folder: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}


async def _indexes(engine: AIOEngine) -> dict[str, object]:
    return dict(await engine.get_collection(Note).index_information())


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("mongodb://localhost", "chatme"),
        ("mongodb://localhost/", "chatme"),
        ("mongodb://localhost:27017/talk", "talk"),
        ("mongodb://ada:secret@one:1,two:2,three/talk?replicaSet=rs", "talk"),
        ("mongodb://ada:secret@one/?authSource=admin", "chatme"),
        ("mongodb+srv://ada:secret@cluster.example.org/talk", "talk"),
        ("mongodb://[::1]:27017/talk", "talk"),
        ("mongodb://%2Ftmp%2Fmongodb-27017.sock/talk", "talk"),
        ("mongodb://localhost/my%2Dtalk", "my-talk"),
        ("mongodb://localhost/talk.notes", "talk"),
        ("mongodb://ada:se#cret@localhost/talk", "talk"),
    ],
)
def test_the_uri_names_the_database(uri: str, name: str) -> None:
    """What stands after the hosts is the database, as pymongo reads it; else it is ours."""
    assert database_name(uri) == name


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("mongodb://localhost", "MongoDB at localhost, database chatme"),
        ("mongodb://ada:secret@one:1,two:2/talk?w=1", "MongoDB at one:1,two:2, database talk"),
        ("mongodb+srv://ada:secret@c.example.org", "MongoDB at c.example.org, database chatme"),
        ("mongodb://ada:se#cret@localhost/talk", "MongoDB at localhost, database talk"),
        ("mongodb://ada:se%2Fcret@localhost/talk", "MongoDB at localhost, database talk"),
        ("mongodb://ada@localhost/talk", "MongoDB at localhost, database talk"),
        ("mongodb://[::1]:27017/talk", "MongoDB at [::1]:27017, database talk"),
    ],
)
def test_the_description_keeps_the_secret(tmp_path: Path, uri: str, words: str) -> None:
    """A database is named by its hosts, never by who signs in to it or how."""
    assert describe(settings_of(tmp_path, mongodb_uri=uri)) == words


def test_the_embedded_database_is_named_by_its_file(tmp_path: Path) -> None:
    """Without a URI the description says where the file lies, in full."""
    settings = settings_of(tmp_path, mongodb_uri=None)

    assert describe(settings) == f"embedded, in {tmp_path / 'chatme.db'}"


async def test_what_is_written_is_there_after_reopening(tmp_path: Path) -> None:
    """A database that is closed and opened again holds what was written."""
    settings = settings_of(tmp_path / "data")
    async with open_engine(settings) as engine:
        await ping(engine)
        await atomic.insert(engine, Note(id=new_id(), text="kept"))
    async with open_engine(settings) as engine:
        found = await engine.find(Note)

    assert [each.text for each in found] == ["kept"]
    with pytest.raises(DatabaseError):
        await ping(engine)


async def test_prepare_may_be_repeated(tmp_path: Path) -> None:
    """Indexes that are there stay as they are, in the same process and in the next."""
    settings = settings_of(tmp_path / "data")
    async with open_engine(settings) as engine:
        await prepare(engine, [Note])
        await atomic.insert(engine, Note(id=new_id(), text="kept"))
        first = await _indexes(engine)
        await prepare(engine, [Note])
        assert await _indexes(engine) == first
    async with open_engine(settings) as engine:
        await prepare(engine, [Note])
        assert await _indexes(engine) == first


async def test_a_prepared_index_is_used(tmp_path: Path) -> None:
    """A query of an indexed field is answered by the index."""
    async with open_engine(settings_of(tmp_path / "data")) as engine:
        await prepare(engine, [Note])
        plan = await plan_of(engine.get_collection(Note), {"text": "kept"})

    assert plan["index"] == "text"


async def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    """The data folder is its owner's alone, and so is every file of the database."""
    folder = tmp_path / "deep" / "data"
    async with open_engine(settings_of(folder, mongodb_uri=None)) as engine:
        await atomic.insert(engine, Note(id=new_id(), text="secret"))
        modes = _modes(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {"chatme.db", "chatme.db-wal", "chatme.db-shm", "chatme.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_a_second_opening_is_refused(tmp_path: Path) -> None:
    """Whoever comes second is told in words, and the first goes on."""
    settings = settings_of(tmp_path / "data", mongodb_uri=None)
    async with open_engine(settings) as engine:
        with pytest.raises(DatabaseError, match="in use by another process"):
            async with open_engine(settings):
                raise AssertionError("opened twice")
        await ping(engine)
    async with open_engine(settings) as engine:
        await ping(engine)


async def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    """A file that is no database of ours is a database error in words, and stays as it is."""
    file = tmp_path / "chatme.db"
    rubbish = b"not a database at all " * 100
    file.write_bytes(rubbish)
    with pytest.raises(DatabaseError, match="database"):
        async with open_engine(settings_of(tmp_path, mongodb_uri=None)):
            raise AssertionError("opened rubbish")

    assert file.read_bytes() == rubbish


async def test_a_uri_opens_motor(tmp_path: Path) -> None:
    """With a URI the engine is Motor's, on the named database, with journalled writes."""
    uri = "mongodb://127.0.0.1:1/talk?serverSelectionTimeoutMS=1"
    async with open_engine(settings_of(tmp_path, mongodb_uri=uri)) as engine:
        assert isinstance(engine.client, AsyncIOMotorClient)
        assert engine.database.name == "talk"
        assert engine.client.write_concern.document == {"w": "majority", "j": True}

    assert not (tmp_path / "chatme.db").exists()


async def test_no_wait_is_without_end(tmp_path: Path) -> None:
    """The pool is bounded, each wait has an end, and what a lost connection cut is tried again."""
    uri = "mongodb://127.0.0.1:1/talk"
    async with open_engine(settings_of(tmp_path, mongodb_uri=uri)) as engine:
        options: Any = engine.client.options
        pool = options.pool_options

        assert (options.server_selection_timeout, pool.wait_queue_timeout) == (2, 2)
        assert (pool.connect_timeout, pool.socket_timeout, pool.max_pool_size) == (2, 5, 50)
        assert (options.retry_writes, options.retry_reads) == (True, True)


async def test_the_uri_may_say_otherwise(tmp_path: Path) -> None:
    """The URI's own waits and pool count, in any case of letters; what an ack promises, and who
    is asked, stay."""
    weaker = "w=1&journal=false&readPreference=secondary&readConcernLevel=available"
    more = f"MaxPoolSize=7&sockettimeoutms=1000&retryWrites=false&{weaker}"
    uri = f"mongodb://127.0.0.1:1/talk?{more}"
    async with open_engine(settings_of(tmp_path, mongodb_uri=uri)) as engine:
        options: Any = engine.client.options
        pool = options.pool_options

        assert (pool.max_pool_size, pool.socket_timeout, options.retry_writes) == (7, 1, False)
        assert (pool.connect_timeout, options.retry_reads) == (2, True)
        assert engine.client.write_concern.document == {"w": "majority", "j": True}
        assert engine.client.read_preference.name == "Primary"
        assert engine.client.read_concern.document == {"level": "local"}


@pytest.mark.parametrize(
    "uri",
    ["postgres://localhost/talk", "mongodb://localhost:99999", "mongodb://[::1", "mongodb://"],
)
async def test_a_faulty_uri_is_a_database_error(tmp_path: Path, uri: str) -> None:
    """A URI that cannot be read is refused in words, like any trouble with the database."""
    with pytest.raises(DatabaseError):
        async with open_engine(settings_of(tmp_path, mongodb_uri=uri)):
            raise AssertionError("opened nothing")


async def test_the_embedded_database_is_metered(tmp_path: Path) -> None:
    """Each operation is counted under its name and collection, and its queues can be read."""
    meter = RecordingMeter()
    async with open_engine(settings_of(tmp_path, mongodb_uri=None), meter) as engine:
        things = engine.database["things"]
        await things.insert_one({"_id": 1})
        await things.find_one({"_id": 1})
        depths = {name: depth() for name, depth in queues(engine).items()}

    assert meter.told == [("asked", "insert", "things"), ("asked", "find", "things")]
    assert depths == {"database_reads": 0, "database_writes": 0}


async def test_a_mongodb_has_no_queues_of_ours(tmp_path: Path) -> None:
    """What waits for a MongoDB waits there."""
    async with open_engine(settings_of(tmp_path, mongodb_uri="mongodb://127.0.0.1:1")) as engine:
        assert queues(engine) == {}
