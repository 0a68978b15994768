"""One process for one file."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chatme.storage.embedded.errors import DatabaseInUseError
from chatme.storage.embedded.lock import FileLock

HOLD = """
import pathlib, sys
from chatme.storage.embedded.lock import FileLock
FileLock(pathlib.Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_is_told(path: Path) -> None:
    """A second holder is refused in words, and may have the lock once it is released."""
    first, second = FileLock(path), FileLock(path)
    first.acquire()

    with pytest.raises(DatabaseInUseError, match=r"in use by another process \(number \d+\)"):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_the_lock_is_private(path: Path) -> None:
    """The lock's file is for its owner alone."""
    lock = FileLock(path)
    lock.acquire()
    mode = stat.S_IMODE(lock.path.stat().st_mode)
    lock.release()

    assert mode == 0o600


def test_a_killed_process_holds_nothing(path: Path) -> None:
    """The lock of a process that is killed is free at once."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(DatabaseInUseError):
            FileLock(path).acquire()
        process.kill()
        process.wait()
    lock = FileLock(path)
    lock.acquire()
    lock.release()
