"""The README's promises, as printed."""

from __future__ import annotations

import re
import subprocess

from chatme_tests.server import ROOT, Server


def test_the_first_conversation_works_as_printed(server: Server) -> None:
    """Copied and pasted, the README's first conversation ends with Bob reading Ada's words."""
    readme = (ROOT / "README.rst").read_text()
    section = readme.split("A first conversation\n")[1].split("Live, over a socket")[0]
    block = section.split(".. code-block:: sh\n")[1]
    script = "\n".join(line[4:] for line in block.splitlines())
    script = script.replace("http://localhost:3000", server.url)
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=True)

    assert done.stderr == ""
    assert done.stdout.count('"content":"Hello, Bob!"') == 2
    assert re.fullmatch(r"[0-9a-f]{24} ey[\w.-]+", done.stdout.splitlines()[-1])
