"""Runs Autobahn|Testsuite's core groups against an echo server; its argument is ``wstest``.

The server classes and their limits are those that ship, but for the size of a message: group 9
sends up to 16 MiB.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import cast

import uvloop
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from chatme.realtime.ready import EXTENSION, ReadyFrames, encode_text_frame
from chatme_tests.serving import serving

CASES = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "11.*")
COUNT = 301
GOOD = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})


async def echo(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Sends back text by ready frames and binary by the usual way."""
    assert scope["type"] == "websocket"
    frames = cast("ReadyFrames", scope["extensions"][EXTENSION])
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        data, text = message.get("bytes"), message.get("text")
        if text is not None:
            frames.write(encode_text_frame(text))
        elif data is not None and not frames.closing():
            await send({"type": "websocket.send", "bytes": data})


async def run(wstest: str, folder: Path) -> dict[str, dict[str, str]]:
    """The suite's verdict on each case."""
    async with serving(echo, ws_max_size=64 * 2**20) as server:
        spec = {
            "outdir": str(folder),
            "servers": [{"agent": "ChatMe", "url": f"ws://127.0.0.1:{server.port}"}],
            "cases": CASES,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        file = folder / "spec.json"
        file.write_text(json.dumps(spec), encoding="utf-8")
        suite = await asyncio.create_subprocess_exec(
            wstest, "-m", "fuzzingclient", "-s", str(file), stdout=sys.stderr, cwd=folder
        )
        if await suite.wait() != 0:
            sys.exit("wstest itself failed")
    verdicts = json.loads((folder / "index.json").read_text(encoding="utf-8"))["ChatMe"]
    return cast("dict[str, dict[str, str]]", verdicts)


def judge(verdicts: dict[str, dict[str, str]]) -> int:
    """Tells the counts and each failure; 1 unless every case is there and good."""
    bad = [
        f"{case}: {verdict['behavior']}, closing {verdict['behaviorClose']}"
        for case, verdict in verdicts.items()
        if not {verdict["behavior"], verdict["behaviorClose"]} <= GOOD
    ]
    counts = Counter(verdict["behavior"] for verdict in verdicts.values())
    told = ", ".join(f"{count} {behaviour}" for behaviour, count in counts.most_common())
    good = len(verdicts) - len(bad)
    sys.stdout.write("\n".join([*bad, f"Autobahn: {good} of {COUNT} cases pass ({told})", ""]))
    return 0 if good == COUNT else 1


def main() -> int:
    """Runs the suite in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        return judge(uvloop.run(run(sys.argv[1], Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
