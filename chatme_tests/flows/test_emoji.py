"""A reaction is one emoji, as people see it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatme_tests.client import signed_up
from chatme_tests.flows.life_talk import direct, refusal, say, sound_server
from chatme_tests.server import Server

GOOD_EMOJI = (
    "👍",
    "❤️",
    "❤",
    "👍🏽",
    "🇩🇪",
    "1️⃣",
    "👨‍👩‍👧‍👦",
    "🏳️‍🌈",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
)
BAD_EMOJI = (
    "",
    " ",
    "a",
    "1",
    "#",
    "👍👍",
    "👍 ",
    " 👍",
    "👍a",
    ":thumbs_up:",
    "🇩",
    "\u200d",
    "\ufe0f",
    "👍\u200d",
    "<b>",
    "👩🏽‍❤️‍💋‍👨🏾",  # one emoji, and 35 bytes
    None,
    7,
    ["👍"],
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("emoji")) as running:
        yield running


async def test_one_emoji_is_one_emoji(server: Server) -> None:
    """A reaction is one emoji of at most 32 bytes as people see it, and nothing else."""
    async with signed_up(server.url, "Ada Emoji", "Bob Emoji") as (ada, bob):
        sent = await say(ada, await direct(ada, bob), "one")
        socket = await ada.connect()
        named = {"messageId": sent["id"]}
        taken = [
            await refusal(socket, "add_reaction", named | {"emoji": each}) for each in GOOD_EMOJI
        ]
        refused = [
            await refusal(socket, "add_reaction", named | {"emoji": each}) for each in BAD_EMOJI
        ]

        assert [each for each in taken if not each.startswith("ack")] == []
        assert list(zip(BAD_EMOJI, refused, strict=True)) == [
            (each, "validation_failed") for each in BAD_EMOJI
        ]
