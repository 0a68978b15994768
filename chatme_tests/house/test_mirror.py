"""Who looks for a file's test, or a test's file, finds it by its name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chatme_tests.house import habits_of_tests as habits
from chatme_tests.house import mirror
from chatme_tests.house.source import Source, bitten, breaches, listing, sources

# Source files whose tests stand elsewhere, and where.
ELSEWHERE: Mapping[str, str] = {
    "chatme/__main__.py": "one call of cli.main; the flows start the server through it",
    "chatme/entrance.py": "a part of the assembly: test_wiring opens it whole, the flows sign in",
    "chatme/ground.py": "fields without rules, for the parts of the assembly",
    "chatme/ports.py": "Protocols, and a meter, without a body: mypy --strict holds them",
    "chatme/realtime/backplane/base.py": "the contract: conformance runs it on each twin",
}

# Files that every feature may have without a mirror of their own, and what covers them.
FEATURE_FILES: Mapping[str, str] = {
    "models": "documents without rules: the service's tests and conformance use them",
    "wire": "shapes: the flows send and receive each of them",
    "events": "shapes while without logic: the service's tests see what goes out",
    "routes": "two doors to one rule: the flows walk through both",
}

# Tests that mirror no single file, and what they hold.
STRAYS: Mapping[str, str] = {}


def test_every_test_has_its_source() -> None:
    """A test outside the free rooms is named for the file it tests."""
    strays = mirror.strays(sources("chatme_tests"), sources("chatme"))
    found = [path for path in strays if path not in STRAYS]

    assert not found, listing(found)


def test_every_source_has_its_test() -> None:
    """A file with code of its own has a test named for it, unless the reason is listed."""
    files, tests = sources("chatme"), sources("chatme_tests")
    found = mirror.untested(files, tests, ELSEWHERE, FEATURE_FILES)

    assert not found, listing(found)


def test_every_test_is_a_promise() -> None:
    """A test says in one sentence what the code promises."""
    found = breaches(habits.tests_promise, sources("chatme_tests"))

    assert not found, listing(found)


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("chatme/clock.py", "chatme_tests/kernel/test_clock.py"),
        ("chatme/users/service.py", "chatme_tests/users/test_service.py"),
        ("chatme/storage/embedded/find.py", "chatme_tests/storage/embedded/test_find.py"),
    ],
)
def test_the_mirror_is_exact(source: str, test: str) -> None:
    """A file's test is found from the file, and the file from the test."""
    assert mirror.place_of_test(source) == test
    assert mirror.place_of_source(test) == source


@pytest.mark.parametrize("path", ["users/test_names.py", "test_clock.py", "words/test_words.py"])
def test_a_stray_test_is_named(path: str) -> None:
    """A test without a file, or outside every room, is a stray."""
    tests = [Source(f"chatme_tests/{path}", "")]

    assert mirror.strays(tests, [Source("chatme/clock.py", "")]) == [tests[0].path]


@pytest.mark.parametrize(
    "path", ["flows/test_send.py", "bench/deep/test_x.py", "users/fakes.py", "kernel/test_clock.py"]
)
def test_free_rooms_and_helpers_are_no_strays(path: str) -> None:
    """Free rooms, helper modules and true mirrors are left alone."""
    tests = [Source(f"chatme_tests/{path}", "")]

    assert mirror.strays(tests, [Source("chatme/clock.py", "")]) == []


def test_an_untested_file_is_named() -> None:
    """A file with code and without a test is named together with the test it wants."""
    files = [Source("chatme/users/names.py", "LIMIT = 3")]

    assert mirror.untested(files, []) == [
        "chatme/users/names.py wants chatme_tests/users/test_names.py"
    ]
    assert mirror.untested(files, [Source("chatme_tests/users/test_names.py", "")]) == []
    assert mirror.untested(files, [], elsewhere=["chatme/users/names.py"]) == []


def test_a_file_without_code_wants_no_test() -> None:
    """Imports, words and dunder names want no test."""
    text = '"""Doc."""\nfrom a import b\n__all__ = ["b"]\nif TYPE_CHECKING:\n    import c\n'

    assert mirror.untested([Source("chatme/http/__init__.py", text)], []) == []


def test_excused_file_names_hold_in_features_only() -> None:
    """A feature's file name excuses no file of another room."""
    files = [Source("chatme/http/routes.py", "A = 1"), Source("chatme/users/routes.py", "A = 1")]
    wanted = mirror.untested(files, [], feature_files=FEATURE_FILES)

    assert wanted == ["chatme/http/routes.py wants chatme_tests/http/test_routes.py"]


def test_events_with_logic_want_a_test() -> None:
    """Events are excused only while they hold no function."""
    plain = Source("chatme/users/events.py", "class Renamed(Event):\n    name: str")
    clever = Source("chatme/calls/events.py", "class Rang(Event):\n    def wire(self): ...")

    assert mirror.untested([plain, clever], [], feature_files=FEATURE_FILES) == [
        "chatme/calls/events.py wants chatme_tests/calls/test_events.py"
    ]


@pytest.mark.parametrize(
    "docstring",
    ['""', '"It works"', '"It works. It lasts."', '"Does it work?"', '"One! Two."', '"."'],
)
def test_a_poor_promise_is_named(docstring: str) -> None:
    """A docstring that is missing, endless or more than one sentence is no promise."""
    text = f"async def test_x() -> None:\n    {docstring}"

    assert bitten(habits.tests_promise, "chatme_tests/users/test_service.py", text) == [1]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "users/test_service.py",
            'def test_x():\n    """Code, e.g. app.py of 1.2, runs."""',
        ),
        ("users/test_service.py", 'def test_x():\n    """One sentence\n    on two lines."""'),
        ("users/test_service.py", "def helper(): ..."),
        ("users/fakes.py", "def test_path(): ..."),
    ],
)
def test_a_good_promise_is_left_alone(path: str, text: str) -> None:
    """Abbreviations, version numbers, long sentences and helpers are no breach."""
    assert bitten(habits.tests_promise, f"chatme_tests/{path}", text) == []
