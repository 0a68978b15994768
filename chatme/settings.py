"""All settings, read once, from the environment and `.env`; faults are reported together.

The names are those of `.env.example`. A missing secret is made up in development and kept in the
data folder with mode 0600; in production it is a fault.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from tempfile import mkstemp
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from chatme.rates import Rate, parse_rate
from chatme.relay import Mailbox, Relay, parse_mailbox, parse_relay
from chatme.wording import describe

MIN_SECRET_BYTES = 32
MAX_TOKEN_LIFE = timedelta(days=7)
_SECRETS = ("jwt_secret", "jwt_refresh_secret")
_CLOUDINARY = ("cloudinary_cloud_name", "cloudinary_api_key", "cloudinary_api_secret")
_UNITS: Mapping[str, int] = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)?", re.ASCII)

# What may stand behind "Bearer" (RFC 6750, 2.1), long enough not to be guessed.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}", re.ASCII)


class Environment(StrEnum):
    """Where the program runs: what is forgiven differs."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class SettingsError(Exception):
    """The configuration is faulty; ``faults`` says how, a line for each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


def _duration(value: object) -> object:
    """``15m``, ``7d``, ``90s``, ``500ms``, or a bare number of seconds."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError("must be a duration such as 15m, 12h or 7d")
    return timedelta(milliseconds=int(match[1]) * _UNITS[match[2] or "s"])


def _comma_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _origins(value: object) -> object:
    value = _comma_list(value)
    if value == ():
        raise ValueError("must list at least one origin")
    if isinstance(value, tuple):
        for origin in value:
            parts = urlsplit(str(origin))
            whole = f"{parts.scheme}://{parts.netloc}"
            if parts.scheme not in ("http", "https") or not parts.hostname or origin != whole:
                raise ValueError(
                    f"must list origins such as https://chat.example.org, not {origin}"
                )
    return value


def _address(value: object) -> object:
    """An address on the web without a slash at its end, so that paths can be put behind it."""
    if isinstance(value, str):
        parts = urlsplit(value)
        plain = value.isascii() and value.isprintable() and " " not in value
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise ValueError("must be an address such as https://id.example.org")
        if parts.fragment or parts.username is not None:
            raise ValueError("must hold neither a user nor a fragment")
        return value.rstrip("/")
    return value


def _networks(value: object) -> object:
    value = _comma_list(value)
    if isinstance(value, tuple):
        for network in value:
            ip_network(str(network), strict=False)
    return value


def _rate(value: object) -> object:
    return parse_rate(value) if isinstance(value, str) else value


def _relay(value: object) -> object:
    return parse_relay(value) if isinstance(value, str) else value


