"""The manual's words are about what there is."""

from __future__ import annotations

from chatme.errors import Code
from chatme.manual.document import COMMANDS, EVENTS
from chatme.manual.words import CODES, COME_BACK, EFFECTS, LIFE, SAMPLES, SECURITY
from chatme.realtime.close import ComeBack


def test_every_code_has_its_meaning() -> None:
    """Each error code says when it comes, in a sentence."""
    assert set(CODES) == set(Code)
    assert all(text.endswith(".") for text in CODES.values())


def test_every_way_to_come_back_has_its_advice() -> None:
    """Each rule for coming back says what to do."""
    assert set(COME_BACK) == set(ComeBack)


def test_effects_are_of_frames_that_there_are() -> None:
    """What is said of commands and events names none that is not there."""
    names = {each.event for each in COMMANDS} | {each.name for each in EVENTS} | {"error"}

    assert set(EFFECTS) <= names
    assert {each.event for each in COMMANDS} <= set(EFFECTS)


def test_the_life_of_a_client_is_told_in_order() -> None:
    """The steps go from the first connection to the last close, each with frames."""
    names = [step.name for step in LIFE]

    assert names == ["Connect", "Authenticate", "Send", "Ack", "Resume", "Close"]
    assert all(line.startswith(("> ", "< ")) for step in LIFE for line in step.frames)
    assert len(SECURITY) == 3
    assert SAMPLES.optional
