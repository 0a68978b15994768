"""schemathesis walks the running server by its own document, with every check on."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatme_tests.flows.hostile import faultless_server, world
from chatme_tests.judging import judge, rest_client
from chatme_tests.server import Server

CONFIG = Path(__file__).with_name("schemathesis.toml")
PATIENCE = 300
"""Seconds after which it is given up; it takes a tenth of that."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits, whose log is looked at in the end."""
    with faultless_server(tmp_path_factory.mktemp("walk") / "data") as running:
        yield running


def _operations(document: dict[str, Any]) -> set[str]:
    return {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    }


def _rules() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = tomllib.loads(CONFIG.read_text())["operations"]
    return rules


def _walk(url: str, token: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs schemathesis, which finds nothing of an earlier run and leaves nothing in the tree.

    It reads the document from a file: it leaves out the route from which it has one.
    """
    document = folder / "openapi.json"
    document.write_text(json.dumps(judge().document))
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(CONFIG), "--no-color", "run", str(document)]
    command += ["--url", url, "--checks", "all", "--mode", "all"]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "CHATME_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


async def test_the_server_does_as_its_document_says(server: Server, tmp_path: Path) -> None:
    """Whatever fits the document is taken, what does not is refused, and all is answered by it."""
    operations = _operations(judge().document)
    left_out = {
        name
        for rule in _rules()
        if rule.get("enabled") is False
        for name in rule["include-operation-id"]
    }
    async with world(server.url) as here:
        done = await asyncio.to_thread(_walk, server.url, here.ada.token, tmp_path)

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert re.findall(r"Tested: +(\d+)", done.stdout) == [str(len(operations - left_out))]
    assert re.findall(r"✅ +(\w+)$", done.stdout, re.MULTILINE) == [
        *("Examples", "Coverage", "Fuzzing", "Stateful")
    ]


async def test_the_document_is_the_one_that_all_flows_are_judged_by(server: Server) -> None:
    """What is served is what every flow's answers are held against."""
    async with rest_client(base_url=server.url) as http:
        served = (await http.get("/openapi.json")).json()

    assert served == judge().document


def test_no_check_is_off() -> None:
    """The rules name operations that there are, and turn no check off."""
    rules = _rules()
    named = [name for rule in rules for name in rule["include-operation-id"]]

    assert set(named) <= _operations(judge().document)
    assert len(named) == len(set(named))
    for rule in rules:
        for check in rule.get("checks", {}).values():
            assert set(check) == {"expected-statuses"}
