"""The uploads' files of a data folder, taken and put back as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

UPLOADS = "uploads"
_ASIDE = ".restore-"
_DRAFT = ".draft"
_BLOCK = 1024 * 1024


class Readable(Protocol):
    """What can be read piece by piece."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; none at the end."""
        ...


def files_below(folder: Path) -> Iterator[Path]:
    """Every plain file below a folder, in order; no links are followed."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(here, name)
            if path.is_file() and not path.is_symlink():
                yield path


@contextmanager
def aside(data: Path) -> Iterator[Path]:
    """A folder of one's own in the data folder, removed in the end; so are those of before."""
    for old in data.glob(f"{_ASIDE}*"):
        shutil.rmtree(old)
    folder = Path(mkdtemp(prefix=_ASIDE, dir=data))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def write_new(path: Path, content: Readable) -> None:
    """A new file for its owner alone; when this returns it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        shutil.copyfileobj(content, file, _BLOCK)
        file.flush()
        os.fsync(file.fileno())


def install_files(source: Path, target: Path) -> None:
    """Puts every file into its place as well, in one step each.

    Until the database that names it is there too, it is nobody's.
    """
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in files_below(source):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = place.with_name(f".{place.name}{_DRAFT}")
        draft.unlink(missing_ok=True)
        try:
            os.link(path, draft)
        except OSError:  # another disk, or one that knows no links
            with path.open("rb") as content:
                write_new(draft, content)
        draft.replace(place)
        draft.unlink(missing_ok=True)  # two names of one file: renaming leaves both


def remove_other_files(source: Path, target: Path) -> None:
    """Removes what is not in the source: of a database that was replaced, the files go with it."""
    for path in files_below(target):
        if not (source / path.relative_to(target)).exists():
            path.unlink()
