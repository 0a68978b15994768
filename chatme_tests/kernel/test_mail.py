"""Mail over a real socket: it arrives as it is meant, secretly where it must, or it is told why."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chatme.errors import Unavailable
from chatme.mail import (
    FolderMailer,
    NoMailer,
    Patience,
    Secrecy,
    compose,
    open_mailer,
    secrecy_of,
    wire_address,
)
from chatme.ports import Letter, Undeliverable
from chatme.relay import Relay
from chatme_tests.fakes import SOMETIME, FrozenClock, settings_of
from chatme_tests.postbox import (
    HOST,
    LETTER,
    LINK,
    SENDER,
    Postbox,
    babbling,
    closed_port,
    mailer_to,
    refused,
)

HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
    *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
}


async def test_a_letter_arrives_as_it_was_written() -> None:
    """A relay gets one recipient, the fields of a machine's letter, and the link in one piece."""
    with Postbox() as box:
        await mailer_to(box.port).send(LETTER)
        (received,) = box.received

    message = received.message
    assert (received.sender, received.recipients) == ("chat@example.org", ("ada@example.com",))
    assert set(message.keys()) == HEADERS
    assert (message["From"], message["To"]) == ("ChatMe <chat@example.org>", "ada@example.com")
    assert message["Date"].datetime == SOMETIME.replace(tzinfo=UTC)
    assert message["Auto-Submitted"] == "auto-generated"
    assert LINK.encode() in received.raw
    assert received.text.replace("\r\n", "\n") == LETTER.text


@pytest.mark.parametrize(
    ("address", "at_the_relay"),
    [
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("zoë@bücher.example", "zoë@bücher.example"),
        ("o'hara+chat@example.com", "o'hara+chat@example.com"),
    ],
)
async def test_addresses_of_all_tongues_get_their_letters(address: str, at_the_relay: str) -> None:
    """A foreign domain goes in ASCII, and a foreign name as it is (RFC 6531)."""
    with Postbox() as box:
        await mailer_to(box.port).send(Letter(address, "Confirm", "Grüße\n"))
        (received,) = box.received

    assert received.recipients == (at_the_relay,)
    assert received.text.strip() == "Grüße"


