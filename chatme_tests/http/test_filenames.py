"""Tests for the names of files: read however they are written, and made harmless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatme.http.filenames import clean_name, file_name, parameters_of


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'filename="a.png"', "a.png"),
        (b"filename=a.png", "a.png"),
        (b'FileName="a.png"', "a.png"),
        (b'filename="a;b=c.png"', "a;b=c.png"),
        (b"filename=\"x; filename*=utf-8''evil.html\"", "x; filename*=utf-8''evil.html"),
        (rb'filename="a\"b.png"', 'a"b.png'),
        (b'filename="a%22b.png"', 'a"b.png'),
        ('filename="naïve 日本.png"'.encode(), "naïve 日本.png"),
        (b'filename="\xff.png"', "\N{REPLACEMENT CHARACTER}.png"),
        (b"filename*=UTF-8''na%C3%AFve.png", "naïve.png"),
        (b"filename=\"naive.png\"; filename*=utf-8'en'na%C3%AFve.png", "naïve.png"),
        (b"filename*=iso-8859-1''na%EFve.png; filename=naive.png", "naïve.png"),
        (b"filename=naive.png; filename*=klingon''x", "naive.png"),
        (b"filename*=utf-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        (rb'filename="C:\Users\ada\a.png"', "a.png"),
        (b'filename="../../etc/passwd"', "passwd"),
        (b'filename="a\x00b.png"', "ab.png"),
        (b'filename=""', "file"),
    ],
)
def test_a_name_is_read_and_cleaned(disposition: bytes, name: str) -> None:
    """The file's name is read in every way that clients write it, and never leads anywhere."""
    parameters = parameters_of(b'form-data; name="file"; ' + disposition)

    assert parameters[b"name"] == b"file"
    assert clean_name(file_name(parameters) or "") == name


@given(st.binary(max_size=200))
def test_any_disposition_is_read(disposition: bytes) -> None:
    """Whatever bytes stand there, they are a name that can be cleaned, or none."""
    assert clean_name(file_name(parameters_of(disposition)) or "")


def test_a_field_is_no_file() -> None:
    """A part that names no file has none."""
    assert file_name(parameters_of(b'form-data; name="file"')) is None


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        (" \t ", "file"),
        ("a/", "file"),
        ("\u200d", "file"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\u2028b\x7f\r\n\u200f\ufeffc", "abc"),
        ("\ud800x", "x"),
        (".bashrc", ".bashrc"),
        ("e\u0301.txt", "é.txt"),
        ("👨\u200d👩\u200d👧.png", "👨\u200d👩\u200d👧.png"),
        ("x" * 4096, "x" * 255),
        ("x" * 4096 + ".png", "x" * 251 + ".png"),
        ("." + "x" * 4096, "." + "x" * 254),
    ],
)
def test_a_name_is_cleaned(name: str, cleaned: str) -> None:
    """Folders, controls and marks that turn the text around go; the length is bounded."""
    assert clean_name(name) == cleaned


@given(st.text(max_size=400))
def test_any_name_is_made_harmless(name: str) -> None:
    """Whatever the name, what is left is a single name that can be written in UTF-8."""
    cleaned = clean_name(name)

    assert 0 < len(cleaned) <= 255
    assert cleaned not in (".", "..")
    assert not set(cleaned) & set("/\\\0\r\n\u202e\u2066")
    assert cleaned.encode()
    assert clean_name(cleaned) == cleaned
