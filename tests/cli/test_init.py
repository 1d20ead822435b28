"""`bkend init`: the first project, environment and keys (00 §8)."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

KEYS = [
    "organizationId",
    "projectId",
    "projectSlug",
    "environment",
    "publishableKey",
    "secretKey",
    "managementToken",
    "dataDir",
]


def test_the_first_run_makes_everything(bkend: CommandLine) -> None:
    made = bkend("init", "--json").json
    assert list(made) == KEYS
    assert (made["projectSlug"], made["environment"]) == ("app", "dev")
    assert re.fullmatch(r"pk_[0-9a-f]{64}", made["publishableKey"])
    assert re.fullmatch(r"sk_[0-9a-f]{64}", made["secretKey"])
    assert re.fullmatch(r"bt_[0-9a-f]{64}", made["managementToken"])
    assert made["dataDir"] == str(Path("bkend-data").absolute())
    assert stat.S_IMODE(Path("bkend-data").stat().st_mode) == 0o700
    assert stat.S_IMODE(Path("bkend-data/secret").stat().st_mode) == 0o600


def test_the_second_run_makes_nothing_and_shows_no_secrets(bkend: CommandLine) -> None:
    first = bkend("init", "--json").json
    second = bkend("init", "--json").json
    assert second == first | {"secretKey": None, "managementToken": None}


def test_names_may_be_given(bkend: CommandLine) -> None:
    made = bkend(
        "init", "--org", "Ada's", "--project", "shop", "--env", "prod", "--data", "x", "--json"
    ).json
    assert (made["projectSlug"], made["environment"]) == ("shop", "prod")
    assert made["dataDir"] == str(Path("x").absolute())
    assert not Path("bkend-data").exists()


def test_another_environment_is_added(bkend: CommandLine) -> None:
    first = bkend("init", "--json").json
    second = bkend("init", "--env", "prod", "--json").json
    assert second["projectId"] == first["projectId"]
    assert second["environment"] == "prod"
    assert second["publishableKey"] != first["publishableKey"]
    assert second["secretKey"] is not None


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--project", "Shop", "'Shop' cannot be a project slug"),
        ("--project", "ab", "'ab' cannot be a project slug"),
        ("--env", "Prod!", "'Prod!' cannot be an environment name"),
        ("--org", "", "the name of an organization has 1 to 100 characters"),
    ],
)
def test_malformed_names_are_refused(
    bkend: CommandLine, option: str, value: str, message: str
) -> None:
    assert bkend.refused("init", option, value).startswith(message)


def test_people_get_the_keys_and_the_next_step(bkend: CommandLine) -> None:
    text = bkend("init").stdout
    for part in ("app", "dev", "pk_", "sk_", "bt_", "shown only now", "bkend serve"):
        assert part in text
    again = bkend("init").stdout
    assert "pk_" in again
    assert "sk_" not in again
    assert "bt_" not in again


def test_the_data_directory_comes_from_the_environment(
    bkend: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BKEND_DATA", "from-variable")
    assert bkend("init", "--json").json["dataDir"].endswith("from-variable")
    Path("bkend.toml").write_text('data = "from-file"')
    monkeypatch.delenv("BKEND_DATA")
    assert bkend("init", "--json").json["dataDir"].endswith("from-file")


def test_a_file_in_place_of_the_directory_is_refused(bkend: CommandLine) -> None:
    Path("taken").write_text("x")
    assert bkend.refused("init", "--data", "taken") == (
        "taken is a file; name a directory for the data"
    )
