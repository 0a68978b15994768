"""Runs the benchmarks: `scripts/bench [--small] [NAME …]`; without a name, all of them."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType

from chatme_tests.bench import logins, search, storage

BENCHES: Mapping[str, Callable[..., Coroutine[None, None, None]]] = MappingProxyType(
    {"storage": storage.run, "logins": logins.run, "search": search.run}
)


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a quick run on less data")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHES):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    for name in arguments.names or BENCHES:
        asyncio.run(BENCHES[name](small=arguments.small))


if __name__ == "__main__":
    main()
