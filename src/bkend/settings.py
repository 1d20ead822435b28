"""Settings: their names, defaults and what they may be (00 §7). `settings_reading` reads them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bkend.http.addresses import parse_networks
from bkend.http.limits import parse_rate_limit
from bkend.machine import memory_mb
from bkend.mail.smtp_url import mask_smtp_url, parse_smtp_url
from bkend.objects.opening import DEFAULT_STORAGE, parse_storage_url
from bkend.objects.s3_url import S3Address, mask_s3_url

PREFIX = "BKEND_"
FILE = "bkend.toml"
SECRETS = frozenset(
    {
        "secret",
        "secret_previous",
        "console_google_client_secret",
        "console_github_client_secret",
    }
)
"""Settings whose value is never shown."""
DATABASE_URLS = frozenset({"database_url", "database_direct_url"})
"""Settings that may hold a password."""

_CACHE_SHARE = 16
_LEAST_CACHE_MB = 64
_MOST_CACHE_MB = 512
"""Recent records take a sixteenth of the memory, within these bounds."""
_MASK = "********"
_PASSWORD = re.compile(r"(^[^/]*//[^/@:]*:)[^@/]*(?=@)|([?&]password=)[^&]*")
RANGES = {
    "port": " from 1 to 65535",
    "workers": " from 1 to 256",
    "database_pool": " from 1 to 1000",
    "record_cache_mb": " from 0 to 100000",
    "download_url_seconds": " from 60 to 86400",
    "open_environments": " from 1 to 100000",
    "slow_query_ms": " from 0 to 600000",
    "trash_days": " from 0 to 3650",
    "activity_days": " from 1 to 3650",
    "max_projects": " from 1 to 1000000",
    "max_environments": " from 1 to 1000000",
    "max_origins": " from 1 to 1000",
    "image_cache_mb": " from 0 to 1000000",
    "image_workers": " from 1 to 64",
}
"""What a setting that is a number may be, as the end of a sentence."""


class Settings(BaseSettings):
    """The effective settings. Raises pydantic's ValidationError; see `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, toml_file=FILE, extra="forbid", frozen=True
    )

    data: Path = Path("bkend-data")
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8000, ge=1, le=65535)
    database_url: str | None = Field(default=None, repr=False)
    database_pool: int = Field(default=10, ge=1, le=1000)
    database_direct_url: str | None = Field(default=None, repr=False)
    database_transaction_pooling: Literal["off", "on"] = "off"
    record_cache_mb: int | None = Field(default=None, ge=0, le=100_000)
    storage_url: str = Field(default=DEFAULT_STORAGE, repr=False)
    smtp_url: str | None = Field(default=None, repr=False)
    secret: str | None = Field(default=None, repr=False)
    secret_previous: str | None = Field(default=None, repr=False)
    rate_limit: str = "100/200"
    slow_query_ms: int = Field(default=200, ge=0, le=600_000)
    log: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    public_url: str | None = None
    raw_url: str | None = None
    img_url: str | None = None
    image_cache_mb: int = Field(default=512, ge=0, le=1_000_000)
    image_workers: int = Field(default=2, ge=1, le=64)
    download_url_seconds: int = Field(default=3600, ge=60, le=86_400)
    workers: int = Field(default=1, ge=1, le=256)
    trusted_proxies: str = ""
    open_environments: int = Field(default=128, ge=1, le=100_000)
    trash_days: int = Field(default=7, ge=0, le=3650)
    activity_days: int = Field(default=365, ge=1, le=3650)
    max_projects: int | None = Field(default=None, ge=1, le=1_000_000)
    max_environments: int | None = Field(default=None, ge=1, le=1_000_000)
    max_origins: int = Field(default=20, ge=1, le=1000)
    console_google_client_id: str | None = None
    console_google_client_secret: str | None = Field(default=None, repr=False)
    console_github_client_id: str | None = None
    console_github_client_secret: str | None = Field(default=None, repr=False)
    signup: Literal["closed", "invite", "open"] = "invite"
    setup_token_required: Literal["off", "on"] = "off"  # noqa: S105  a switch

    @property
    def is_embedded(self) -> bool:
        """Whether the database is SQLite in the data directory."""
        return self.database_url in (None, "embedded")

    @property
    def record_cache_bytes(self) -> int:
        """How much memory recent records may take together."""
        mb = self.record_cache_mb
        if mb is None:
            mb = min(max(memory_mb() // _CACHE_SHARE, _LEAST_CACHE_MB), _MOST_CACHE_MB)
        return mb * 1024 * 1024

    @property
    def storage(self) -> Path | S3Address:
        """Where objects are kept: a folder, or a bucket."""
        return parse_storage_url(self.storage_url, self.data, os.environ)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("is true or false where a text or number is needed")
        return value

    @field_validator("setup_token_required", mode="before")
    @classmethod
    def _switch(cls, value: Any) -> Any:
        return {"0": "off", "1": "on", 0: "off", 1: "on"}.get(value, value)

    @field_validator("data", mode="before")
    @classmethod
    def _directory(cls, value: Any) -> Any:
        if value == "":
            raise ValueError("name a directory")
        return Path(value).expanduser() if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        if value in (None, "embedded"):
            return value
        return _postgresql(value, "embedded, or leave it out for SQLite; for PostgreSQL")

    @field_validator("database_direct_url")
    @classmethod
    def _direct(cls, value: str | None) -> str | None:
        return None if value is None else _postgresql(value, "the address past the pooler,")

    @field_validator("database_transaction_pooling")
    @classmethod
    def _pooling(cls, value: str, info: ValidationInfo) -> str:
        if value == "on" and not info.data.get("database_direct_url"):
            raise ValueError(
                "set BKEND_DATABASE_DIRECT_URL too, an address that leads past the pooler"
            )
        return value

    @field_validator("storage_url")
    @classmethod
    def _storage(cls, value: str) -> str:
        parse_storage_url(value, Path(), os.environ)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail(cls, value: str | None) -> str | None:
        if value is not None:
            parse_smtp_url(value)
        return value

    @field_validator("rate_limit")
    @classmethod
    def _rate(cls, value: str) -> str:
        try:
            parse_rate_limit(value)
        except ValueError:
            raise ValueError("write off, or requests a second/burst such as 100/200") from None
        return value

    @field_validator("public_url", "raw_url", "img_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("write a URL such as https://api.example.com")
        return value.rstrip("/")

    @field_validator("workers")
    @classmethod
    def _processes(cls, value: int, info: ValidationInfo) -> int:
        if value == 1:
            return value
        if not str(info.data.get("database_url") or "").startswith("postgres"):
            raise ValueError(
                "the embedded database is served by exactly one process; write 1, or set "
                "BKEND_DATABASE_URL to a PostgreSQL database"
            )
        if not sys.platform.startswith("linux"):
            raise ValueError("several processes on one port need Linux; write 1")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            parse_networks(value)
        except ValueError:
            raise ValueError(
                "write addresses or networks with commas, such as 127.0.0.1, 10.0.0.0/8"
            ) from None
        return value


def fault_of(name: str, value: Any) -> tuple[str, str] | None:
    """What is wrong with a value for a setting that is a number or one of some words: the rule
    that it breaks and a sentence; None when nothing is."""
    field = Settings.model_fields[name]
    wanted: Any = field.annotation
    if field.metadata:
        wanted = Annotated[wanted, *field.metadata]
    try:
        TypeAdapter(wanted).validate_python(value, strict=True)
    except ValidationError:
        words = [word for word in get_args(field.annotation) if isinstance(word, str)]
        if words:
            return "enum", f"is {', '.join(words)}"
        rule = "range" if type(value) is int else "type"
        return rule, f"is a whole number{RANGES.get(name, '')}"
    return None


def masked(name: str, value: Any) -> Any:
    """The value of a setting as it may be shown."""
    if value is None:
        return None
    if name in SECRETS:
        return _MASK
    if name == "smtp_url":
        return mask_smtp_url(str(value), _MASK)
    if name == "storage_url":
        return mask_s3_url(str(value), _MASK)
    if name in DATABASE_URLS:
        return _PASSWORD.sub(rf"\g<1>\g<2>{_MASK}", str(value))
    return str(value) if isinstance(value, Path) else value


def _postgresql(value: str | None, otherwise: str) -> str:
    """The address, when it can be one of a PostgreSQL database; ValueError when not."""
    try:
        parts = urlsplit(value or "")
        good = parts.scheme in ("postgresql", "postgres") and bool(parts.path.strip("/"))
        good = good and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"write {otherwise} postgresql://USER:PASSWORD@HOST/DATABASE")
    return str(value)
