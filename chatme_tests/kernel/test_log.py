"""Tests for the logs: one form for all, and no secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr
from typing import Any

import pytest
import structlog

from chatme.log import configure_logging


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The process's logging is afterwards as it was before."""
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    before = root.handlers, root.level, access.disabled
    yield
    root.handlers, root.level, access.disabled = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logger(name: str = "chatme.test") -> Any:
    """A logger as the modules have it."""
    return structlog.stdlib.get_logger(name)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged, as JSON."""
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_lines_are_json_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Off a terminal each record is one JSON object on stderr, whatever is in it."""
    configure_logging("info")
    logger().info("it\nhappened", count=3, odd=object)
    (line,) = lines(capsys)

    assert (line["event"], line["count"]) == ("it\nhappened", 3)
    assert (line["level"], line["logger"]) == ("info", "chatme.test")
    assert line["timestamp"].endswith("Z")


def test_the_standard_librarys_records_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """A record of the standard library has the same form."""
    configure_logging("info")
    logging.getLogger("other").warning("%d of %s", 2, "them")
    (line,) = lines(capsys)

    assert (line["event"], line["level"], line["logger"]) == ("2 of them", "warning", "other")


@pytest.mark.parametrize("own", [True, False])
def test_a_fault_is_whole_on_one_line(own: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault's traceback is in its record."""
    configure_logging("info")
    try:
        raise ValueError("oh no")
    except ValueError:
        (logger() if own else logging.getLogger("other")).exception("failed")
    (line,) = lines(capsys)

    assert "Traceback" in line["exception"]
    assert "ValueError: oh no" in line["exception"]


def test_the_level_is_a_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    """Records below the level are not written."""
    configure_logging("warning")
    logger().info("quiet")
    logging.getLogger("other").info("quiet")
    logger().warning("loud")

    assert [line["event"] for line in lines(capsys)] == ["loud"]


@pytest.mark.parametrize(
    "name", ["token", "password", "content", "secret", "cookie", "authorization", "Password"]
)
def test_secrets_are_masked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A field with a secret's name is masked, in whatever case."""
    configure_logging("info")
    logger().info("signed in", **{name: "hunter2", "user": "u1"})
    (line,) = lines(capsys)

    assert line[name] == "***"
    assert line["user"] == "u1"


def test_what_is_bound_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """The context's fields are on every record of the task, and masked like its own."""
    configure_logging("info")
    with structlog.contextvars.bound_contextvars(request_id="r1", token="hunter2"):
        logger().info("own")
        logging.getLogger("other").info("theirs")
    found = lines(capsys)

    assert [(line["request_id"], line["token"]) for line in found] == [("r1", "***")] * 2


def test_uvicorns_request_lines_are_off(capsys: pytest.CaptureFixture[str]) -> None:
    """Request lines with their query string, which may hold a token, are not written."""
    configure_logging("info")
    logging.getLogger("uvicorn.access").info("GET /chat?token=hunter2")

    assert lines(capsys) == []


def test_a_terminal_gets_words() -> None:
    """On a terminal a record is for people, and still masked."""
    with redirect_stderr(Terminal()) as terminal:
        configure_logging("info")
        logger("chatme.terminal").info("it happened", password="hunter2")

    assert "it happened" in terminal.getvalue()
    assert "hunter2" not in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_the_driver_tells_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """What pymongo tells in detail, such as the documents it writes, is not logged."""
    configure_logging("debug")
    logging.getLogger("pymongo.command").debug('{"insert": "messages", "content": "a whisper"}')
    logging.getLogger("pymongo.connection").warning("lost")

    assert [each["event"] for each in lines(capsys)] == ["lost"]
