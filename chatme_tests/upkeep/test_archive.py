"""The file of a backup, whole and damaged."""

from __future__ import annotations

import gzip
import io
import json
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from chatme.upkeep.archive import ArchiveReader, BadArchive, Piece, reading_archive, writing_archive

DOCUMENTS = b"\x05\x00\x00\x00\x00" * 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good backup."""
    (tmp_path / "picture").write_bytes(b"pixels" * 100)
    found = tmp_path / "backup.tar.gz"
    with writing_archive(found) as archive, (tmp_path / "picture").open("rb") as picture:
        archive.begin({"isOneMoment": True})
        archive.add_documents("users", DOCUMENTS)
        archive.add_documents("messages", DOCUMENTS)
        assert archive.add_file("ab/picture.webp", picture)
        assert not archive.add_file("../picture", picture)
        archive.finish({"collections": {"users": "3:1"}})
    return found


def _read(path: Path) -> list[tuple[str, bytes]]:
    with reading_archive(path) as archive:
        return _entries(archive)


def _entries(archive: ArchiveReader) -> list[tuple[str, bytes]]:
    return [
        (each.collection, each.documents)
        if isinstance(each, Piece)
        else (each.path, each.content.read())
        for each in archive.entries()
    ]


def _packed(path: Path, entries: Sequence[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, data in entries:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def _unpacked(path: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(path) as tar:
        found = []
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            found.append((member, content.read()))
        return found


def test_what_was_written_is_read(path: Path) -> None:
    """Pieces and files come back in order, with the facts of the beginning and of the end."""
    with reading_archive(path) as archive:
        entries = _entries(archive)

    assert entries == [
        ("users", DOCUMENTS),
        ("messages", DOCUMENTS),
        ("ab/picture.webp", b"pixels" * 100),
    ]
    assert archive.facts == {"format": 1, "isOneMoment": True}
    assert archive.manifest["collections"] == {"users": "3:1"}


def test_a_file_that_nobody_reads_is_checked_too(path: Path) -> None:
    """Entries that are passed over count for the hash like those that are read."""
    with reading_archive(path) as archive:
        kinds = [type(each).__name__ for each in archive.entries()]

    assert kinds == ["Piece", "Piece", "StoredFile"]
    assert archive.manifest


def test_a_backup_is_its_owner_s(path: Path) -> None:
    """A backup is readable by its owner alone, and no other file is left beside it."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == ["backup.tar.gz", "picture"]


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Cut by an error there is no file at all, and one that is there is not touched."""
    path = tmp_path / "backup.tar.gz"
    with pytest.raises(ZeroDivisionError), writing_archive(path) as archive:
        archive.add_documents("users", bytes(1 // 0))
    assert list(tmp_path.iterdir()) == []

    path.write_text("older")
    with pytest.raises(FileExistsError), writing_archive(path):
        raise AssertionError("written over")
    assert path.read_text() == "older"


def test_a_truncated_backup_is_refused(path: Path) -> None:
    """Cut at any byte it is no backup."""
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(BadArchive):
            _read(path)


def test_an_altered_backup_is_refused(path: Path) -> None:
    """One flipped bit anywhere is found, or changes nothing of what is read."""
    whole, wanted = path.read_bytes(), _read(path)
    found = 0
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 1 << place % 8
        path.write_bytes(altered)
        try:
            assert _read(path) == wanted
        except BadArchive:
            found += 1

    # A few bits of gzip's head, and of codes that are not used, mean nothing.
    assert found > len(whole) - 30


def test_what_is_added_or_left_out_is_refused(path: Path) -> None:
    """An entry too many, one too few, one swapped, each packed again faultlessly, is found."""
    entries = _unpacked(path)
    evil = tarfile.TarInfo("uploads/evil.html")
    variants = [
        entries[:1] + entries[2:],
        [*entries[:-1], (evil, b"<script>"), entries[-1]],
        [*entries, (evil, b"<script>")],
        [entries[0], entries[2], entries[1], *entries[3:]],
        entries[:-1],
        entries[1:],
        [],
    ]
    for each in variants:
        with pytest.raises(BadArchive):
            _read(_packed(path, each))


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "uploads/../../evil",
        "uploads//evil",
        "uploads/.hidden",
        "uploads/a/b/c/d/e/f/g",
        "database/users/evil",
        "database/../users/000001.bson",
        "chatme.db",
    ],
)
def test_a_foreign_name_is_refused(path: Path, name: str) -> None:
    """No entry leads out of its place, whatever the manifest says."""
    entries = _unpacked(path)
    with pytest.raises(BadArchive, match="does not belong"):
        _read(_packed(path, [entries[0], (tarfile.TarInfo(name), b"x"), *entries[1:]]))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_only_plain_files_are_taken(path: Path, kind: bytes) -> None:
    """A link, a folder or a pipe in a backup is refused before anything is made of it."""
    entries = _unpacked(path)
    link = tarfile.TarInfo("uploads/link")
    link.type, link.linkname = kind, "/etc/passwd"
    with pytest.raises(BadArchive, match="no plain file"):
        _read(_packed(path, [entries[0], (link, b""), *entries[1:]]))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (json.dumps({"format": 2}).encode(), "a newer program"),
        (b"[]", "cannot be read"),
        (b"{", "cannot be read"),
        (b" " * 2_000_000, "too large"),
    ],
)
def test_a_strange_beginning_is_refused(path: Path, head: bytes, words: str) -> None:
    """A backup of another format, or one that says nonsense of itself, is refused in words."""
    entries = _unpacked(path)
    with pytest.raises(BadArchive, match=words):
        _read(_packed(path, [(entries[0][0], head), *entries[1:]]))


@pytest.mark.parametrize("content", [b"", b"no archive", gzip.compress(b"no tar" * 500)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty file and other files are no backups."""
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(BadArchive):
        _read(path)
