"""Letters over TLS: nothing secret leaves where somebody could listen."""

from __future__ import annotations

import ssl

import pytest
import trustme
from structlog.testing import capture_logs

from chatme.mail import Secrecy
from chatme_tests.postbox import HOST, LETTER, Postbox, mailer_to, refused


def _trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize("secrecy", [Secrecy.OFFERED, Secrecy.REQUIRED])
async def test_tls_that_is_offered_is_taken(secrecy: Secrecy) -> None:
    """A password and a letter go over STARTTLS where the relay has a certificate that holds."""
    authority = trustme.CA()
    certificate, login = authority.issue_cert(HOST), ("ada", "hunter2")
    with Postbox(certificate=certificate, login=login) as box:
        mailer = mailer_to(box.port, secrecy, _trusting(authority), user="ada", password="hunter2")
        await mailer.send(LETTER)

    assert [(each.secret, each.user) for each in box.received] == [(True, "ada")]


async def test_tls_from_the_start() -> None:
    """A relay of ``smtps://`` is spoken to over TLS from the first byte."""
    authority = trustme.CA()
    with Postbox(certificate=authority.issue_cert(HOST), from_the_start=True) as box:
        await mailer_to(box.port, Secrecy.REQUIRED, _trusting(authority), tls=True).send(LETTER)

    assert [each.secret for each in box.received] == [True]


async def test_tls_that_is_required_and_not_offered() -> None:
    """Without the TLS that it must have, no letter and no password leaves."""
    with Postbox() as box:
        mailer = mailer_to(box.port, Secrecy.REQUIRED, user="ada", password="hunter2")
        assert "STARTTLS" in await refused(mailer)
        await mailer_to(box.port, Secrecy.OFFERED).send(LETTER)

    assert [each.secret for each in box.received] == [False]


@pytest.mark.parametrize("from_the_start", [False, True])
async def test_a_certificate_must_hold(from_the_start: bool) -> None:
    """A relay with somebody's own certificate gets nothing, unless it is on this machine."""
    stranger = trustme.CA().issue_cert(HOST)
    with Postbox(certificate=stranger, from_the_start=from_the_start) as box:
        for secrecy in (Secrecy.OFFERED, Secrecy.REQUIRED):
            assert await refused(mailer_to(box.port, secrecy, tls=from_the_start))
        assert box.received == []
        await mailer_to(box.port, Secrecy.LOCAL, tls=from_the_start).send(LETTER)

    assert [each.secret for each in box.received] == [True]


async def test_a_wrong_password_is_told_without_it() -> None:
    """A relay that knows another password is named as such, and the password is not."""
    authority = trustme.CA()
    with (
        Postbox(certificate=authority.issue_cert(HOST), login=("ada", "right")) as box,
        capture_logs() as logged,
    ):
        mailer = mailer_to(
            box.port, Secrecy.REQUIRED, _trusting(authority), user="ada", password="hunter2"
        )
        assert await refused(mailer) == "SMTPAuthenticationError 535"

    assert "hunter2" not in str(logged)
