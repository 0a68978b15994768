"""What an operator does to a whole database: ``backup``, ``restore``, ``copy``, ``check``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from chatme.clock import SystemClock
from chatme.settings import Settings
from chatme.upkeep.archive import BadArchive
from chatme.upkeep.backup import back_up
from chatme.upkeep.check.findings import Finding
from chatme.upkeep.check.run import NotCurrent
from chatme.upkeep.checking import check
from chatme.upkeep.copying import CopyDiffers, copy
from chatme.upkeep.progress import Progress
from chatme.upkeep.restore import TargetNotEmpty, restore

if TYPE_CHECKING:
    from argparse import _SubParsersAction

DONE, REFUSED = 0, 1
UPKEEP = frozenset({"backup", "restore", "copy", "check"})
_NOT_ONE_MOMENT = "It was taken from MongoDB in use: run “chatme check --repair” before serving."


def add_upkeep_commands(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``backup``, ``restore``, ``copy`` and ``check``."""
    taken = commands.add_parser("backup", help="write database and uploads to one file")
    taken.add_argument("file", type=Path, help="a file that is not there yet")
    put_back = commands.add_parser("restore", help="put a backup in the place of the database")
    put_back.add_argument("file", type=Path)
    put_back.add_argument("--force", action="store_true", help="replace what is there")
    moved = commands.add_parser("copy", help="copy a database into another, of either kind")
    looked = commands.add_parser("check", help="look for what cannot be in a database")
    looked.add_argument("--repair", action="store_true", help="mend what a crash may leave")
    looked.add_argument("--explain", action="store_true", help="name queries without an index")
    place = "a data folder, or MongoDB's URI; else the configured database"
    moved.add_argument("--from", dest="source", metavar="PLACE", help=place)
    moved.add_argument("--to", dest="target", metavar="PLACE", help=place)


async def run_upkeep_command(settings: Settings, wanted: argparse.Namespace) -> int:
    """Runs one of them; returns the process's exit status."""
    with Progress() as progress:
        if wanted.command == "backup":
            return await _back_up(settings, wanted.file, progress)
        if wanted.command == "restore":
            return await _restore(settings, wanted, progress)
        if wanted.command == "copy":
            return await _copy(settings, wanted, progress)
        return await _check(settings, wanted, progress)


async def _back_up(settings: Settings, path: Path, progress: Progress) -> int:
    try:
        await back_up(settings, path, SystemClock(), progress)
    except OSError as error:
        return _refuse(progress, f"The backup cannot be written: {error}")
    return _say(progress, f"{path} holds the database and the uploads.")


async def _restore(settings: Settings, wanted: argparse.Namespace, progress: Progress) -> int:
    try:
        is_one_moment = await restore(wanted.file, settings, progress, force=wanted.force)
    except TargetNotEmpty as error:
        return _refuse(progress, f"Nothing was changed: {error}. With --force it is replaced.")
    except (BadArchive, OSError) as error:
        return _refuse(progress, f"The backup was not restored: {error}")
    _say(progress, f"{wanted.file} is restored.")
    return DONE if is_one_moment else _say(progress, _NOT_ONE_MOMENT)


async def _copy(settings: Settings, wanted: argparse.Namespace, progress: Progress) -> int:
    source, target = (_settings_of(settings, each) for each in (wanted.source, wanted.target))
    try:
        count = await copy(source, target, progress)
    except (TargetNotEmpty, FileNotFoundError) as error:
        return _refuse(progress, f"Nothing was copied: {error}.")
    except CopyDiffers as error:
        return _refuse(progress, f"The copy is not whole: {error} Run it again.")
    words = f"{count:,} documents are copied and compared. The uploads' files stay where they are."
    return _say(progress, words)


async def _check(settings: Settings, wanted: argparse.Namespace, progress: Progress) -> int:
    def say(finding: Finding, mended: bool) -> None:
        _say(progress, f"{finding.words}{' (mended)' if mended else ''}")

    try:
        outcome = await check(settings, progress, say, repair=wanted.repair, explain=wanted.explain)
    except (NotCurrent, FileNotFoundError) as error:
        return _refuse(progress, f"Nothing was checked: {error}.")
    if not outcome.found:
        return _say(progress, "All is well.")
    words = f"Faults: {outcome.found:,}, mended: {outcome.mended:,}."
    return _say(progress, words) if outcome.mended >= outcome.found else _refuse(progress, words)


def _settings_of(settings: Settings, place: str | None) -> Settings:
    """The settings of the database at a place: a URI, a folder, or none for the configured one."""
    if place is None:
        return settings
    if "://" in place:
        return settings.model_copy(update={"mongodb_uri": SecretStr(place)})
    return settings.model_copy(update={"mongodb_uri": None, "data_dir": Path(place)})


def _say(progress: Progress, words: str) -> int:
    progress.clear()
    print(words)
    return DONE


def _refuse(progress: Progress, words: str) -> int:
    progress.clear()
    print(words, file=sys.stderr)
    return REFUSED
