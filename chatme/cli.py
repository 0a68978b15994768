"""The command line: ``chatme serve``, and what an operator does to accounts and the database."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Sequence

import structlog
import uvicorn
import uvloop

from chatme import __version__
from chatme.app import create_app
from chatme.console import add_account_commands, run_account_command
from chatme.http.server import ChatHttpProtocol
from chatme.log import configure_logging
from chatme.realtime.commands import HEARTBEAT_SECONDS
from chatme.realtime.endpoint import ChatEndpoint
from chatme.realtime.frames import MAX_FRAME_BYTES
from chatme.realtime.server import ChatWebSocketProtocol
from chatme.settings import Settings, SettingsError, load_settings
from chatme.storage.engine import DatabaseError, describe
from chatme.upkeep.commands import UPKEEP, add_upkeep_commands, run_upkeep_command
from chatme.wiring import open_services

FAULTY_SETTINGS = 2
FAILED = 1
SILENT_SECONDS = 20
DRAIN_SECONDS = 10
OPENING_SECONDS = 3

log = structlog.stdlib.get_logger("chatme")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="chatme", description="A self-hosted chat server.")
    parser.add_argument("--version", action="version", version=f"chatme {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve until SIGTERM")
    add_account_commands(commands)
    add_upkeep_commands(commands)
    wanted = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsError as error:
        print("The configuration is faulty:", file=sys.stderr)
        for fault in error.faults:
            print(f"  - {fault}", file=sys.stderr)
        return FAULTY_SETTINGS
    configure_logging(settings.log_level)
    if wanted.command == "serve":
        return _serve(settings)
    run = run_upkeep_command if wanted.command in UPKEEP else run_account_command
    try:
        return asyncio.run(run(settings, wanted))
    except (DatabaseError, OSError) as error:
        print(f"The database cannot be used: {error}", file=sys.stderr)
        return FAILED


def _serve(settings: Settings) -> int:
    # uvicorn drains on SIGTERM and SIGINT, then raises them again for whoever was there before:
    # us, for whom a drained server has ended well. One that comes before uvicorn listens to them
    # is not lost: the server then ends as soon as it is up.
    asked_to_end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_end.set())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(settings, asked_to_end))
    except (DatabaseError, OSError) as error:
        log.error("cannot serve", reason=str(error))
        return FAILED


async def serve(settings: Settings, asked_to_end: threading.Event) -> int:
    """Serves until a signal asks for the end, then drains; returns the exit status."""
    listener = _listen(settings.host, settings.port)
    async with open_services(settings, patient=True) as services:
        # Where the database is there, whoever waits for our first line finds all of it served.
        await asyncio.wait({services.opening}, timeout=OPENING_SECONDS)
        if services.opening.done():
            services.opening.result()
        config = uvicorn.Config(
            create_app(settings, services),
            http=ChatHttpProtocol,
            ws=ChatWebSocketProtocol,
            ws_max_size=MAX_FRAME_BYTES,
            ws_ping_interval=HEARTBEAT_SECONDS,
            ws_ping_timeout=SILENT_SECONDS,
            ws_per_message_deflate=False,
            proxy_headers=False,
            server_header=False,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        log.info(
            "ChatMe serves",
            url=_url(listener),
            database=describe(settings),
            data=str(settings.data_dir.resolve()),
            version=__version__,
        )
        server = _DrainingServer(config, services.chat)
        server.should_exit = asked_to_end.is_set()
        services.opening.add_done_callback(server.end_if_failed)
        await server.serve([listener])
        if services.opening.done():
            services.opening.result()
    log.info("ChatMe has stopped")
    return 0


class _DrainingServer(uvicorn.Server):
    """uvicorn's server, which sends every socket its slot to come back before it closes them."""

    def __init__(self, config: uvicorn.Config, chat: ChatEndpoint) -> None:
        super().__init__(config)
        self._chat = chat

    def end_if_failed(self, opening: asyncio.Task[None]) -> None:
        """Ends the server where the database can never be made ready."""
        if not opening.cancelled() and opening.exception() is not None:
            self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops listening, lets sockets go one by one, then drains what is left."""
        for server in self.servers:
            server.close()
        await self._chat.drain()
        await super().shutdown(sockets)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, made first, so that a port in use is known before anything is opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
