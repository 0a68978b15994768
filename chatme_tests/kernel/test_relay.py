"""Tests for the relay and the sender as settings write them."""

from __future__ import annotations

import pytest

from chatme.relay import Mailbox, Relay, parse_mailbox, parse_relay


@pytest.mark.parametrize(
    ("text", "relay"),
    [
        ("smtp://mail.example.org", Relay("mail.example.org", 587)),
        (" smtp://Mail.Example.org:25/ ", Relay("mail.example.org", 25)),
        ("smtps://mail.example.org", Relay("mail.example.org", 465, tls=True)),
        ("smtp://ada:p%40ss%2F%3A%20@[::1]:2525", Relay("::1", 2525, False, "ada", "p@ss/: ")),
        ("SMTPS://a%40b.org:pw@h:1", Relay("h", 1, True, "a@b.org", "pw")),
    ],
)
def test_a_relay_is_read(text: str, relay: Relay) -> None:
    """A relay has a host, the usual port unless one is named, and a user with a password."""
    assert parse_relay(text) == relay


@pytest.mark.parametrize(
    "text",
    [
        *("", "mail.example.org", "mail.example.org:587", "http://mail.example.org", "smtp://"),
        *("smtp://h:0", "smtp://h:65536", "smtp://h:x", "smtp://h/path", "smtp://h?tls=no"),
        *("smtp://h#x", "smtp://ada@h", "smtp://:hunter2@h", "smtp://ada:hunter2/x@h"),
        *("smtp://ada:hunter2%0d%0a@h", "smtp://a%00:hunter2@h", "smtp://[::1", "smtp://h h"),
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    """What is no relay is refused in words that hold no part of it."""
    with pytest.raises(ValueError, match=r"^must be smtp://") as caught:
        parse_relay(text)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_password_is_not_shown() -> None:
    """A relay in a log or a traceback does not show its password."""
    assert "hunter2" not in repr(parse_relay("smtp://ada:hunter2@mail.example.org"))


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        *(("localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True)),
        *(("10.0.0.1", False), ("localhost.example.org", False), ("127.0.0.1.example", False)),
    ],
)
def test_loopback_is_this_machine(host: str, is_loopback: bool) -> None:
    """Only names and addresses that never leave the machine are loopback."""
    assert Relay(host, 25).is_loopback is is_loopback


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("chat@example.org", Mailbox("", "chat", "example.org")),
        (" ChatMe <chat@example.org>\n", Mailbox("ChatMe", "chat", "example.org")),
        ('"Ada, Ltd." <a.b+c@localhost>', Mailbox("Ada, Ltd.", "a.b+c", "localhost")),
        ("Plaüsch <chat@example.org>", Mailbox("Plaüsch", "chat", "example.org")),
    ],
)
def test_a_sender_is_read(text: str, mailbox: Mailbox) -> None:
    """A sender is one address, with or without a name before it."""
    assert parse_mailbox(text) == mailbox
    assert mailbox.address == f"{mailbox.user}@{mailbox.domain}"


@pytest.mark.parametrize(
    "text",
    [
        *("", "chat", "@example.org", "chat@", "<>", "a@b.org, c@d.org", "Ada a@b.org"),
        *("Ada <a@b.org>\r\nBcc: c@d.org", "Ada\x00 <a@b.org>", "Ada <a@b.org> <c@d.org>"),
        *("=?utf-8?q?a=0D=0ABcc:_c@d.org?= <a@b.org>", "ü@example.org", "a@exämple.org"),
        *("Friends: a@b.org, c@d.org;", "Ada, Ltd. <a@b.org>", "Ada <a b@c.org>"),
    ],
)
def test_what_is_no_sender_is_refused(text: str) -> None:
    """Nothing, several addresses, and what hides a line break are no sender."""
    with pytest.raises(ValueError, match=r"^must be an address"):
        parse_mailbox(text)
