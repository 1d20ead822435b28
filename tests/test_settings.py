"""Settings: where they come from, what is refused, and how it is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bkend.settings import Settings, masked
from bkend.settings_reading import SettingsProblem, load_settings

GOOD = [
    ("BKEND_DATA", "/var/lib/bkend", "data", Path("/var/lib/bkend")),
    ("BKEND_DATA", "~/data", "data", Path.home() / "data"),
    ("BKEND_HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("BKEND_HOST", "::1", "host", "::1"),
    ("BKEND_PORT", "1", "port", 1),
    ("BKEND_PORT", "65535", "port", 65535),
    ("BKEND_DATABASE_URL", "embedded", "database_url", "embedded"),
    ("BKEND_SECRET", "x" * 32, "secret", "x" * 32),
    ("BKEND_RATE_LIMIT", "off", "rate_limit", "off"),
    ("BKEND_RATE_LIMIT", "5/10", "rate_limit", "5/10"),
    ("BKEND_LOG", "json", "log", "json"),
    ("BKEND_LOG_LEVEL", "debug", "log_level", "debug"),
    ("BKEND_PUBLIC_URL", "https://api.example.com", "public_url", "https://api.example.com"),
    ("BKEND_PUBLIC_URL", "http://x.test:99/api/", "public_url", "http://x.test:99/api"),
    ("BKEND_WORKERS", "1", "workers", 1),
    ("BKEND_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8, ::1", "trusted_proxies", None),
    ("bkend_port", "9000", "port", 9000),
]

BAD = [
    ("BKEND_PORT", "0", "BKEND_PORT '0': write a whole number from 1 to 65535"),
    ("BKEND_PORT", "65536", "BKEND_PORT '65536': write a whole number from 1 to 65535"),
    ("BKEND_PORT", "http", "BKEND_PORT 'http': write a whole number from 1 to 65535"),
    ("BKEND_PORT", "80.5", "BKEND_PORT '80.5': write a whole number from 1 to 65535"),
    ("bkend_Port", "x", "bkend_Port 'x': write a whole number from 1 to 65535"),
    (
        "BKEND_DATABASE_URL",
        "mysql://ada:hunter2@db/app",
        "BKEND_DATABASE_URL: write embedded, or leave it out for SQLite; for PostgreSQL "
        "postgresql://USER:PASSWORD@HOST/DATABASE",
    ),
    (
        "BKEND_DATABASE_URL",
        "postgresql://db",
        "BKEND_DATABASE_URL: write embedded, or leave it out for SQLite; for PostgreSQL "
        "postgresql://USER:PASSWORD@HOST/DATABASE",
    ),
    (
        "BKEND_DATABASE_DIRECT_URL",
        "db:5432",
        "BKEND_DATABASE_DIRECT_URL: write the address past the pooler, "
        "postgresql://USER:PASSWORD@HOST/DATABASE",
    ),
    (
        "BKEND_DATABASE_TRANSACTION_POOLING",
        "on",
        "BKEND_DATABASE_TRANSACTION_POOLING 'on': set BKEND_DATABASE_DIRECT_URL too, "
        "an address that leads past the pooler",
    ),
    (
        "BKEND_DATABASE_POOL",
        "0",
        "BKEND_DATABASE_POOL '0': write a whole number from 1 to 1000",
    ),
    (
        "BKEND_RECORD_CACHE_MB",
        "-1",
        "BKEND_RECORD_CACHE_MB '-1': write a whole number from 0 to 100000",
    ),
    (
        "BKEND_RATE_LIMIT",
        "0/1",
        "BKEND_RATE_LIMIT '0/1': write off, or requests a second/burst such as 100/200",
    ),
    (
        "BKEND_RATE_LIMIT",
        "fast",
        "BKEND_RATE_LIMIT 'fast': write off, or requests a second/burst such as 100/200",
    ),
    ("BKEND_LOG", "xml", "BKEND_LOG 'xml': write text or json"),
    (
        "BKEND_LOG_LEVEL",
        "INFO",
        "BKEND_LOG_LEVEL 'INFO': write debug, info, warning or error",
    ),
    (
        "BKEND_WORKERS",
        "4",
        "BKEND_WORKERS '4': the embedded database is served by exactly one process; write 1, "
        "or set BKEND_DATABASE_URL to a PostgreSQL database",
    ),
    (
        "BKEND_TRUSTED_PROXIES",
        "127.0.0.1, proxy",
        "BKEND_TRUSTED_PROXIES '127.0.0.1, proxy': write addresses or networks with commas, "
        "such as 127.0.0.1, 10.0.0.0/8",
    ),
    ("BKEND_PROT", "1", "BKEND_PROT is not a setting; the nearest one is BKEND_PORT"),
    ("BKEND_LOGLEVEL", "x", "BKEND_LOGLEVEL is not a setting; the nearest one is BKEND_LOG_LEVEL"),
    (
        "BKEND_REDIS_URL",
        "redis://x",
        "BKEND_REDIS_URL: shared state of several hosts is not supported by this version yet; "
        "remove it",
    ),
    (
        "BKEND_STORAGE_URL",
        "s3://ada:hunter2@host",
        "BKEND_STORAGE_URL: name the bucket after the host, or the region: "
        "write s3://KEY:SECRET@HOST[:PORT]/BUCKET[/PREFIX]?region=…",
    ),
    (
        "BKEND_SMTP_URL",
        "mail.example.com",
        "BKEND_SMTP_URL: write smtp://USER:PASSWORD@HOST:587, or smtps://USER:PASSWORD@HOST:465; "
        "percent-encode special characters of the password",
    ),
    (
        "BKEND_REDIS_URL",
        "redis://x",
        "BKEND_REDIS_URL: shared state of several hosts is not supported by this version yet; "
        "remove it",
    ),
    (
        "BKEND_RAW_URL",
        "x",
        "BKEND_RAW_URL 'x': write a URL such as https://api.example.com",
    ),
    (
        "BKEND_DOWNLOAD_URL_SECONDS",
        "59",
        "BKEND_DOWNLOAD_URL_SECONDS '59': write a whole number from 60 to 86400",
    ),
    (
        "BKEND_IMG_URL",
        "x",
        "BKEND_IMG_URL 'x': write a URL such as https://api.example.com",
    ),
    (
        "BKEND_IMAGE_CACHE_MB",
        "-1",
        "BKEND_IMAGE_CACHE_MB '-1': write a whole number from 0 to 1000000",
    ),
    (
        "BKEND_IMAGE_WORKERS",
        "0",
        "BKEND_IMAGE_WORKERS '0': write a whole number from 1 to 64",
    ),
]


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("BKEND_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def problems() -> list[str]:
    with pytest.raises(SettingsProblem) as caught:
        load_settings()
    return str(caught.value).splitlines()


def test_defaults() -> None:
    loaded = load_settings()
    assert loaded.settings == Settings()
    assert loaded.settings.data == Path("bkend-data")
    assert loaded.settings.host == "127.0.0.1"
    assert loaded.settings.port == 8000
    assert loaded.settings.rate_limit == "100/200"
    assert set(loaded.sources.values()) == {"default"}
    assert loaded.sources.keys() == Settings.model_fields.keys()


def test_flag_beats_environment_beats_file_beats_default(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bkend.toml").write_text('host = "1.1.1.1"\nport = 1\nlog = "json"\n')
    monkeypatch.setenv("BKEND_HOST", "2.2.2.2")
    monkeypatch.setenv("BKEND_PORT", "2")
    loaded = load_settings(port=3)
    found = loaded.settings
    assert (found.port, found.host, found.log, found.log_level) == (3, "2.2.2.2", "json", "info")
    assert {name: loaded.sources[name] for name in ("port", "host", "log", "log_level")} == {
        "port": "flag",
        "host": "environment BKEND_HOST",
        "log": "bkend.toml",
        "log_level": "default",
    }


def test_a_flag_that_is_not_given_does_not_count() -> None:
    assert load_settings(port=None).sources["port"] == "default"


@pytest.mark.parametrize(("name", "text", "field", "value"), GOOD)
def test_values_that_are_accepted(
    name: str, text: str, field: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    loaded = load_settings()
    assert getattr(loaded.settings, field) == (text if value is None else value)
    assert loaded.sources[field] == f"environment {name}"


@pytest.mark.parametrize(("name", "text", "problem"), BAD)
def test_values_that_are_refused(
    name: str, text: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    assert problems() == [problem]


@pytest.mark.parametrize(
    "url",
    ["api.example.com", "ftp://x", "https://", "https://u:p@x", "https://x?a=1", "http://[x", "x"],
)
def test_public_url_is_a_plain_web_address(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BKEND_PUBLIC_URL", url)
    assert "write a URL such as https://api.example.com" in problems()[0]


@pytest.mark.parametrize(
    "name",
    ["BKEND_TEST_URL", "BKEND_BENCH_SECONDS", "BKEND_URL", "BKEND_KEY", "BKEND_TOKEN", "NOT_BKEND"],
)
def test_variables_of_others_are_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    assert set(load_settings().sources.values()) == {"default"}


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BKEND_PORT", "")
    monkeypatch.setenv("BKEND_SMTP_URL", "")
    assert load_settings().sources["port"] == "default"


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bkend.toml").write_text(
        'hots = "x"\nhost = 5\nport = true\nLog = "json"\nredis_url = "x"\nlog-level = "info"\n'
    )
    monkeypatch.setenv("BKEND_WORKERS", "2")
    monkeypatch.setenv("BKEND_FOO_BAR", "2")
    assert [line.split(";")[0] for line in problems()] == [
        "BKEND_FOO_BAR is not a setting",
        "bkend.toml: hots is not a setting",
        "bkend.toml: Log is not a setting",
        "bkend.toml: redis_url: shared state of several hosts is not supported by this version yet",
        "bkend.toml: log-level is not a setting",
        "bkend.toml: host 5: write a text",
        "bkend.toml: port True: is true or false where a text or number is needed",
        "BKEND_WORKERS '2': the embedded database is served by exactly one process",
    ]


def test_flags_are_named_as_flags() -> None:
    with pytest.raises(SettingsProblem, match=r"^--workers 2: the embedded database"):
        load_settings(workers=2)
    with pytest.raises(SettingsProblem, match=r"^--data '': name a directory$"):
        load_settings(data="")
    with pytest.raises(SettingsProblem, match=r"^--host '': write an address"):
        load_settings(host="")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"port =", "bkend.toml is not valid TOML: "),
        (b"\xff", "bkend.toml is not valid TOML: "),
    ],
)
def test_a_file_that_is_no_toml_is_refused(content: bytes, problem: str) -> None:
    Path("bkend.toml").write_bytes(content)
    [line] = problems()
    assert line.startswith(problem)


def test_a_directory_in_place_of_the_file_is_refused() -> None:
    Path("bkend.toml").mkdir()
    assert problems() == ["cannot read bkend.toml: Is a directory"]


def test_the_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BKEND_SECRET", "hunter2" * 8)
    assert "hunter2" not in repr(load_settings().settings)
    Path("bkend.toml").write_text("secret = 5\nport = 0")
    monkeypatch.delenv("BKEND_SECRET")
    assert problems()[1] == "bkend.toml: secret: write a text"


def test_the_password_of_a_database_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BKEND_DATABASE_URL", "mysql://ada:hunter2@db/app")
    assert "hunter2" not in "".join(problems())
    monkeypatch.setenv("BKEND_DATABASE_URL", "postgres://ada:hunter2@db/app")
    assert "hunter2" not in repr(load_settings().settings)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://ada:hunter2@db:5/app", "postgres://ada:********@db:5/app"),
        ("postgres://ada@db:5432/app", "postgres://ada@db:5432/app"),
        (
            "postgres:///app?host=/run&password=x&port=1",
            "postgres:///app?host=/run&password=********&port=1",
        ),
    ],
)
def test_a_database_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert masked("database_url", url) == masked("database_direct_url", url) == shown


def test_the_secret_of_a_bucket_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "s3://ada:hunter2@s3.example.com/files?region=eu-1"
    monkeypatch.setenv("BKEND_STORAGE_URL", url)
    assert "hunter2" not in repr(load_settings().settings)
    assert masked("storage_url", url) == "s3://ada:********@s3.example.com/files?region=eu-1"
    monkeypatch.setenv("BKEND_STORAGE_URL", f"{url}&tls=5")
    assert problems() == ["BKEND_STORAGE_URL: tls is on or off"]
