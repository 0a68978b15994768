"""What the package and its tests never do."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chatme_tests.house import habits
from chatme_tests.house import habits_of_tests as tests
from chatme_tests.house.source import Rule, Source, bitten, breaches, listing, sources

# The edges: errors of any kind end here, logged in full and answered in general words.
BROAD_EXCEPT: Mapping[str, str] = {
    "chatme/http/middleware.py": "the edge of HTTP: every error becomes a reply",
    "chatme/realtime/greeting.py": "the edge of a background task: the socket is closed",
    "chatme/realtime/endpoint.py": "the edge of the socket: clean up whatever happens",
    "chatme/realtime/connection.py": "the edge of one frame: a failed command closes no socket",
    "chatme/auth/oauth.py": "the edge of a sign-in elsewhere: whatever an answer sets off",
    "chatme/accounts/service.py": "the edge of a background task: the next erasure goes on",
    "chatme/ratelimit.py": "the edge of Redis: whatever its client raises, memory counts",
    "chatme/images/pictures.py": "the edge of Pillow: whatever a broken picture sets off",
    "chatme/uploads/sweeper.py": "the edge of a background task: the next sweep is in an hour",
    "chatme/cli.py": "the edge of the process: a failed start is told in one line",
}

# Queues that something else keeps small, and what.
UNBOUNDED_QUEUES: Mapping[str, str] = {}

# Tests that may be left out, and why.
SKIPPING: Mapping[str, str] = {
    "chatme_tests/redis.py": "what needs a Redis where there is none; in CI that is a failure",
    "chatme_tests/flows/away.py": "the embedded database cannot be away",
    "chatme_tests/flows/test_database_killed.py": "a server of somebody else's is not ours to kill",
    "chatme_tests/flows/conftest.py": "only root may mount the small disk that is filled",
    "chatme_tests/flows/test_check.py": "an embedded database is never checked beside its server",
    "chatme_tests/storage/test_moves.py": "the embedded engine renames no collection",
    "chatme_tests/mongodb/gaps.py": "what the stand-in server lacks of MongoDB, case by case",
}

RULES: tuple[tuple[Rule, Mapping[str, str]], ...] = (
    (habits.no_state_at_module_level, {}),
    (habits.no_global, {}),
    (habits.no_broad_except, BROAD_EXCEPT),
    (habits.close_codes_have_names, {}),
    (habits.queues_are_bounded, UNBOUNDED_QUEUES),
    (habits.only_services_publish, {}),
    (habits.only_the_command_line_prints, {}),
    (habits.nothing_hides_in_init, {}),
    (habits.nothing_is_unfinished, {}),
)
TEST_RULES: tuple[tuple[Rule, Mapping[str, str]], ...] = (
    (tests.no_mocks, {}),
    (tests.no_sleeping, {}),
    (tests.skips_say_why, {}),
    (tests.no_skips, SKIPPING),
    (habits.nothing_is_unfinished, {}),
)

HUB, USERS, A_TEST = "chatme/realtime/hub.py", "chatme/users/", "chatme_tests/users/test_service.py"

BAD: tuple[tuple[Rule, str, str], ...] = (
    (habits.no_state_at_module_level, HUB, "seen = []"),
    (habits.no_state_at_module_level, HUB, "SEEN = {1, 2}"),
    (habits.no_state_at_module_level, HUB, "A, B = 1, {}"),
    (habits.no_state_at_module_level, HUB, "TABLE = {name: 1 for name in NAMES}"),
    (habits.no_state_at_module_level, HUB, "TABLE: dict[str, int] = {}"),
    (habits.no_state_at_module_level, HUB, "table: Mapping[str, int] = {}"),
    (habits.no_state_at_module_level, HUB, "NAMES: Final = ['a']"),
    (habits.no_state_at_module_level, HUB, "NAMES = BASE + ['a']"),
    (habits.no_state_at_module_level, HUB, "QUEUE = asyncio.Queue[int](maxsize=3)"),
    (habits.no_state_at_module_level, HUB, "USERS = collections.defaultdict(set)"),
    (habits.no_state_at_module_level, HUB, "TABLE['a'] = 1"),
    (habits.no_global, HUB, "def f(): global x"),
    (habits.no_broad_except, HUB, "with suppress(Exception): f()"),
    (habits.close_codes_have_names, HUB, "socket.close(4001)"),
    (habits.close_codes_have_names, HUB, "self._close_with(reason, code=1008)"),
    (habits.close_codes_have_names, HUB, "send({'type': 'websocket.close', 'code': 1008})"),
    (habits.queues_are_bounded, HUB, "q = asyncio.Queue()"),
    (habits.queues_are_bounded, HUB, "q = asyncio.Queue[int](maxsize=0)"),
    (habits.queues_are_bounded, HUB, "q = queue.SimpleQueue()"),
    (habits.queues_are_bounded, HUB, "q = deque([1, 2])"),
    (habits.queues_are_bounded, HUB, "q = deque(items, maxlen=None)"),
    (habits.queues_are_bounded, HUB, "q = field(default_factory=deque)"),
    (habits.queues_are_bounded, HUB, "q = defaultdict(deque)"),
    (habits.only_services_publish, f"{USERS}routes.py", "await publisher.publish(event)"),
    (habits.only_services_publish, f"{USERS}events.py", "publish(event)"),
    (habits.only_the_command_line_prints, "chatme/app.py", "print('hello')"),
    (habits.nothing_hides_in_init, f"{USERS}__init__.py", "from chatme.users.service import Users"),
    (habits.nothing_is_unfinished, HUB, "# TO" + "DO: later"),
    (tests.no_mocks, A_TEST, "from unittest import mock"),
    (tests.no_mocks, A_TEST, "import unittest.mock"),
    (tests.no_mocks, A_TEST, "x = MagicMock()"),
    (tests.no_mocks, A_TEST, "monkeypatch.setattr(clock, 'now', f)"),
    (tests.no_sleeping, A_TEST, "time.sleep(1)"),
    (tests.no_sleeping, A_TEST, "await asyncio.sleep(delay=2.5)"),
    (tests.skips_say_why, A_TEST, "pytest.skip()"),
    (tests.skips_say_why, A_TEST, "pytest.xfail('')"),
    (tests.skips_say_why, A_TEST, "pytestmark = pytest.mark.skip"),
    (tests.skips_say_why, A_TEST, "pytest.mark.skipif(True)"),
    (tests.no_skips, A_TEST, "pytest.mark.xfail(reason='slow')"),
    (tests.no_skips, A_TEST, "from pytest import skip"),
)

GOOD: tuple[tuple[str, str], ...] = (
    (HUB, "__all__ = ['Hub']\nNAMES = ('a',)\nKINDS = frozenset({'a'})\nX: list[int]"),
    (HUB, "A: Mapping[str, int] = {}\nB: Final = {'a': 1}\nC = MappingProxyType({})"),
    (HUB, "class A:\n    x: dict[int, int] = {}\ndef f():\n    y = []\n    return y"),
    (HUB, "try: f()\nexcept (ValueError, KeyError): pass"),
    (HUB, "try: f()\nexcept BaseException:\n    undo()\n    raise"),
    (HUB, "close(Close.SLOW)\nengine.close(1)\nwait(5000)\nf({'type': 'x', 'size': 5000})"),
    ("chatme/realtime/close.py", "close(4001)"),
    (HUB, "class A:\n    q = Queue(10), Queue(maxsize=n), deque((), 5), deque(maxlen=0)"),
    (f"{USERS}service.py", "publish(event)"),
    (f"{USERS}names.py", "publish(event)"),
    (HUB, "publish(event)"),
    ("chatme/cli.py", "print('hello')"),
    (f"{USERS}__init__.py", "\n"),
    (A_TEST, "monkeypatch.setenv('A', 'b')\nsetattr(a, 'b', c)\nasyncio.sleep(0.1)\nsleep(n)"),
)


def test_every_exception_has_its_reason() -> None:
    """A file is excused only with words beside it."""
    assert all(reason for _, but in (*RULES, *TEST_RULES) for reason in but.values())


@pytest.mark.parametrize(("rule", "but"), RULES)
def test_the_package_keeps_its_habits(rule: Rule, but: Mapping[str, str]) -> None:
    """No file of the package breaks this habit, unless its reason is listed."""
    found = breaches(rule, sources("chatme"), but)

    assert not found, listing(found)


@pytest.mark.parametrize(("rule", "but"), TEST_RULES)
def test_the_tests_keep_their_habits(rule: Rule, but: Mapping[str, str]) -> None:
    """No file of the tests breaks this habit, unless its reason is listed."""
    found = breaches(rule, sources("chatme_tests"), but)

    assert not found, listing(found)


def test_there_is_one_assembly() -> None:
    """The application is built in one place."""
    files = sources("chatme")
    expected = 1 if any(source.path == "chatme/app.py" for source in files) else 0

    assert len(habits.assemblies(files)) == expected, habits.assemblies(files)


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_bad_habit_is_named(rule: Rule, path: str, text: str) -> None:
    """A rule bites what it forbids, once, and names its line."""
    assert bitten(rule, path, text) == [1]


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_a_good_habit_is_left_alone(path: str, text: str) -> None:
    """What the habits ask for offends none of them."""
    rules = RULES if path.startswith("chatme/") else TEST_RULES

    assert [line for rule, _ in rules for line in bitten(rule, path, text)] == []


@pytest.mark.parametrize("kind", ["", " Exception", " BaseException", " (OSError, Exception)"])
def test_a_broad_except_is_named(kind: str) -> None:
    """Every way to catch everything is found, even one that raises something else."""
    text = f"try: f()\nexcept{kind}: raise Other from None"

    assert bitten(habits.no_broad_except, HUB, text) == [2]


def test_state_under_a_condition_is_found() -> None:
    """A module-level mutable is found inside conditions and handlers, too."""
    text = "if A:\n    x = {}\nelse:\n    try:\n        f()\n    except B:\n        y = []\n"

    assert bitten(habits.no_state_at_module_level, HUB, text) == [2, 7]


def test_an_excused_file_is_left_out() -> None:
    """A listed file is excused from its rule, and no other file is."""
    files = [Source(HUB, "seen = []"), Source("chatme/log.py", "seen = []")]
    named = breaches(habits.no_state_at_module_level, files, but={HUB: "why"})

    assert [line.partition(":")[0] for line in named] == ["chatme/log.py"]


def test_a_second_assembly_is_found() -> None:
    """Each place that builds an application is counted."""
    files = [Source("chatme/app.py", "Starlette()"), Source(HUB, "x = applications.Starlette()")]

    assert habits.assemblies(files) == ["chatme/app.py:1", f"{HUB}:1"]


@pytest.mark.parametrize(
    "text",
    [
        "pytest.skip('no server')",
        "pytest.skip(f'no {server}')",
        "pytest.mark.skipif(True, reason=WHY)",
        "pytest.importorskip('x', reason='y')",
    ],
)
def test_a_reason_is_heard(text: str) -> None:
    """A skip with its reason is still counted as a skip, but not as a silent one."""
    assert bitten(tests.skips_say_why, A_TEST, text) == []
    assert bitten(tests.no_skips, A_TEST, text) == [1]
