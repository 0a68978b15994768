"""What an operator does to accounts, as typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pyotp
import pytest

from chatme_tests.client import PASSWORD, sign_up
from chatme_tests.server import ROOT, Server, database_setting


def _chatme(
    data: Path, *words: str, typed: str = "", embedded: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs one command over a data folder."""
    environment = {
        "PATH": os.environ["PATH"],
        "APP_ENV": "test",
        "DATA_DIR": str(data),
        "PASSWORD_COST": "4",
        **({} if embedded else database_setting(data)),
    }
    return subprocess.run(
        [sys.executable, "-m", "chatme", *words],
        cwd=ROOT,
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def _login(url: str, email: str, password: str) -> httpx.Response:
    body = {"email": email, "password": password}
    return httpx.post(f"{url}/api/v1/auth/login", json=body, trust_env=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A fresh data folder's path."""
    return tmp_path / "data"


def test_an_admin_is_made_and_signs_in(data: Path) -> None:
    """A new admin can sign in with the typed password, and has no session before that."""
    made = _chatme(data, "create-admin", " Root@Example.com ", "--name", "Root", typed=PASSWORD)
    listed = _chatme(data, "list-users")
    with Server(data) as server:
        answer = _login(server.url, "root@example.com", PASSWORD)
        header = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
        url = f"{server.url}/api/v1/auth/sessions"
        sessions = httpx.get(url, headers=header, trust_env=False)

    assert (made.returncode, made.stdout) == (0, "root@example.com is an admin.\n")
    assert "admin  active       root@example.com  Root" in listed.stdout
    assert answer.json()["user"]["role"] == "admin"
    assert len(sessions.json()["items"]) == 1


async def test_a_password_is_reset_and_a_user_shut_out(data: Path) -> None:
    """A reset ends all sessions and the old password; a deactivated user is out altogether."""
    with Server(data) as server:
        user = await sign_up(server.url, "Ada Reset")
        server.stop()
        reset = _chatme(data, "reset-password", user.email, typed="Another-Horse-8\n")
        server.start()
        me = await user.http.get("/auth/me")
        old, new = (
            _login(server.url, user.email, each).status_code
            for each in (PASSWORD, "Another-Horse-8")
        )
        server.stop()
        shut_out = _chatme(data, "deactivate", user.email)
        server.start()
        after = _login(server.url, user.email, "Another-Horse-8")
        await user.aclose()

    assert (reset.returncode, shut_out.returncode) == (0, 0)
    assert (me.status_code, old, new) == (401, 401, 200)
    assert (after.status_code, after.json()["code"]) == (401, "invalid_credentials")


async def test_a_lost_second_factor_is_dropped(data: Path) -> None:
    """Who lost phone and codes signs in by the password again."""
    with Server(data) as server:
        user = await sign_up(server.url, "Ada Phoneless")
        secret = (await user.http.post("/auth/totp/enrol")).json()["secret"]
        code = pyotp.TOTP(secret).now()
        await user.http.post("/auth/totp/confirm", json={"code": code})
        asked = _login(server.url, user.email, PASSWORD)
        server.stop()
        dropped = _chatme(data, "disable-totp", user.email)
        server.start()
        plain = _login(server.url, user.email, PASSWORD)
        await user.aclose()

    assert set(asked.json()) == {"mfaToken"}
    assert dropped.returncode == 0
    assert "accessToken" in plain.json()


def test_faults_are_told_in_words(data: Path) -> None:
    """A weak password, an unknown user and a bad address each fail with a word."""
    weak = _chatme(data, "create-admin", "ada@example.com", typed="short")
    unknown = _chatme(data, "reset-password", "nobody@example.com", typed=PASSWORD)
    bad = _chatme(data, "deactivate", "nonsense")

    assert (weak.returncode, weak.stderr) == (1, "password must have at least 8 characters\n")
    assert unknown.returncode == 1
    assert "There is no user with the address nobody@example.com." in unknown.stderr
    assert bad.returncode == 2
    assert "is not an e-mail address" in bad.stderr


def test_a_database_in_use_is_said_so(data: Path) -> None:
    """While the server runs, the embedded database is its own."""
    with Server(data, embedded=True):
        refused = _chatme(data, "list-users", embedded=True)

    assert refused.returncode == 1
    assert "The database cannot be used" in refused.stderr
