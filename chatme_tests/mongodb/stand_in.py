"""mongo-java-server as a process of its own, on a free port of loopback."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from chatme_tests.server import ROOT

HERE = Path(__file__).parent
CACHE = ROOT / ".venv-mongodb"
"""Where its parts lie; beside the environments of the other tools."""


def fetch(cache: Path = CACHE) -> Path:
    """The folder with the server's parts, fetched by Maven where ``pom.xml`` has changed."""
    wanted, fetched = HERE / "pom.xml", cache / "pom.xml"
    if not (fetched.exists() and fetched.read_bytes() == wanted.read_bytes()):
        shutil.rmtree(cache, ignore_errors=True)  # no older part may stay beside a newer one
        command = ["mvn", "-B", "-q", "-C", "-f", str(wanted), "dependency:copy-dependencies"]
        place = [f"-DoutputDirectory={cache / 'lib'}", "-Dstyle.color=never"]
        subprocess.run([*command, *place], check=True)
        fetched.write_bytes(wanted.read_bytes())
    return cache / "lib"


class StandIn:
    """The server; `with` it. Its data is in memory, or in the file ``keep``."""

    def __init__(self, parts: Path, *, port: int = 0, keep: Path | None = None) -> None:
        self.uri = ""
        self._port = str(port)
        self._before = [
            "java",
            "-Xmx512m",
            "-Dslf4j.internal.verbosity=ERROR",
            "-cp",
            f"{parts}/*",
            str(HERE / "Main.java"),
        ]
        self._after = [] if keep is None else [str(keep.resolve())]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Starts it and returns when it listens; again, on the same port."""
        # It ends with its standard input, so it cannot outlive whoever started it.
        pipe = subprocess.PIPE
        command = [*self._before, self._port, *self._after]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line.isdigit():
            self._process.kill()
            raise RuntimeError(f"the server did not start: {line or 'it ended'}")
        self._port = line
        self.uri = f"mongodb://127.0.0.1:{line}"

    def kill(self) -> None:
        """Ends it at once (SIGKILL); what it had acknowledged is in the file that it keeps."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.communicate()

    def wait(self) -> int:
        """Waits until it is ended from outside, or by Ctrl-C."""
        assert self._process is not None
        try:
            return self._process.wait()
        except KeyboardInterrupt:
            return 0
