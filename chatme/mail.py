"""Mail: letters by SMTP or, where there is no relay yet, into a folder.

A letter's header holds nothing that a stranger chose but the address it goes to, and of addresses
only those that stay one word. Python's email package unfolds encoded words (RFC 2047) in what it
is given and writes the line breaks that were hidden in them; so the names that users choose stay
out, and what was written is read again before it goes.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import make_msgid
from enum import Enum, auto
from pathlib import Path
from tempfile import mkstemp

import aiosmtplib
import structlog
from email_validator import EmailNotValidError, validate_email

from chatme.clock import Clock
from chatme.errors import Code, Unavailable
from chatme.ports import Letter, Mailer, Undeliverable
from chatme.relay import Mailbox, Relay
from chatme.settings import Settings

log = structlog.stdlib.get_logger("chatme.mail")

LOCAL_SENDER = Mailbox("ChatMe", "chatme", "localhost")


class Secrecy(Enum):
    """How a connection to a relay without TLS of its own (``smtp://``) is made secret."""

    LOCAL = auto()
    """By STARTTLS where it is offered, whatever the certificate: nobody stands in between."""
    OFFERED = auto()
    """By STARTTLS where it is offered, with a certificate that holds."""
    REQUIRED = auto()
    """By STARTTLS with a certificate that holds, or nothing is sent."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for one step of the protocol, for a letter, and between the attempts."""

    step: float = 10.0
    letter: float = 30.0
    pauses: tuple[float, ...] = (1.0, 5.0)


PATIENCE = Patience()


def open_mailer(settings: Settings, clock: Clock) -> Mailer:
    """What sends letters under these settings."""
    relay, sender = settings.smtp_url, settings.mail_from or LOCAL_SENDER
    if relay is None:
        return NoMailer() if settings.production else FolderMailer(settings.data_dir, sender, clock)
    return SmtpMailer(relay, sender, clock, secrecy_of(relay, settings.production))


def secrecy_of(relay: Relay, production: bool) -> Secrecy:
    """What a relay must offer before it gets a letter."""
    if relay.is_loopback:
        return Secrecy.LOCAL
    return Secrecy.REQUIRED if production else Secrecy.OFFERED


class NoMailer:
    """Stands where no mail can be sent."""

    def check(self) -> None:
        """Raises `Unavailable` (`mail_not_configured`)."""
        raise Unavailable("This server sends no mail.", code=Code.MAIL_NOT_CONFIGURED)

    async def send(self, letter: Letter) -> None:
        """Raises `Undeliverable`."""
        raise Undeliverable("mail is not configured")


class FolderMailer:
    """Writes each letter into ``mail`` in the data folder, for its owner's eyes only."""

    def __init__(self, data_dir: Path, sender: Mailbox, clock: Clock) -> None:
        self._folder = data_dir / "mail"
        self._sender = sender
        self._clock = clock

    def check(self) -> None:
        """Nothing is missing."""

    async def send(self, letter: Letter) -> None:
        """Writes the letter, whole or not at all; raises `Undeliverable`."""
        message = compose(letter, self._sender, self._clock)
        try:
            path = await asyncio.to_thread(self._write, message.as_bytes())
        except OSError as error:
            raise Undeliverable(f"{self._folder} cannot be written: {error.strerror}") from None
        log.info("mail was written to a file, as SMTP_URL is not set", path=str(path))

    def _write(self, content: bytes) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = mkstemp(prefix=".draft-", dir=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        name = f"{self._clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.eml"
        return Path(draft).rename(self._folder / name)


class SmtpMailer:
    """Hands letters to a relay, each over a connection of its own."""

    def __init__(
        self,
        relay: Relay,
        sender: Mailbox,
        clock: Clock,
        secrecy: Secrecy,
        patience: Patience = PATIENCE,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._relay = relay
        self._sender = sender
        self._clock = clock
        self._secrecy = secrecy
        self._patience = patience
        self._trust = trust

    def check(self) -> None:
        """Nothing is missing."""

    async def send(self, letter: Letter) -> None:
        """Sends the letter, again where the fault may pass; raises `Undeliverable`."""
        message = compose(letter, self._sender, self._clock)
        pauses = iter(self._patience.pauses)
        while True:
            try:
                return await self._attempt(message, wire_address(letter.to))
            except (aiosmtplib.SMTPException, OSError) as error:
                reason, may_pass = _judge(error)
                pause = next(pauses, None) if may_pass else None
            if pause is None:
                raise Undeliverable(reason)
            log.info("mail was not taken, and is sent again", reason=reason)
            await asyncio.sleep(pause)

    async def _attempt(self, message: EmailMessage, recipient: str) -> None:
        client = self._client()
        try:
            async with asyncio.timeout(self._patience.letter):
                await client.connect()
                await client.send_message(
                    message, sender=self._sender.address, recipients=[recipient]
                )
            # It is theirs now: a farewell that fails must not send it twice.
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        relay = self._relay
        by_command = True if self._secrecy is Secrecy.REQUIRED else None
        return aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.user,
            password=relay.password,
            # The machine's own name is a look-up away, which may hang.
            local_hostname=self._sender.domain,
            timeout=self._patience.step,
            use_tls=relay.tls,
            start_tls=False if relay.tls else by_command,
            validate_certs=self._secrecy is not Secrecy.LOCAL,
            tls_context=self._trust,
        )


def compose(letter: Letter, sender: Mailbox, clock: Clock) -> EmailMessage:
    """The letter as it is sent; raises `Undeliverable` for what would not stay in its field."""
    recipient = wire_address(letter.to)
    user, _, domain = recipient.rpartition("@")
    message = EmailMessage(policy=WIRE.clone(utf8=not recipient.isascii()))
    try:
        message["From"] = Address(sender.name, sender.user, sender.domain)
        message["To"] = Address(username=user, domain=domain)
        message["Subject"] = letter.subject
    except ValueError:
        raise Undeliverable("a field holds what no header can") from None
    message["Date"] = clock.now().replace(tzinfo=UTC)
    message["Message-ID"] = make_msgid(domain=sender.domain)
    # RFC 3834: nobody's holiday answers this.
    message["Auto-Submitted"] = "auto-generated"
    # As it is, so that a link can be copied from the file.
    plain = letter.text.isascii()
    message.set_content(letter.text, cte="7bit" if plain else "quoted-printable")
    if message_from_bytes(message.as_bytes()).keys() != message.keys():
        raise Undeliverable("a field holds more than one line")
    return message


def wire_address(address: str) -> str:
    """The address as relays know it, an international domain in ASCII; raises `Undeliverable`."""
    try:
        found = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise Undeliverable("the address is none") from None
    if "=?" in found.normalized:
        raise Undeliverable("the address is an encoded word")
    return found.ascii_email or found.normalized


def _judge(error: Exception) -> tuple[str, bool]:
    """What went wrong in words for the log, and whether it may pass.

    A relay's own words are left out: they may quote the letter, and with it the link.
    """
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    name = type(error).__name__
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{name} {error.code}", 400 <= error.code < 500
    return f"{name}: {error}".removesuffix(": "), isinstance(error, OSError)
