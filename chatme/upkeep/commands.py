"""What an operator does to a whole database from the command line: ``backup`` and ``restore``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chatme.clock import SystemClock
from chatme.settings import Settings
from chatme.upkeep.archive import BadArchive
from chatme.upkeep.backup import back_up
from chatme.upkeep.progress import Progress
from chatme.upkeep.restore import TargetNotEmpty, restore

if TYPE_CHECKING:
    from argparse import _SubParsersAction

DONE, REFUSED = 0, 1
COMMANDS = frozenset({"backup", "restore"})
_NOT_ONE_MOMENT = "It was taken from MongoDB in use: run “chatme check --repair” before serving."


def add_upkeep_commands(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``backup`` and ``restore``."""
    taken = commands.add_parser("backup", help="write database and uploads to one file")
    taken.add_argument("file", type=Path, help="a file that is not there yet")
    put_back = commands.add_parser("restore", help="put a backup in the place of the database")
    put_back.add_argument("file", type=Path)
    put_back.add_argument("--force", action="store_true", help="replace what is there")


async def run_upkeep_command(settings: Settings, wanted: argparse.Namespace) -> int:
    """Runs one of them; returns the process's exit status."""
    with Progress() as progress:
        if wanted.command == "backup":
            return await _back_up(settings, wanted.file, progress)
        return await _restore(settings, wanted, progress)


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


def _say(progress: Progress, words: str) -> int:
    progress.clear()
    print(words)
    return DONE


def _refuse(progress: Progress, words: str) -> int:
    progress.clear()
    print(words, file=sys.stderr)
    return REFUSED
