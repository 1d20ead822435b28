"""`bkend config` and `bkend version`."""

from __future__ import annotations

import platform
from pathlib import Path

import apsw
import pytest

from bkend import __version__
from bkend.settings import Settings
from tests.cli.conftest import CommandLine


def test_version(bkend: CommandLine) -> None:
    assert bkend("version", "--json").json == {
        "bkend": __version__,
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
    }
    assert bkend("version").stdout.splitlines() == [
        f"bkend {__version__}",
        f"Python {platform.python_version()}",
        f"SQLite {apsw.sqlite_lib_version()}",
    ]
    assert bkend("--version").stdout == f"bkend {__version__}\n"


def test_config_names_every_setting_with_its_source(
    bkend: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bkend.toml").write_text('log = "json"')
    monkeypatch.setenv("BKEND_PORT", "9000")
    items = bkend("config", "--data", "x", "--json").json["items"]
    assert [item["name"] for item in items] == list(Settings.model_fields)
    found = {item["variable"]: (item["value"], item["source"]) for item in items}
    assert found["BKEND_DATA"] == ("x", "flag")
    assert found["BKEND_PORT"] == (9000, "environment BKEND_PORT")
    assert found["BKEND_LOG"] == ("json", "bkend.toml")
    assert found["BKEND_HOST"] == ("127.0.0.1", "default")
    assert found["BKEND_SECRET"] == (None, "default")
    text = bkend("config").stdout
    assert "environment BKEND_PORT" in text
    assert "trusted_proxies" in text


def test_config_masks_secrets(bkend: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BKEND_SECRET", "hunter2" * 8)
    for found in (bkend("config"), bkend("config", "--json")):
        assert "hunter2" not in found.stdout
        assert "********" in found.stdout


def test_neither_touches_the_data_directory(bkend: CommandLine) -> None:
    bkend("config")
    bkend("version")
    assert not Path("bkend-data").exists()
