"""A data folder's database on a server: one and the same, and of the folder alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from chatme_tests.databases import uri_of, with_database

SERVER = "mongodb://db.example.org"


@pytest.mark.parametrize(
    ("uri", "with_name"),
    [
        ("mongodb://one", "mongodb://one/mine"),
        ("mongodb://one/", "mongodb://one/mine"),
        ("mongodb://one:1,two:2/theirs?w=1&tls=true", "mongodb://one:1,two:2/mine?w=1&tls=true"),
        ("mongodb://ada:se%2Fcret@one/?tls=true", "mongodb://ada:se%2Fcret@one/mine?tls=true"),
    ],
)
def test_the_name_goes_between_hosts_and_options(uri: str, with_name: str) -> None:
    """The server's hosts, user and options stay, and its database is replaced."""
    assert with_database(uri, "mine") == with_name


def test_a_folder_keeps_its_database(tmp_path: Path) -> None:
    """Whoever asks for a folder's database again gets the same, and no other folder does."""
    first, other = uri_of(tmp_path / "a", SERVER), uri_of(tmp_path / "b", SERVER)

    assert first == uri_of(tmp_path / "a", SERVER)
    assert len({first, other}) == 2
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_without_a_server_the_folder_is_left_alone(tmp_path: Path) -> None:
    """The embedded database needs no URI, and its folder is its own to make."""
    assert uri_of(tmp_path / "a", "") is None
    assert not (tmp_path / "a").exists()
