"""A line at the terminal."""

from __future__ import annotations

import io

from chatme.upkeep.progress import Progress, line


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_a_terminal_sees_a_bar_that_goes_away() -> None:
    """Each part has its line, written over the one before, and in the end there is none."""
    terminal = Terminal()
    with Progress(terminal) as progress:
        progress.begin("users", 2)
        progress.advance(2)
        progress.begin("messages", 3)
    drawn = terminal.getvalue().split("\r\x1b[K")

    assert drawn[1] == line("users", 0, 2)
    assert drawn[-2:] == [line("messages", 0, 3), ""]


def test_a_pipe_sees_nothing() -> None:
    """Where nobody looks nothing is written."""
    pipe = io.StringIO()
    with Progress(pipe) as progress:
        progress.begin("users", 2)
        progress.advance(2)
        progress.clear()

    assert pipe.getvalue() == ""


def test_a_line_says_how_far_it_is() -> None:
    """Half is half a bar, and an estimate that was too small, or nothing, is never over all."""
    assert line("messages", 500, 1000) == f"messages         {'█' * 15}{'░' * 15}  50% 500/1,000"
    assert line("messages", 3, 2).endswith(" 100% 3/3")
    assert line("messages", 3, 0).endswith(" 100% 3/3")
