"""Tests for why a socket is closed."""

from __future__ import annotations

import pytest

from chatme.realtime.close import Close, ComeBack

CONTRACT = (
    (1003, ComeBack.NO),
    (1007, ComeBack.NO),
    (1009, ComeBack.NO),
    (1011, ComeBack.AFTER_DELAY),
    (1012, ComeBack.AFTER_DELAY),
    (4401, ComeBack.SIGNED_IN),
    (4408, ComeBack.AFTER_DELAY),
    (4409, ComeBack.AFTER_DELAY),
    (4429, ComeBack.AFTER_DELAY),
    (4499, ComeBack.AFTER_DELAY),
)


def test_the_codes_are_the_contracts() -> None:
    """Every close has the contract's code and tells the client the contract's next step."""
    assert [(close.code, close.come_back) for close in Close] == list(CONTRACT)


@pytest.mark.parametrize("close", Close, ids=lambda close: close.name)
def test_a_reason_fits_its_frame(close: Close) -> None:
    """A reason is a sentence that fits into a control frame beside its code."""
    assert close.reason.endswith(".")
    assert len(close.reason.encode()) <= 123


@pytest.mark.parametrize("close", Close, ids=lambda close: close.name)
def test_a_code_may_be_sent(close: Close) -> None:
    """Every code is one that an endpoint may send: registered, or of the private range."""
    assert close.code in {1003, 1007, 1009, 1011, 1012} or 4000 <= close.code <= 4999
