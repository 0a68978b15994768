"""Who a provider says that somebody is: what is kept of it, and what is not."""

from __future__ import annotations

import pytest

from chatme.auth.persons import OAuthFailed, clean_avatar, clean_name, person, proven_address

ISSUER = "https://id.example"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("  ada@example.com ", "ada@example.com"),
        ("ada+chat@example.com", "ada+chat@example.com"),
        ("zoë@example.com", "zoë@example.com"),
        ("ada@bücher.example", "ada@bücher.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        ("\u212aate@example.com", None),
        ("ada@e\uff58ample.com", None),
        ("ada@example\u3002com", None),
        ("\uff41da@example.com", "\uff41da@example.com"),
        ("ZOË@example.com", None),
        ("zoe\u0308@example.com", None),
        ("ada@example.com\r\nBcc: eve@example.com", None),
        ("ada@example.com\x00", None),
        ("ada@\ud800.example", None),
        ("ada", None),
        ("ada@localhost", None),
        ("a" * 250 + "@example.com", None),
        ("", None),
        (7, None),
        (None, None),
        (["ada@example.com"], None),
    ],
)
def test_only_the_address_itself_is_proven(given: object, address: str | None) -> None:
    """Case and space around it aside, nothing that only looks like an address stands for it."""
    assert proven_address(given) == address


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada \r\n Set-Cookie: x=1\t", "Ada Set-Cookie: x=1"),
        ("A\x00d\u2028a\x7f\x85\ud800", "A d a"),
        ("x" * 80, "x" * 50),
        ("x" * 49 + " y", "x" * 49),
        ("👩‍💻 Zoë", "👩‍💻 Zoë"),
        ("A", "fallback"),
        ("\n\n", "fallback"),
        (None, "fallback"),
        ({"first": "Ada"}, "fallback"),
    ],
)
def test_names_are_cleaned(given: object, name: str) -> None:
    """A name has 2 to 50 characters, none that controls, or is taken from the address."""
    assert clean_name(given, "fallback") == name


def test_a_name_is_never_missing() -> None:
    """Where neither name nor address gives one, there is one all the same."""
    assert clean_name(None, "a") == "New user"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://pic.example/a.png?s=1", True),
        ("https://pic.example/" + "a" * 2028, True),
        ("https://pic.example/" + "a" * 2029, False),
        ("http://pic.example/a.png", False),
        ("javascript:alert(1)", False),
        ("//pic.example/a.png", False),
        ("https:///a.png", False),
        ("https://[::1", False),
        ("https://pic.example/a b", False),
        ("https://pic.example/\r\nX: y", False),
        (7, False),
        (None, False),
    ],
)
def test_pictures_are_https(given: object, kept: bool) -> None:
    """A picture's address is kept where it is one over https of at most 2,048 characters."""
    assert clean_avatar(given) == (given if kept else None)


@pytest.mark.parametrize("subject", ["", "x" * 256, "a\nb", "\ud800", 7, None, True])
def test_a_subject_is_a_name(subject: object) -> None:
    """Who is named by no text, or an endless or unprintable one, is nobody."""
    with pytest.raises(OAuthFailed):
        person("google", ISSUER, subject)
