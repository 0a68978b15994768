"""The postman: nobody waits for a letter, a bounded number wait, and all go before the end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from chatme.auth.postman import AT_ONCE, Postman
from chatme.errors import Unavailable
from chatme.mail import NoMailer
from chatme.ports import Letter, Undeliverable

LETTER = Letter("ada@example.com", "Hello", "https://example.org/?token=secret")


class GatedMailer:
    """A mailer that sends when its gate opens, and fails where it is told to."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.gate = asyncio.Event()
        self.sent: list[Letter] = []
        self.busy = self.busiest = 0
        self._fault = fault

    def check(self) -> None:
        """Nothing is missing."""

    async def send(self, letter: Letter) -> None:
        """Waits for the gate, then keeps the letter."""
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await self.gate.wait()
        finally:
            self.busy -= 1
        if self._fault is not None:
            raise self._fault
        self.sent.append(letter)


async def _letter() -> Letter | None:
    return LETTER


async def _nothing() -> Letter | None:
    return None


async def _soon() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_letters_go_behind_the_caller() -> None:
    """A few letters at once are on their way, and the end waits for all of them."""
    mailer = GatedMailer()
    postman = Postman(mailer)
    for _ in range(20):
        postman.send(_letter)
    postman.send(_nothing)
    await _soon()
    assert (mailer.sent, mailer.busy) == ([], AT_ONCE)
    mailer.gate.set()
    await postman.aclose()

    assert mailer.sent == [LETTER] * 20
    assert mailer.busiest == AT_ONCE


async def test_a_bounded_number_waits() -> None:
    """What is too much is dropped without a word to the caller, and later ones go again."""
    mailer = GatedMailer()
    postman = Postman(mailer, max_waiting=10)
    with capture_logs() as logged:
        for _ in range(15):
            postman.send(_letter)
    mailer.gate.set()
    await _soon()
    postman.send(_letter)
    await postman.aclose()

    assert len(mailer.sent) == 11
    assert [each["event"] for each in logged] == ["too much mail waits: a letter is dropped"] * 5


async def test_the_end_does_not_wait_for_ever() -> None:
    """Letters that no relay takes are let go of at the end, and that is told."""
    mailer = GatedMailer()
    postman = Postman(mailer, closing=timedelta(milliseconds=20))
    for _ in range(6):
        postman.send(_letter)
    with capture_logs() as logged:
        await postman.aclose()

    assert (mailer.sent, mailer.busy) == ([], 0)
    assert [each["letters"] for each in logged] == [6]


@pytest.mark.parametrize(
    ("fault", "level"), [(Undeliverable("no relay"), "warning"), (ValueError("ours"), "error")]
)
async def test_a_failure_is_told_to_the_log(fault: Exception, level: str) -> None:
    """A letter that fails is in the log without what it says, and stops no other."""
    mailer = GatedMailer(fault)
    postman = Postman(mailer)
    mailer.gate.set()
    with capture_logs() as logged:
        for _ in range(AT_ONCE + 1):
            postman.send(_letter)
        await postman.aclose()

    assert [each["log_level"] for each in logged] == [level] * (AT_ONCE + 1)
    assert "token" not in str(logged)


async def test_the_mailer_says_whether_there_is_mail() -> None:
    """Where no mail can be sent the postman says so before a letter is written."""
    with pytest.raises(Unavailable):
        Postman(NoMailer()).check()
    Postman(GatedMailer()).check()
