"""Starts the stand-in server, runs the tests on it and stops it: see docs/mongodb.rst.

python -m chatme_tests.mongodb [--all] [--keep FILE] [pytest's arguments]
python -m chatme_tests.mongodb --serve [--port PORT] [--keep FILE]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from chatme_tests.mongodb.stand_in import StandIn, fetch
from chatme_tests.server import ROOT

CHOSEN = (
    "conformance",
    "accounts",
    "conversations",
    "messages",
    "uploads",
    "notifications",
    "users",
    "auth/test_service.py",
    "auth/test_codes.py",
    "auth/test_identities.py",
    "auth/test_oauth.py",
    "storage/test_atomic.py",
    "storage/test_engine.py",
    "storage/test_moves.py",
    "kernel/test_wiring.py",
    "upkeep/test_backup.py",
    "upkeep/test_copying.py",
    "upkeep/test_restore.py",
    "flows/test_check.py",
    "flows/test_database_away.py",
    "flows/test_database_killed.py",
    "flows/test_database_slow.py",
    "flows/test_durability.py",
    "flows/test_operations.py",
    "flows/test_races.py",
    "flows/test_serve.py",
    "flows/test_talk.py",
)
"""The rooms that CI runs: what asks the database, and the flows that strain it most."""


def main() -> int:
    """Whether the tests were content; 0 as well where the server cannot be had, which is said."""
    parser = argparse.ArgumentParser(prog="scripts/test-mongodb", allow_abbrev=False)
    parser.add_argument("--all", action="store_true", help="the whole suite, not the chosen rooms")
    parser.add_argument("--serve", action="store_true", help="run no tests, until Ctrl-C")
    parser.add_argument("--port", type=int, default=0, help="where it listens; 0: a free port")
    parser.add_argument("--keep", type=Path, help="the file that keeps the data; else in memory")
    options, wanted = parser.parse_known_args()
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if missing:
        sys.stderr.write(f"{' and '.join(missing)} not found: nothing was tested on MongoDB.\n")
        return 0
    with StandIn(fetch(), port=options.port, keep=options.keep) as server:
        sys.stderr.write(f"{server.uri}\n")
        if options.serve:
            return server.wait()
        if not options.all and not any(Path(each.partition("::")[0]).exists() for each in wanted):
            wanted += [f"chatme_tests/{each}" for each in CHOSEN]
        return subprocess.run(
            [sys.executable, "-m", "pytest", *wanted],
            cwd=ROOT,
            env={**os.environ, "CHATME_TEST_MONGODB_URI": server.uri},
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
