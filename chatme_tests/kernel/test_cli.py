"""The command line: what it says, and with which status it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chatme import __version__
from chatme.cli import main

ROOT = Path(__file__).parents[2]
NAMES = ("APP_ENV", "NODE_ENV", "PORT", "HOST", "DATA_DIR", "MONGODB_URI", "LOG_LEVEL")
SECRETS = ("JWT_SECRET", "JWT_REFRESH_SECRET", "JWT_EXPIRES_IN", "FRONTEND_URL")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An empty configuration, without this machine's variables and ``.env``."""
    monkeypatch.chdir(tmp_path)
    for name in (*NAMES, *SECRETS, "PASSWORD_COST"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def _serve(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A server that cannot serve, run to its end."""
    given = {"PATH": os.environ["PATH"], "APP_ENV": "test", "PORT": "0", "DATA_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "chatme", "serve"],
        cwd=ROOT,
        env={**given, **settings},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` says which version it is, and ends well."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"chatme {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["dance"], ["serve", "now"], ["serve", "--fast"]])
def test_an_unknown_command_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """What is no command ends with 2 and says on stderr what there is."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()

    assert ended.value.code == 2
    assert said.out == ""
    assert "usage: chatme" in said.err


def test_all_faults_are_told_at_once(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A faulty configuration ends with 2, and each fault has its line on stderr."""
    environment.setenv("PORT", "banana")
    environment.setenv("LOG_LEVEL", "loud")
    environment.setenv("FRONTEND_URL", "chat.example.org")
    environment.setenv("JWT_SECRET", "hush" * 10)
    environment.setenv("JWT_REFRESH_SECRET", "hush" * 10)
    status = main(["serve"])
    said = capsys.readouterr()
    head, *lines = said.err.splitlines()

    assert status == 2
    assert (said.out, head) == ("", "The configuration is faulty:")
    assert sorted(line.split()[1] for line in lines) == [
        "FRONTEND_URL",
        "JWT_SECRET",
        "LOG_LEVEL",
        "PORT",
    ]
    assert all(line.startswith("  - ") for line in lines)
    assert "hush" not in said.err


def test_production_forgives_nothing(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In production a secret that is missing or short is a fault, and none is made up."""
    environment.setenv("NODE_ENV", "production")
    environment.setenv("JWT_SECRET", "short")
    status = main(["serve"])
    said = capsys.readouterr().err

    assert status == 2
    assert "JWT_SECRET must have at least 32 bytes" in said
    assert "JWT_REFRESH_SECRET must be set in production" in said
    assert not Path("data").exists()


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """Where another program listens the process ends with 1, in words, and opens nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = _serve(tmp_path / "data", PORT=port)

    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data" / "chatme.db").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"HOST": "999.1.1.1"}, "cannot listen on 999.1.1.1"),
        ({"MONGODB_URI": "mongodb://ada:secret@localhost:99999/"}, "MONGODB_URI cannot be read"),
    ],
)
def test_a_failed_start_is_told(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    """Whatever keeps the server from serving is one line of words, and the status is 1."""
    ended = _serve(tmp_path / "data", **settings)

    assert ended.returncode == 1
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr


def test_a_foreign_database_file_is_told(tmp_path: Path) -> None:
    """A database file that is none of ours is named in words, and the status is 1."""
    (tmp_path / "chatme.db").write_bytes(b"not a database at all " * 100)
    ended = _serve(tmp_path)

    assert ended.returncode == 1
    assert "chatme.db cannot be opened" in ended.stderr
    assert "Traceback" not in ended.stderr
