"""Tests for the settings: each variable, all faults together, the secrets."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from chatme.rates import Rate
from chatme.relay import Mailbox, Relay
from chatme.settings import Environment, Settings, SettingsError, load_settings

LONG = "s" * 32
OTHER = "o" * 32
SECRETS: Mapping[str, str] = {"JWT_SECRET": LONG, "JWT_REFRESH_SECRET": OTHER}
PRODUCTION: Mapping[str, str] = {"APP_ENV": "production", **SECRETS}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts in an empty folder, without any variable of the machine's."""
    monkeypatch.chdir(tmp_path)
    for name in [*Settings.model_fields, "node_env"]:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def load(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> Settings:
    """The settings under these variables."""
    for name, value in variables.items():
        patch.setenv(name, value)
    return load_settings()


def faults(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> list[str]:
    """What is said of these variables."""
    with pytest.raises(SettingsError) as caught:
        load(patch, variables)
    assert str(caught.value) == "; ".join(caught.value.faults)
    return caught.value.faults


def test_nothing_has_to_be_set() -> None:
    """Without any variable the program runs in development on its own machine alone."""
    settings = load_settings()

    assert settings.app_env is Environment.DEVELOPMENT
    assert not settings.production
    assert (settings.host, settings.port) == ("127.0.0.1", 3000)
    assert settings.frontend_url == ("http://localhost:5173",)
    assert settings.trusted_proxies == ()
    assert settings.mongodb_uri is None
    assert settings.redis_url is None
    assert (settings.rate_limit_short, settings.rate_limit_long) == (Rate(10, 1), Rate(100, 60))
    assert settings.jwt_expires_in == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("APP_ENV", "test", Environment.TEST),
        ("HOST", "0.0.0.0", "0.0.0.0"),  # noqa: S104 - a value, not a listener
        ("HEALTH_DISK_FREE_MB", "0", 0),
        ("PORT", "0", 0),
        ("PORT", "65535", 65535),
        ("DATA_DIR", "elsewhere/deep", Path("elsewhere/deep")),
        ("COOKIE_DOMAIN", "example.org", "example.org"),
        ("PASSWORD_COST", "4", 4),
        ("PASSWORD_COST", "16", 16),
        ("SMTP_URL", "smtp://mail.example.org", Relay("mail.example.org", 587)),
        ("MAIL_FROM", "Chat <chat@example.org>", Mailbox("Chat", "chat", "example.org")),
        ("HEALTH_MEMORY_LIMIT_MB", "64", 64),
        ("WS_MAX_PER_USER", "1", 1),
        ("WS_RATE", "100/minute", Rate(100, 60)),
        ("WS_RATE", "", None),
        ("RATE_LIMIT_SHORT", "3/second", Rate(3, 1)),
        ("RATE_LIMIT_SHORT", "", None),
        ("RATE_LIMIT_LONG", "", None),
        ("REDIS_URL", "redis://cache:6379/1", SecretStr("redis://cache:6379/1")),
        ("REDIS_URL", "", None),
        ("LOG_LEVEL", "debug", "debug"),
        ("JWT_EXPIRES_IN", "900", timedelta(minutes=15)),
        ("JWT_EXPIRES_IN", "500ms", timedelta(milliseconds=500)),
        ("JWT_EXPIRES_IN", " 90s ", timedelta(seconds=90)),
        ("JWT_EXPIRES_IN", "12h", timedelta(hours=12)),
        ("JWT_EXPIRES_IN", "7d", timedelta(days=7)),
        ("FRONTEND_URL", "https://a.example", ("https://a.example",)),
        (
            "FRONTEND_URL",
            " https://a.example ,http://b:8080,, http://[::1]:5173,",
            ("https://a.example", "http://b:8080", "http://[::1]:5173"),
        ),
        ("PUBLIC_URL", "https://chat.example.org/", "https://chat.example.org"),
        ("OIDC_ISSUER", "http://id.example:8080/realms/a", "http://id.example:8080/realms/a"),
        ("GOOGLE_DISCOVERY_URL", "https://id.example/x?p=1", "https://id.example/x?p=1"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
        ("TRUSTED_PROXIES", "10.1.2.3/8", ("10.1.2.3/8",)),
        ("TRUSTED_PROXIES", " , ", ()),
    ],
)
def test_each_variable_is_read(
    name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable's text becomes the field of its name."""
    assert getattr(load(monkeypatch, {name: text}), name.lower()) == value


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is there but empty leaves the default, as in a copied example file."""
    settings = load(monkeypatch, {"PORT": "", "FRONTEND_URL": "", "APP_ENV": "", "NODE_ENV": ""})

    assert settings.port == 3000
    assert settings.app_env is Environment.DEVELOPMENT
    assert settings.frontend_url == ("http://localhost:5173",)


def test_a_dot_env_file_is_read_below_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file .env is read, unknown names in it are ignored, and the environment wins."""
    lines = "PORT=4000\nLOG_LEVEL=error\nSOMETHING_ELSE=1\nHOST=\nWS_RATE=\n"
    (tmp_path / ".env").write_text(lines)
    settings = load(monkeypatch, {"PORT": "5000", "LOG_LEVEL": ""})

    assert (settings.port, settings.log_level) == (5000, "error")
    assert (settings.host, settings.ws_rate) == ("127.0.0.1", None)


@pytest.mark.parametrize(
    ("variables", "environment"),
    [
        ({"NODE_ENV": "test"}, Environment.TEST),
        ({"NODE_ENV": "production", "APP_ENV": "test"}, Environment.TEST),
        ({"NODE_ENV": "production", "APP_ENV": "", **SECRETS}, Environment.PRODUCTION),
        ({"NODE_ENV": "production", **SECRETS}, Environment.PRODUCTION),
    ],
)
def test_node_env_is_another_name(
    variables: Mapping[str, str], environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NODE_ENV stands in for APP_ENV, which comes first."""
    assert load(monkeypatch, variables).app_env is environment


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("APP_ENV", "prod"),
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("PASSWORD_COST", "3"),
        ("PASSWORD_COST", "17"),
        ("SMTP_URL", "mail.example.org"),
        ("MAIL_FROM", "nobody"),
        ("HEALTH_MEMORY_LIMIT_MB", "63"),
        ("LOG_LEVEL", "loud"),
        ("HEALTH_DISK_FREE_MB", "-1"),
        *(("METRICS_TOKEN", text) for text in ("x" * 15, "x" * 513, "x y" * 8, "\u00e9" * 16)),
        *(("REDIS_URL", f"redis:{end}") for end in ("", "//", "//h:x", "//h:65536", "//h:0")),
        *(("REDIS_URL", text) for text in ("localhost:6379", "http://localhost", "redis://[::1")),
        ("WS_MAX_PER_USER", "0"),
        ("RATE_LIMIT_SHORT", "10"),
        ("RATE_LIMIT_LONG", "0/minute"),
        *(
            ("REDIS_URL", text)
            for text in ("cache:6379", "http://cache", "redis://", "redis://x:y")
        ),
        *(("WS_RATE", text) for text in ("20", "0/second", "20/week", "-1/second", "off")),
        *(("JWT_EXPIRES_IN", text) for text in ("0", "0s", "-5m", "5 m", "1.5h", "5w", "m")),
        *(("JWT_EXPIRES_IN", text) for text in ("\u0661m", "9" * 10, "15M", "Infinity")),
        *(
            ("FRONTEND_URL", text)
            for text in ("*", ",", "null", "a.example", "//a.example", "https://")
        ),
        *(("FRONTEND_URL", f"https://a.example{end}") for end in ("/", "/x", "?x", "#x", ";x y/")),
        *(("FRONTEND_URL", text) for text in ("ftp://a.example", "javascript:x", "http://[::1")),
        ("FRONTEND_URL", "https://a.example https://b.example/"),
        *(("PUBLIC_URL", text) for text in ("chat.example", "https://", "ftp://x", "https://[::1")),
        *(("OIDC_ISSUER", f"https://{text}") for text in ("a:b@x", "x#y", "x y", "x\u00e9", "x\n")),
        *(("TRUSTED_PROXIES", text) for text in ("proxy", "10.0.0.0/33", "10.0.0.0/8;::1", "*")),
    ],
)
def test_a_faulty_variable_is_named(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that makes no sense is a fault that begins with the variable's name."""
    (fault,) = faults(monkeypatch, {name: text})

    assert fault.startswith(f"{name} ")


@pytest.mark.parametrize("text", ["redis://:hunter2#@cache", "hunter2", "redis://[hunter2"])
def test_a_password_is_not_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault of an address that holds a password does not repeat it."""
    assert "hunter2" not in str(faults(monkeypatch, {"REDIS_URL": text}))


def test_a_choice_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is none of a few words is told which they are."""
    (fault,) = faults(monkeypatch, {"LOG_LEVEL": "loud"})

    assert fault == "LOG_LEVEL must be 'debug', 'info', 'warning' or 'error'"


def test_all_faults_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start tells every fault: of single variables, of the secrets, of production."""
    found = faults(
        monkeypatch,
        {"NODE_ENV": "production", "PORT": "x", "LOG_LEVEL": "x", "JWT_SECRET": "short"},
    )

    assert [fault.partition(" ")[0] for fault in found] == [
        "PORT",
        "LOG_LEVEL",
        "JWT_SECRET",
        "JWT_REFRESH_SECRET",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"JWT_SECRET": ""}, "JWT_SECRET must be set in production"),
        ({"JWT_REFRESH_SECRET": ""}, "JWT_REFRESH_SECRET must be set in production"),
        ({"JWT_SECRET": "s" * 31}, "JWT_SECRET must have at least 32 bytes"),
        ({"JWT_REFRESH_SECRET": LONG}, "JWT_SECRET and JWT_REFRESH_SECRET must differ"),
        ({"PASSWORD_COST": "11"}, "PASSWORD_COST must be at least 12 in production"),
        ({"SMTP_URL": "smtp://h"}, "MAIL_FROM must be set with SMTP_URL in production"),
    ],
)
def test_production_forgives_nothing(
    change: Mapping[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In production secrets must be set, long and different, and passwords cost their full."""
    assert faults(monkeypatch, {**PRODUCTION, **change}) == [words]


def test_production_makes_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In production no secret is made or written, whether the start succeeds or not."""
    settings = load(monkeypatch, PRODUCTION)
    faults(monkeypatch, {"JWT_SECRET": ""})

    assert settings.production
    assert settings.jwt_secret.get_secret_value() == LONG
    assert list(tmp_path.iterdir()) == []


def test_bytes_count_not_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret's length is that of its bytes."""
    assert load(monkeypatch, {**PRODUCTION, "JWT_SECRET": "é" * 16}).production


def test_equal_secrets_are_refused_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two equal secrets are a fault in development, too, also where one of them is kept."""
    kept = load_settings().jwt_secret.get_secret_value()
    words = ["JWT_SECRET and JWT_REFRESH_SECRET must differ"]

    assert faults(monkeypatch, {"JWT_SECRET": "a", "JWT_REFRESH_SECRET": "a"}) == words
    monkeypatch.delenv("JWT_SECRET")
    assert faults(monkeypatch, {"JWT_REFRESH_SECRET": kept}) == words


def test_development_takes_short_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """In development a short secret of one's own is taken as it is."""
    assert load(monkeypatch, {"JWT_SECRET": "dev"}).jwt_secret.get_secret_value() == "dev"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings' text shows neither a secret nor the database's password."""
    uri = "mongodb://user:hunter2@db"
    settings = load(monkeypatch, {**SECRETS, "MONGODB_URI": uri})

    assert not any(word in repr(settings) + str(settings) for word in (LONG, OTHER, "hunter2"))


def test_made_up_secrets_are_kept(tmp_path: Path) -> None:
    """Secrets that were made up stay the same over restarts, and no other user can read them."""
    first, second = load_settings(data_dir=tmp_path / "d"), load_settings(data_dir=tmp_path / "d")
    files = sorted((tmp_path / "d").iterdir())

    assert first.jwt_secret == second.jwt_secret
    assert first.jwt_refresh_secret == second.jwt_refresh_secret
    assert first.jwt_secret != first.jwt_refresh_secret
    assert len(first.jwt_secret.get_secret_value()) >= 32
    assert [path.name for path in files] == ["jwt_refresh_secret", "jwt_secret"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o600]


def test_racing_threads_agree(tmp_path: Path) -> None:
    """First starts at once, in one process, end with one secret and no litter."""
    with ThreadPoolExecutor(8) as pool:
        found = {each.jwt_secret for each in pool.map(lambda _: load_settings(), range(32))}

    assert len(found) == 1
    assert len(list((tmp_path / "data").iterdir())) == 2


def test_racing_processes_agree() -> None:
    """Two first starts at once, in two processes, end with one secret."""
    script = "from chatme.settings import *;print(load_settings().jwt_secret.get_secret_value())"
    house = Path(__file__).parents[2]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(house)!r}); {script}"],
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    first, second = (process.communicate(timeout=30)[0] for process in started)

    assert first == second
    assert len(first.strip()) >= 32


def test_a_crashed_first_start_blocks_nobody(tmp_path: Path) -> None:
    """What an earlier process of the same id, as in a container, left behind stops no start."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / f".jwt_secret.{os.getpid()}").touch()

    assert load_settings().jwt_secret.get_secret_value()


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff\xfe"])
def test_a_damaged_secret_is_a_fault(content: bytes, tmp_path: Path) -> None:
    """A kept secret that lost its content, which anybody could forge with, is never used."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "jwt_secret").write_bytes(content)

    with pytest.raises(SettingsError, match="jwt_secret is damaged"):
        load_settings()


def test_a_data_folder_that_is_none_is_a_fault(tmp_path: Path) -> None:
    """A data folder that cannot be used is told like any other fault."""
    (tmp_path / "data").touch()

    with pytest.raises(SettingsError, match=r"^DATA_DIR data cannot be used"):
        load_settings()


def test_metrics_need_a_long_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is long enough is kept, and shown nowhere."""
    settings = load(monkeypatch, {"METRICS_TOKEN": LONG, "REDIS_URL": "redis://:secret@host/0"})

    assert settings.metrics_token is not None
    assert settings.metrics_token.get_secret_value() == LONG
    assert LONG not in repr(settings)
    assert "secret@" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"CLOUDINARY_API_KEY": "k"},
            "CLOUDINARY_CLOUD_NAME and CLOUDINARY_API_SECRET must be set as well, "
            "or nothing of Cloudinary's",
        ),
        (
            {"CLOUDINARY_CLOUD_NAME": "n", "CLOUDINARY_API_KEY": "k"},
            "CLOUDINARY_API_SECRET must be set as well, or nothing of Cloudinary's",
        ),
    ],
)
def test_an_account_is_whole_or_none(
    change: Mapping[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an account at Cloudinary is a fault at the start, not at the first upload."""
    assert faults(monkeypatch, change) == [words]
