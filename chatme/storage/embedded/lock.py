"""One process for one file: a lock that the operating system drops however the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from chatme.storage.embedded.errors import DatabaseInUseError


class FileLock:
    """Holds `<database>.lock` from `acquire` to `release`.

    A lock of the file itself would meet SQLite's own; the second file stays behind, empty but
    for the number of the process that held it last.

    Args:
        database: the path of the database file.
    """

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._database = database
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            DatabaseInUseError: another client has it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise DatabaseInUseError(
                f"the database {self._database} is in use by another process"
                f"{f' (number {holder})' if holder else ''}; "
                "one ChatMe server at a time may have it open"
            ) from error
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
