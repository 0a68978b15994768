"""The uploads' files, as a whole."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from chatme.upkeep.files import aside, files_below, install_files, remove_other_files, write_new


def _tree(folder: Path) -> dict[str, str]:
    return {each.relative_to(folder).as_posix(): each.read_text() for each in files_below(folder)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with two files."""
    folder = tmp_path / "source"
    write_new(folder / "a" / "one", io.BytesIO(b"1"))
    write_new(folder / "two", io.BytesIO(b"2"))
    return folder


def test_links_are_not_followed(source: Path) -> None:
    """What lies elsewhere is no file of this folder, and a folder that is not there is empty."""
    (source / "link").symlink_to("/etc/hostname")
    (source / "folder").symlink_to("/etc")

    assert _tree(source) == {"a/one": "1", "two": "2"}
    assert _tree(source / "nothing") == {}


def test_files_take_their_places(source: Path, tmp_path: Path) -> None:
    """Files come where they belong, over older ones, and what is not of them stays till the end."""
    target = tmp_path / "target"
    write_new(target / "two", io.BytesIO(b"old"))
    write_new(target / "three", io.BytesIO(b"old"))
    install_files(source, target)
    before = _tree(target)
    remove_other_files(source, target)

    assert before == {"a/one": "1", "two": "2", "three": "old"}
    assert _tree(target) == _tree(source)
    install_files(source, target)
    assert _tree(target) == _tree(source)


def test_a_new_file_is_its_owner_s(source: Path) -> None:
    """A file is readable by its owner alone, and nothing is written over."""
    assert stat.S_IMODE((source / "two").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_new(source / "two", io.BytesIO(b"other"))


def test_a_folder_aside_goes_away(tmp_path: Path) -> None:
    """In the end it is gone with all in it, after an error too, and so is what a crash left."""
    left = tmp_path / ".restore-left"
    write_new(left / "file", io.BytesIO(b"x"))
    with aside(tmp_path) as folder:
        write_new(folder / "file", io.BytesIO(b"x"))
        assert not left.exists()
    with pytest.raises(ZeroDivisionError), aside(tmp_path) as folder:
        write_new(folder / "file", io.BytesIO(bytes(1 // 0)))

    assert list(tmp_path.iterdir()) == []
