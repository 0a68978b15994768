"""Where the tests' databases are: in the data folders, or on a MongoDB server that is named.

With `CHATME_TEST_MONGODB_URI` every data folder has a database on that server that stands for it,
the same for as long as the folder is there: what is written is found again by the next process.
"""

from __future__ import annotations

import os
from pathlib import Path

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from chatme.storage.engine import EMBEDDED_FILE

MONGODB_URI = os.environ.get("CHATME_TEST_MONGODB_URI", "")
PREFIX = "chatme_test_"
_MARK = ".mongodb"


def uri_of(folder: Path, server: str = MONGODB_URI) -> str | None:
    """The `MONGODB_URI` for a data folder; None where the database lies in the folder itself."""
    if not server:
        return None
    mark = folder / _MARK
    if not mark.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.write_text(f"{PREFIX}{ObjectId()}")
        mark.chmod(0o600)
    return with_database(server, mark.read_text())


def with_database(uri: str, name: str) -> str:
    """A server's URI with the name of a database in it, whatever it named before."""
    hosts, _, options = uri.partition("?")
    scheme, _, rest = hosts.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{name}{'?' if options else ''}{options}"


def server_version(server: str = MONGODB_URI) -> str:
    """What the server says that it is."""
    with MongoClient[dict[str, object]](server) as client:
        return str(client.server_info()["version"])


def bytes_of(folder: Path, server: str = MONGODB_URI) -> bytes:
    """All that the database of a data folder holds, as it is kept; nothing may have it open."""
    if not server:
        return (folder / EMBEDDED_FILE).read_bytes()
    with MongoClient[RawBSONDocument](server, document_class=RawBSONDocument) as client:
        database = client[(folder / _MARK).read_text()]
        names = database.list_collection_names()
        return b"".join(each.raw for name in names for each in database[name].find())


def drop_below(folder: Path, server: str = MONGODB_URI) -> None:
    """Drops the databases of all data folders in a folder, itself included."""
    marks = list(folder.rglob(_MARK))
    if not marks:
        return
    with MongoClient[dict[str, object]](server) as client:
        for mark in marks:
            client.drop_database(mark.read_text())
            mark.unlink()
