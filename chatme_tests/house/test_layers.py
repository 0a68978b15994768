"""The picture of the house holds: who may import whom."""

from __future__ import annotations

import pytest

from chatme_tests.house import layers
from chatme_tests.house.source import Rule, Source, bitten, breaches, listing, sources

RULES: tuple[Rule, ...] = (
    layers.has_a_place,
    layers.points_downwards,
    layers.follows_the_arrows,
    layers.keeps_the_layers,
    layers.kernel_is_plain,
    layers.vendors_keep_their_doors,
    layers.features_ignore_the_web,
    layers.pure_is_pure,
    layers.imports_stand_on_top,
    layers.environment_is_read_once,
)

MESSAGES = "chatme/messages"

BAD: tuple[tuple[Rule, str, str], ...] = (
    (layers.has_a_place, "chatme/helpers.py", ""),
    (layers.has_a_place, "chatme/web/server.py", ""),
    (layers.points_downwards, "chatme/clock.py", "from chatme.storage import engine"),
    (layers.points_downwards, "chatme/http/paging.py", "import chatme.storage.engine"),
    (layers.points_downwards, "chatme/log.py", "from chatme import metrics"),
    (layers.points_downwards, "chatme/realtime/hub.py", "from ..users.models import User"),
    (layers.points_downwards, "chatme/users/routes.py", "from chatme.app import create_app"),
    (layers.points_downwards, "chatme/wiring.py", "from chatme.app import create_app"),
    (layers.points_downwards, "chatme/app.py", "from chatme import cli"),
    (layers.points_downwards, "chatme/app.py", "from chatme.tools import thing"),
    (layers.points_downwards, "chatme/app.py", "import chatme_tests.users"),
    (layers.follows_the_arrows, "chatme/users/service.py", "import chatme.auth.service"),
    (layers.follows_the_arrows, "chatme/health/routes.py", "from chatme.users import service"),
    (layers.follows_the_arrows, "chatme/calls/service.py", "import chatme.messages.wire"),
    (layers.follows_the_arrows, f"{MESSAGES}/service.py", "from chatme.users import events"),
    (layers.follows_the_arrows, f"{MESSAGES}/routes.py", "from chatme.users.routes import X"),
    (layers.follows_the_arrows, f"{MESSAGES}/service.py", "import chatme.users.names"),
    (layers.follows_the_arrows, f"{MESSAGES}/service.py", "from chatme.users import User"),
    (layers.follows_the_arrows, f"{MESSAGES}/wire.py", "import chatme.users.service"),
    (layers.keeps_the_layers, f"{MESSAGES}/models.py", "from chatme.messages import wire"),
    (layers.keeps_the_layers, f"{MESSAGES}/wire.py", "from .events import Sent"),
    (layers.keeps_the_layers, f"{MESSAGES}/events.py", "from . import service"),
    (layers.keeps_the_layers, f"{MESSAGES}/events.py", "from chatme.messages.log import append"),
    (layers.keeps_the_layers, f"{MESSAGES}/service.py", "import chatme.messages.routes"),
    (layers.keeps_the_layers, f"{MESSAGES}/log.py", "from chatme.messages.routes import send"),
    (layers.kernel_is_plain, "chatme/ports.py", "from starlette.requests import Request"),
    (layers.kernel_is_plain, "chatme/errors.py", "import odmantic"),
    (layers.vendors_keep_their_doors, "chatme/users/models.py", "from pymongo import IndexModel"),
    (layers.vendors_keep_their_doors, "chatme/wiring.py", "import motor.motor_asyncio"),
    (layers.vendors_keep_their_doors, "chatme/log.py", "import sqlite3"),
    (layers.vendors_keep_their_doors, "chatme/realtime/hub.py", "import redis.asyncio"),
    (layers.vendors_keep_their_doors, "chatme/realtime/frames.py", "from websockets import frames"),
    (layers.vendors_keep_their_doors, "chatme/app.py", "import uvicorn"),
    (layers.features_ignore_the_web, "chatme/users/service.py", "import starlette.requests"),
    (layers.features_ignore_the_web, "chatme/auth/tokens.py", "import starlette"),
    (layers.features_ignore_the_web, "chatme/users/wire.py", "import starlette"),
    (layers.pure_is_pure, "chatme/realtime/frames.py", "import asyncio"),
    (layers.pure_is_pure, "chatme/realtime/session.py", "from chatme.realtime import hub"),
    (layers.pure_is_pure, "chatme/realtime/close.py", "from chatme import metrics"),
    (layers.imports_stand_on_top, "chatme/app.py", "def build() -> None: import json"),
    (layers.environment_is_read_once, "chatme/cli.py", "from os import environ"),
)

