"""Where mail cannot go, or not yet: the server does all else, and says what is missing."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

from chatme_tests.client import PASSWORD, signed_up
from chatme_tests.postbox import HOST, Postbox, closed_port, token_in
from chatme_tests.server import Server

NEW = "Battery-Staple-8"
PRODUCTION = {
    "APP_ENV": "production",
    "PASSWORD_COST": "12",
    "JWT_SECRET": "a" * 32,
    "JWT_REFRESH_SECRET": "b" * 32,
}


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- another process, or another thread
            await asyncio.sleep(0.01)


async def test_a_relay_that_is_down_fails_nothing(data: Path) -> None:
    """Without its relay the server registers and answers as ever, and only the log tells."""
    settings = {"SMTP_URL": f"smtp://ada:hunter2@{HOST}:{closed_port()}"}
    with Server(data, settings) as server:
        async with signed_up(server.url, "Ada Alone") as (ada,):
            asked = await ada.http.post("/auth/verify/request")
            forgot = await ada.http.post("/auth/password/forgot", json={"email": ada.email})
            await _until(lambda: "mail was not taken" in server.read_log())
        log = server.read_log()

    assert (asked.status_code, forgot.status_code) == (202, 202)
    assert "SMTPConnectError" in log
    assert "hunter2" not in log
    assert "token=" not in log


async def test_letters_go_before_the_end(data: Path) -> None:
    """A letter that waits for a busy relay is sent before the server ends."""
    with Postbox(replies=["451 Busy"]) as box, Server(data, box.setting) as server:
        async with signed_up(server.url, "Ada Last") as (ada,):
            await _until(lambda: box.attempts > 0)
        status = server.stop()
        letter = await box.letter_to(ada.email)

    assert status == 0
    assert letter.token


async def test_without_a_relay_letters_are_files(data: Path) -> None:
    """In development the letter is a file for its owner alone, which the log names."""
    with Server(data) as server:
        async with signed_up(server.url, "Ada Files") as (ada,):
            await _until(lambda: "mail was written" in server.read_log())
            (path,) = (data / "mail").glob("*.eml")
            token = token_in(path.read_text())
            done = await ada.http.post("/auth/verify", json={"token": token})
        log = server.read_log()

    assert done.status_code == 200
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in log
    assert token not in log


async def test_production_without_mail_says_so(data: Path) -> None:
    """In production without a relay the routes say that there is no mail, and all else works."""
    with Server(data, PRODUCTION) as server:
        async with signed_up(server.url, "Ada Prod") as (ada,):
            asked = await ada.http.post("/auth/verify/request")
            forgot = await ada.http.post("/auth/password/forgot", json={"email": ada.email})
            body = {"currentPassword": PASSWORD, "newPassword": NEW}
            changed = await ada.http.post("/auth/password/change", json=body)

    for each in (asked, forgot):
        assert (each.status_code, each.json()["code"]) == (503, "mail_not_configured")
    assert changed.status_code == 200
    assert not (data / "mail").exists()