@pytest.mark.parametrize(
    "address",
    [
        *("", "ada", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com, eve@example.com"),
        *("ada@example.com> RCPT TO:<eve@example.com", '"a\r\nBcc: eve@x.org"@example.com'),
        *("Ada <ada@example.com>", "ada@example.com\x00", "ada\u2028@example.com"),
        "=?utf-8?q?a=0d=0abcc=3a_eve=40x.org?=@example.com",
        "=?utf-8?q?eve?=@example.com",
    ],
)
async def test_no_address_is_more_than_one(address: str) -> None:
    """What is no address, or would be read as another one, gets nothing and reaches no relay."""
    with Postbox() as box:
        with pytest.raises(Undeliverable):
            await mailer_to(box.port).send(Letter(address, "Confirm", "Hello.\n"))
        with pytest.raises(Undeliverable):
            wire_address(address)

    assert (box.attempts, box.received) == (0, [])


@pytest.mark.parametrize(
    "subject",
    [
        "Confirm\r\nBcc: eve@example.com",
        "Confirm\nBcc: eve@example.com",
        "Confirm\u2028Bcc: eve@example.com",
        "=?utf-8?q?a=0D=0ABcc:_eve@x.org?=",
        "ü" * 60 + "=?utf-8?q?a=0ABcc:_eve@x.org?=",
    ],
)
def test_no_field_becomes_two(subject: str) -> None:
    """A line break, plain or hidden in an encoded word, never gets into a header."""
    with pytest.raises(Undeliverable):
        compose(Letter("ada@example.com", subject, "Hello.\n"), SENDER, FrozenClock())


async def test_what_may_pass_is_tried_again() -> None:
    """After silence and a temporary refusal a letter is taken by the third attempt, once."""
    with Postbox(replies=["", "451 Busy"]) as box:
        await mailer_to(box.port).send(LETTER)

    assert (box.attempts, len(box.received)) == (3, 1)


async def test_three_attempts_are_all() -> None:
    """A relay that stays busy is left alone after the third attempt."""
    with Postbox(replies=["451 Busy"] * 9) as box:
        assert await refused(mailer_to(box.port)) == "SMTPDataError 451"

    assert (box.attempts, box.received) == (3, [])


async def test_a_lasting_refusal_is_tried_once() -> None:
    """What a relay refuses for good is not sent again, and its words, which may quote, are lost."""
    with Postbox(replies=[f"554 No {LINK[:60]}"]) as box, capture_logs() as logged:
        reason = await refused(mailer_to(box.port))

    assert (reason, box.attempts) == ("SMTPDataError 554", 1)
    assert "token" not in str(logged)


async def test_a_recipient_that_is_refused() -> None:
    """A relay that does not know the recipient is asked once, and only its number is told."""
    with Postbox() as box, pytest.raises(Undeliverable, match=r"^SMTPRecipientRefused 550$"):
        await mailer_to(box.port).send(Letter("nobody@example.com", "Confirm", "Hello.\n"))


@pytest.mark.parametrize(
    ("host", "in_development", "in_production"),
    [
        ("localhost", Secrecy.LOCAL, Secrecy.LOCAL),
        ("::1", Secrecy.LOCAL, Secrecy.LOCAL),
        ("mail.example.org", Secrecy.OFFERED, Secrecy.REQUIRED),
        ("10.0.0.1", Secrecy.OFFERED, Secrecy.REQUIRED),
    ],
)
def test_production_requires_tls(
    host: str, in_development: Secrecy, in_production: Secrecy
) -> None:
    """In production only a relay on this machine gets letters without a proven certificate."""
    relay = Relay(host, 587)

    assert secrecy_of(relay, production=False) is in_development
    assert secrecy_of(relay, production=True) is in_production


async def test_nobody_listens() -> None:
    """Where no relay is, the sender is told so after the attempts."""
    assert "SMTPConnectError" in await refused(mailer_to(closed_port()))


async def test_silence_costs_no_more_than_it_may() -> None:
    """A relay that takes the call and says nothing is left after the patience for a step."""
    patience = Patience(step=0.05, letter=1.0, pauses=())
    async with babbling(b"") as port, asyncio.timeout(5):
        reason = await refused(mailer_to(port, patience=patience))

    assert "Timeout" in reason


async def test_a_relay_that_drips_is_left() -> None:
    """A relay whose every step is in time and whose letter is not is left as well."""
    patience = Patience(step=60.0, letter=0.1, pauses=())
    async with babbling(b"220-more\r\n") as port, asyncio.timeout(5):
        assert await refused(mailer_to(port, patience=patience)) == "TimeoutError"


async def test_without_a_relay_mail_is_a_file(tmp_path: Path) -> None:
    """In development each letter is a file for its owner alone; the log names it, not the link."""
    mailer = FolderMailer(tmp_path / "data", SENDER, FrozenClock())
    mailer.check()
    with capture_logs() as logged:
        await asyncio.gather(*(mailer.send(LETTER) for _ in range(5)))
    files = sorted((tmp_path / "data" / "mail").iterdir())

    assert len(files) == 5
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
    assert {each.suffix for each in files} == {".eml"}
    message = message_from_bytes(files[0].read_bytes(), policy=default)
    assert message["To"] == "ada@example.com"
    assert LINK in files[0].read_text()
    assert {each["path"] for each in logged} == {str(each) for each in files}
    assert "token" not in str(logged)


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Where a file stands in the folder's place, the sender is told why."""
    (tmp_path / "mail").write_text("in the way")
    with pytest.raises(Undeliverable, match="File exists"):
        await FolderMailer(tmp_path, SENDER, FrozenClock()).send(LETTER)


async def test_without_mail_callers_are_told() -> None:
    """Where mail is not configured, a caller is told so before anything is done."""
    with pytest.raises(Unavailable) as caught:
        NoMailer().check()
    with pytest.raises(Undeliverable):
        await NoMailer().send(LETTER)

    assert caught.value.code == "mail_not_configured"


async def test_the_settings_choose_the_mailer(tmp_path: Path) -> None:
    """A relay is used where it is set; without one development writes files, production nothing."""
    clock = FrozenClock()
    production = {"app_env": "production", "jwt_secret": "a" * 32, "jwt_refresh_secret": "b" * 32}
    production |= {"password_cost": 12, "mail_from": "ChatMe <chat@example.org>"}  # type: ignore[dict-item]
    with Postbox() as box:
        here = f"smtp://{HOST}:{box.port}"
        for more in ({}, production):
            settings = settings_of(tmp_path, smtp_url=here, **more)
            await open_mailer(settings, clock).send(LETTER)

    assert [each.sender for each in box.received] == ["chatme@localhost", "chat@example.org"]
    assert isinstance(open_mailer(settings_of(tmp_path), clock), FolderMailer)
    assert isinstance(open_mailer(settings_of(tmp_path, **production), clock), NoMailer)
