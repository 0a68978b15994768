"""What an operator does to a whole database, as typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatme.storage.engine import open_engine
from chatme_tests.server import ROOT, Server
from chatme_tests.upkeep.house import House, furnish


def _chatme(data: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Runs one command over a data folder."""
    environment = {"PATH": os.environ["PATH"], "APP_ENV": "test", "DATA_DIR": str(data)}
    return subprocess.run(
        [sys.executable, "-m", "chatme", *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
async def house(tmp_path: Path) -> House:
    """A database with something in it."""
    return await furnish(tmp_path / "data")


def test_a_backup_goes_there_and_back(house: House, tmp_path: Path) -> None:
    """Backup, restore, and what is refused on the way, each in words with its status."""
    data, file, new = house.settings.data_dir, tmp_path / "backup", tmp_path / "new"
    made = _chatme(data, "backup", file)
    again = _chatme(data, "backup", file)
    nowhere = _chatme(data, "backup", tmp_path / "no" / "where")
    restored = _chatme(new, "restore", file)
    refused = _chatme(new, "restore", file)
    forced = _chatme(new, "restore", file, "--force")
    listed = _chatme(new, "list-users")
    missing = _chatme(new, "restore", tmp_path / "nothing", "--force")

    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout == f"{file} holds the database and the uploads.\n"
    assert again.returncode == nowhere.returncode == 1
    assert "is there already" in again.stderr
    assert "The backup cannot be written" in nowhere.stderr
    assert (restored.returncode, restored.stdout) == (0, f"{file} is restored.\n")
    assert refused.returncode == 1
    assert "is not empty. With --force it is replaced." in refused.stderr
    assert (forced.returncode, missing.returncode) == (0, 1)
    assert "Traceback" not in missing.stderr
    assert listed.stdout.count("@example.com") == 3


def test_a_copy_is_made_by_words(house: House, tmp_path: Path) -> None:
    """Folders are named, or URIs; what is refused is told in words, and no password with it."""
    data, new = house.settings.data_dir, tmp_path / "new"
    copied = _chatme(tmp_path, "copy", "--from", data, "--to", new)
    again = _chatme(tmp_path, "copy", "--from", data, "--to", new)
    nothing = _chatme(tmp_path, "copy", "--from", tmp_path / "no", "--to", new)
    bad = _chatme(tmp_path, "copy", "--from", data, "--to", "mongodb://ada:hush@localhost:99999/")
    itself = _chatme(data, "copy", "--from", data)
    configured = _chatme(tmp_path / "newer", "copy", "--from", data)

    assert (copied.returncode, copied.stderr) == (0, "")
    assert "documents are copied and compared" in copied.stdout
    assert again.stderr == "Nothing was copied: there is something in the target.\n"
    assert nothing.stderr == f"Nothing was copied: there is no database in {tmp_path / 'no'}.\n"
    assert "cannot be read" in bad.stderr
    assert "hush" not in bad.stderr
    assert "one and the same" in itself.stderr
    assert [each.returncode for each in (again, nothing, bad, itself)] == [1] * 4
    assert (configured.returncode, configured.stdout) == (0, copied.stdout)


def test_a_server_in_the_way_is_told(house: House, tmp_path: Path) -> None:
    """A backup is taken beside the server, a restore is not put under it."""
    data, file = house.settings.data_dir, tmp_path / "backup"
    with Server(data, embedded=True):
        made = _chatme(data, "backup", file)
        refused = _chatme(data, "restore", file, "--force")

    assert made.returncode == 0
    assert refused.returncode == 1
    assert "in use by another process" in refused.stderr


async def test_a_check_says_what_is_wrong(house: House, tmp_path: Path) -> None:
    """All is well, or each fault has its line, with status 1 until all are mended."""
    data = house.settings.data_dir
    well = _chatme(data, "check")
    async with open_engine(house.settings) as engine:
        activities = engine.database["activities"]
        await activities.update_one({"_id": house.group}, {"$set": {"seq": 3}})
    wrong = _chatme(data, "check")
    mended = _chatme(data, "check", "--repair")
    after = _chatme(data, "check", "--repair")
    nothing = _chatme(tmp_path / "no", "check")

    assert (well.returncode, well.stdout) == (0, "All is well.\n")
    assert wrong.returncode == 1
    assert wrong.stdout.startswith(f"conversation {house.group}: its activity says 3, ")
    assert wrong.stderr == "Faults: 1, mended: 0.\n"
    assert mended.returncode == 0
    assert mended.stdout.endswith(" (mended)\nFaults: 1, mended: 1.\n")
    assert (after.returncode, after.stdout) == (0, "All is well.\n")
    assert nothing.returncode == 1
    assert "there is no database" in nothing.stderr
