"""Random lives of four users over a pair and a group, against the simple model.

Run it for longer by hand, with other random choices each time::

    CHATME_TEST_MODEL_EXAMPLES=500 .venv/bin/python -m pytest chatme_tests/flows/test_model.py

With `CHATME_TEST_MODEL_SHRINK=1` besides, what fails is made smaller, which takes minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from chatme_tests.flows.life_talk import sound_server
from chatme_tests.flows.model_people import Machine
from chatme_tests.flows.model_stage import Stage
from chatme_tests.server import Server

EXAMPLES = os.environ.get("CHATME_TEST_MODEL_EXAMPLES", "")
# What fails is shown as it is: to make it smaller takes minutes.
QUICK = settings(max_examples=25, stateful_step_count=25, derandomize=True, phases=[Phase.generate])
LONG = settings(
    max_examples=int(EXAMPLES or 1),
    stateful_step_count=60,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink]
    if os.environ.get("CHATME_TEST_MODEL_SHRINK")
    else [Phase.generate],
)


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets everybody ask as fast as they can."""
    with sound_server(tmp_path_factory.mktemp("model")) as running:
        yield running


def test_random_lives_agree_with_the_model(free: Server) -> None:
    """Whatever users do, every one of them is shown what the contract says, on REST and socket."""
    profile = settings(
        LONG if EXAMPLES else QUICK,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    with Stage(free.url) as stage:

        class Lives(Machine):
            def __init__(self) -> None:
                super().__init__(stage, thorough=bool(EXAMPLES))

        run_state_machine_as_test(Lives, settings=profile)