def _redis(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        if parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0:
            return value
    except ValueError:
        pass  # its words would show a part of the password
    raise ValueError("must be an address such as redis://localhost:6379/0")


def _token(value: object) -> object:
    if isinstance(value, str) and _TOKEN.fullmatch(value) is None:
        raise ValueError(
            "must have 16 to 512 letters, digits and -._~+/= alone (openssl rand -hex 32)"
        )
    return value


def _mailbox(value: object) -> object:
    return parse_mailbox(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Address = Annotated[str, BeforeValidator(_address)]


class Settings(BaseSettings):
    """What can be set; the field's name in capitals is the variable's name."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    app_env: Environment = Field(
        Environment.DEVELOPMENT, validation_alias=AliasChoices("app_env", "node_env")
    )
    host: str = "127.0.0.1"
    port: int = Field(3000, ge=0, le=65535)
    data_dir: Path = Path("data")
    mongodb_uri: SecretStr | None = None
    redis_url: Annotated[SecretStr | None, BeforeValidator(_redis)] = None
    jwt_secret: SecretStr = SecretStr("")
    jwt_refresh_secret: SecretStr = SecretStr("")
    jwt_expires_in: Annotated[Duration, Field(le=MAX_TOKEN_LIFE)] = timedelta(minutes=15)
    frontend_url: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = (
        "http://localhost:5173",
    )
    public_url: Address | None = None
    cookie_domain: str | None = None
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_networks)] = ()
    rate_limit_short: Annotated[Rate | None, NoDecode, BeforeValidator(_rate)] = Rate(10, 1)
    rate_limit_long: Annotated[Rate | None, NoDecode, BeforeValidator(_rate)] = Rate(100, 60)
    rate_limit_auth: Annotated[Rate | None, NoDecode, BeforeValidator(_rate)] = Rate(10, 60)
    ws_rate: Annotated[Rate | None, NoDecode, BeforeValidator(_rate)] = Rate(20, 1)
    ws_max_per_user: int = Field(10, ge=1, le=1000)
    password_cost: int = Field(12, ge=4, le=16)
    smtp_url: Annotated[Relay | None, NoDecode, BeforeValidator(_relay)] = None
    mail_from: Annotated[Mailbox | None, NoDecode, BeforeValidator(_mailbox)] = None
    google_client_id: str | None = None
    google_client_secret: SecretStr | None = None
    google_discovery_url: Address = "https://accounts.google.com/.well-known/openid-configuration"
    github_client_id: str | None = None
    github_client_secret: SecretStr | None = None
    github_base_url: Address = "https://github.com"
    github_api_url: Address = "https://api.github.com"
    oidc_issuer: Address | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    cloudinary_cloud_name: str | None = None
    cloudinary_api_key: str | None = None
    cloudinary_api_secret: SecretStr | None = None
    cloudinary_api_url: Address = "https://api.cloudinary.com"
    health_memory_limit_mb: int = Field(1024, ge=64)
    health_disk_free_mb: int = Field(256, ge=0)
    metrics_token: Annotated[SecretStr | None, BeforeValidator(_token)] = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """An empty variable is as good as none, but for a rate, which it turns off."""
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                source.env_vars = {
                    name: value
                    for name, value in source.env_vars.items()
                    if value or "rate" in name.lower().split("_")
                }
        return init_settings, env_settings, dotenv_settings

    @property
    def production(self) -> bool:
        """Whether nothing is forgiven."""
        return self.app_env is Environment.PRODUCTION


def load_settings(**overrides: Any) -> Settings:
    """The settings, checked whole, with secrets in place.

    Raises `SettingsError` with every fault at once.
    """
    faults: list[str] = []
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        found = {str(fault["loc"][0]): describe(fault) for fault in error.errors()}
        faults = [f"{name.upper()} {words}" for name, words in found.items()]
        # Once more, with defaults for what is faulty: what else is wrong is told as well.
        defaults = {name: Settings.model_fields[name].default for name in found}
        settings = Settings(**{**overrides, **defaults})
    faults += _faults(settings)
    if not faults:
        settings = _with_secrets(settings)
        faults = _faults(settings)
    if faults:
        raise SettingsError(faults)
    return settings


def _faults(settings: Settings) -> list[str]:
    """What no field shows alone: equal secrets, and what production does not forgive."""
    faults = []
    values = {name: getattr(settings, name).get_secret_value() for name in _SECRETS}
    for name, value in values.items():
        if settings.production and not value:
            faults.append(f"{name.upper()} must be set in production")
        elif settings.production and len(value.encode()) < MIN_SECRET_BYTES:
            faults.append(f"{name.upper()} must have at least {MIN_SECRET_BYTES} bytes")
    first, second = values.values()
    if first and first == second:
        faults.append("JWT_SECRET and JWT_REFRESH_SECRET must differ")
    if settings.production and settings.password_cost < 12:
        faults.append("PASSWORD_COST must be at least 12 in production")
    if settings.production and settings.smtp_url and not settings.mail_from:
        faults.append("MAIL_FROM must be set with SMTP_URL in production")
    unset = [name.upper() for name in _CLOUDINARY if getattr(settings, name) is None]
    if 0 < len(unset) < len(_CLOUDINARY):
        faults.append(f"{' and '.join(unset)} must be set as well, or nothing of Cloudinary's")
    return faults


def _with_secrets(settings: Settings) -> Settings:
    """Fills in the secrets that are not set."""
    made_up = {
        name: SecretStr(_kept_secret(settings.data_dir, name))
        for name in _SECRETS
        if not getattr(settings, name).get_secret_value()
    }
    return settings.model_copy(update=made_up)


def _kept_secret(folder: Path, name: str) -> str:
    """The secret kept in the data folder, made on first use; readable by its owner alone."""
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make_secret(path)
        value = path.read_text(errors="replace").strip()
    except OSError as error:
        raise SettingsError([f"DATA_DIR {folder} cannot be used: {error.strerror}"]) from None
    if len(value) < MIN_SECRET_BYTES:
        raise SettingsError([f"{path} is damaged: delete it, and a new secret is made"])
    return value


def _make_secret(path: Path) -> None:
    # Written aside and linked into place: two first starts at once agree on one secret, and a
    # crash leaves no half-written one behind.
    descriptor, draft = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