GOOD: tuple[tuple[str, str], ...] = (
    ("chatme/clock.py", "from chatme.shapes import Id\nfrom bson import ObjectId"),
    ("chatme/http/openapi.py", "from chatme import __version__\nfrom chatme.http.paging import P"),
    ("chatme/auth/service.py", "from chatme.users.service import Users\nimport chatme.auth.tokens"),
    ("chatme/auth/tokens.py", "import chatme.auth.models\nimport chatme.auth.passwords"),
    ("chatme/messages/log.py", "from chatme.users.service import Users\nimport chatme.storage"),
    ("chatme/messages/routes.py", "import chatme.messages.models\nimport starlette.routing"),
    ("chatme/admin/service.py", "import chatme.uploads.service"),
    ("chatme/wiring.py", "import chatme.messages.log\nimport chatme.realtime.hub"),
    ("chatme/__main__.py", "from chatme.cli import main"),
    ("chatme/realtime/session.py", "from chatme.realtime.close import Close\nimport chatme.errors"),
    ("chatme/realtime/backplane/redis.py", "import redis.asyncio"),
    ("chatme/storage/embedded/files.py", "import sqlite3\nfrom pymongo import errors"),
    ("chatme/settings.py", "import os\nHOME = os.environ"),
    ("chatme/app.py", "if True:\n    import json\ndef after() -> None: ..."),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_layers(rule: Rule) -> None:
    """No file of the package breaks this rule of the plan."""
    found = breaches(rule, sources("chatme"))

    assert not found, listing(found)


def test_the_house_has_no_circle() -> None:
    """No module of the package imports itself, however long the way round."""
    found = layers.circle(sources("chatme"))

    assert not found, listing(found)


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_forbidden_import_is_named(rule: Rule, path: str, text: str) -> None:
    """A rule bites the import it forbids, once, and names its line."""
    assert bitten(rule, path, text) == [1]


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_what_the_plan_draws_is_allowed(path: str, text: str) -> None:
    """An import along the plan offends no rule."""
    assert [line for rule in RULES for line in bitten(rule, path, text)] == []


def test_each_way_to_the_environment_is_named() -> None:
    """Reading the environment is found under another name of os, too."""
    text = "import os as system\nsystem.getenv('A')\nsystem.environ['A']\nsystem.getpid()"

    assert bitten(layers.environment_is_read_once, "chatme/cli.py", text) == [2, 3]


def test_a_nested_import_is_found() -> None:
    """An import inside a method is found, one under a plain condition is not."""
    text = "if True:\n    import os\nclass A:\n    async def b(self):\n        from c import d\n"

    assert bitten(layers.imports_stand_on_top, "chatme/app.py", text) == [5]


def test_a_circle_is_found() -> None:
    """Three modules in a ring are a circle, even when one edge is for type checkers only."""
    ring = (
        Source("chatme/a.py", "from chatme import b"),
        Source("chatme/b.py", "from chatme.c import D"),
        Source("chatme/c.py", "if TYPE_CHECKING:\n    import chatme.a"),
    )

    assert {"chatme.a", "chatme.b", "chatme.c"} == set(layers.circle(ring))
    assert layers.circle(ring[:2]) == []


def test_a_circle_through_a_package_is_found() -> None:
    """A package's own file runs when any of its modules is imported, and so closes circles."""
    files = (
        Source("chatme/http/__init__.py", "from chatme.http.paging import Page"),
        Source("chatme/http/paging.py", "import chatme.clock"),
        Source("chatme/http/reply.py", ""),
        Source("chatme/clock.py", "import chatme.http.reply"),
    )

    assert layers.circle(files)
    assert layers.circle(files[:3]) == []
