"""Runs the benchmarks: `scripts/bench [--small]`."""

from __future__ import annotations

import argparse
import asyncio

from chatme_tests.bench import storage


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a quick run on less data")
    arguments = parser.parse_args()
    asyncio.run(storage.run(small=arguments.small))


if __name__ == "__main__":
    main()
