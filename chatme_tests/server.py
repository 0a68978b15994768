"""The real server as a process of its own, started and stopped by tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from chatme_tests.databases import uri_of

ROOT = Path(__file__).parent.parent
START_SECONDS = 30


def database_setting(data: Path) -> dict[str, str]:
    """What a process is told of the database for a data folder."""
    uri = uri_of(data)
    return {} if uri is None else {"MONGODB_URI": uri}


class Server:
    """`chatme serve` over a data folder; `with` it. It picks a free port and keeps it.

    Where ``embedded``, on the embedded database, wherever those of other tests are.
    """

    def __init__(
        self, data: Path, settings: Mapping[str, str] | None = None, *, embedded: bool = False
    ) -> None:
        self.data = data
        self.url = ""
        self.log: list[str] = []
        self._port = "0"
        self.settings = {
            **({} if embedded else database_setting(data)),
            **(settings or {}),
        }
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.kill()

    @property
    def socket_url(self) -> str:
        """Where sockets connect."""
        return self.url.replace("http", "ws", 1) + "/chat"

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts the process and returns when it listens."""
        environment = {
            "PATH": os.environ["PATH"],
            "APP_ENV": "test",
            "DATA_DIR": str(self.data),
            "PORT": self._port,
            "PASSWORD_COST": "4",
            "RATE_LIMIT_SHORT": "",
            "RATE_LIMIT_LONG": "",
            "RATE_LIMIT_AUTH": "",
            **self.settings,
        }
        log_path = self.data.parent / f"{self.data.name}.log"
        self._log_path = log_path
        with log_path.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chatme", "serve"],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,  # else it would keep the tests' own pipe open
                stderr=log,
                text=True,
            )
        try:
            self.url = self._wait_for_url(log_path)
        except BaseException:
            self.kill()
            raise
        self._port = self.url.rpartition(":")[2]

    def kill(self) -> None:
        """Ends the process at once (SIGKILL), as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Asks the process to drain and end (SIGTERM); its exit status."""
        return self._end(signal.SIGTERM)

    def read_log(self) -> str:
        """All that the process has logged since it started."""
        return self._log_path.read_text()

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        process.send_signal(number)
        status = process.wait(30)
        self._process = None
        return status

    def _wait_for_url(self, log_path: Path) -> str:
        """Reads the log until the line that says where it serves; a server that ends, or takes
        too long, is a failure and never a wait without end."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None
            for line in log_path.read_text().splitlines():
                if '"ChatMe serves"' in line and line.endswith("}"):
                    return str(json.loads(line)["url"])
            if ended:
                break
            time.sleep(0.02)
        raise AssertionError(f"the server did not start:\n{log_path.read_text()}")
