"""A real SMTP server on a real socket, in a thread of its own, which keeps what it is given."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from chatme.mail import Patience, Secrecy, SmtpMailer
from chatme.ports import Letter, Undeliverable
from chatme.relay import Mailbox, Relay
from chatme_tests.fakes import FrozenClock

WAIT_SECONDS = 10
HOST = "127.0.0.1"
LINK = f"https://chat.example.org/verify?token={'t' * 300}"
LETTER = Letter("ada@example.com", "Confirm your address", f"Here:\n\n{LINK}\n")
SENDER = Mailbox("ChatMe", "chat", "example.org")
HASTE = Patience(step=1.0, letter=5.0, pauses=(0.01, 0.01))
_TOKEN = re.compile(r"https?://\S+\?token=(\S+)")


@dataclass(frozen=True)
class Received:
    """One letter as it arrived."""

    sender: str
    recipients: Sequence[str]
    raw: bytes
    secret: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        """The letter, parsed."""
        found = message_from_bytes(self.raw, policy=default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        """What the letter says."""
        return str(self.message.get_content())

    @property
    def token(self) -> str:
        """The token of the link that it holds."""
        return token_in(self.text)


def token_in(text: str) -> str:
    """The token of the one link in a text."""
    (found,) = _TOKEN.findall(text)
    return str(found)


@dataclass
class Postbox:
    """An SMTP server; `with` it.

    ``replies`` are its answers to letters, one after the other, before it takes one; an empty one
    is silence. ``certificate`` is for STARTTLS or, with ``from_the_start``, for the connection.
    """

    replies: list[str] = field(default_factory=list)
    certificate: trustme.LeafCert | None = None
    from_the_start: bool = False
    login: tuple[str, str] | None = None
    received: list[Received] = field(default_factory=list)
    attempts: int = 0
    port: int = 0
    _controller: Controller | None = None

    def __enter__(self) -> Self:
        context = None
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.certificate.configure_cert(context)
        options: dict[str, Any] = {}
        if context is not None:
            options["ssl_context" if self.from_the_start else "tls_context"] = context
        if self.login is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True}
        self._controller = _Listener(self, **options)
        self._controller.start()
        self.port = self._controller.port
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        assert self._controller is not None
        self._controller.stop()

    @property
    def setting(self) -> dict[str, str]:
        """What a server must be told to send its mail here."""
        return {"SMTP_URL": f"smtp://{HOST}:{self.port}"}

    async def letter_to(self, address: str, page: str = "") -> Received:
        """Waits for a letter to an address, with a link to that page."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:  # it lives in another thread
                for each in list(self.received):
                    if list(each.recipients) == [address] and page in each.text:
                        return each
                await asyncio.sleep(0.005)

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        """Takes every recipient but nobody."""
        if address.startswith("nobody@"):
            return "550 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        """Takes a letter, or answers what it was told to."""
        self.attempts += 1
        if self.replies:
            reply = self.replies.pop(0)
            if not reply:
                await asyncio.Event().wait()
            return reply
        assert isinstance(envelope.content, bytes)
        login = session.auth_data
        self.received.append(
            Received(
                envelope.mail_from or "",
                tuple(envelope.rcpt_tos),
                envelope.content,
                session.ssl is not None or self.from_the_start,
                login.login.decode() if isinstance(login, LoginPassword) else None,
            )
        )
        return "250 OK"

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _method: str, data: Any
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self.login, handled=False, auth_data=data)


class _Listener(Controller):
    """aiosmtpd's server in its thread, on a free port."""

    def __init__(self, handler: Postbox, **options: Any) -> None:
        self._connections: list[SMTP] = []
        self._listening = socket.create_server((HOST, 0))
        port = self._listening.getsockname()[1]
        super().__init__(handler, hostname=HOST, port=port, **options)

    def factory(self) -> SMTP:
        """The protocol of one more connection."""
        made = SMTP(self.handler, **self.SMTP_kwargs)
        self._connections.append(made)
        return made

    def cancel_tasks(self, stop_loop: bool = True) -> None:
        """Ends everything, connections included, which aiosmtpd leaves to the collector."""
        for each in self._connections:
            if each.transport is not None:
                each.transport.abort()  # type: ignore[attr-defined]
        super().cancel_tasks(stop_loop)

    def _create_server(self) -> Any:
        return self.loop.create_server(
            self._factory_invoker, sock=self._listening, ssl=self.ssl_context
        )


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def mailer_to(
    port: int,
    secrecy: Secrecy = Secrecy.LOCAL,
    trust: ssl.SSLContext | None = None,
    patience: Patience = HASTE,
    **relay: Any,
) -> SmtpMailer:
    """A hasty mailer to a port of this machine."""
    where = Relay(HOST, port, **relay)
    return SmtpMailer(where, SENDER, FrozenClock(), secrecy, patience, trust)


async def refused(mailer: SmtpMailer) -> str:
    """Why a letter is not sent."""
    try:
        await mailer.send(LETTER)
    except Undeliverable as error:
        return str(error)
    raise AssertionError("it was sent")


@asynccontextmanager
async def babbling(words: bytes) -> AsyncIterator[int]:
    """A server that says the same over and over, and listens to nothing; its port."""
    ended: asyncio.Queue[None] = asyncio.Queue(9)

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not over.is_set() and not writer.is_closing():
            writer.write(words)
            await asyncio.sleep(0.01)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        await ended.put(None)

    over = asyncio.Event()
    async with await asyncio.start_server(speak, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]
        over.set()
        await ended.get()
