"""`bkend auth settings` (00 §11)."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CommandLine


@pytest.fixture
def place(bkend: CommandLine) -> CommandLine:
    bkend("init")
    return bkend


def test_shows_the_settings_in_force(place: CommandLine) -> None:
    found = place("auth", "settings", "--project", "app", "--env", "dev", "--json").json
    assert found["accessTokenTtlSeconds"] == 3600
    assert found["allowSignup"] is True
    assert found["rateLimits.enabled"] is True
    text = place("auth", "settings").stdout
    assert "accessTokenTtlSeconds" in text
    assert "3600" in text


def test_changes_several_at_once_and_keeps_them(place: CommandLine) -> None:
    changes = ("--set", "accessTokenTtlSeconds=1", "--set", "allowSignup=false")
    changed = place("auth", "settings", *changes, "--json").json
    assert (changed["accessTokenTtlSeconds"], changed["allowSignup"]) == (1, False)
    assert place("auth", "settings", "--json").json == changed
    back = place("auth", "settings", "--set", "allowSignup=null", "--json").json
    assert (back["accessTokenTtlSeconds"], back["allowSignup"]) == (1, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("allowSignUp=true", "did you mean allowSignup?"),
        ("allowSignup=1", "allowSignup is true or false"),
        ("allowSignup=no", "allowSignup is true or false"),
        ("accessTokenTtlSeconds=0", "accessTokenTtlSeconds is a whole number"),
        ("accessTokenTtlSeconds=", "accessTokenTtlSeconds is a whole number"),
    ],
)
def test_refused_values_change_nothing(place: CommandLine, change: str, message: str) -> None:
    before = place("auth", "settings", "--json").json
    given = ("--set", "refreshReuseGraceSeconds=5", "--set", change)
    assert message in place.refused("auth", "settings", *given)
    assert place("auth", "settings", "--json").json == before


@pytest.mark.parametrize("change", ["allowSignup", "=true", ""])
def test_a_change_is_a_name_and_a_value(place: CommandLine, change: str) -> None:
    assert "write KEY=VALUE" in place("auth", "settings", "--set", change, code=2).stderr


def test_environments_are_apart(place: CommandLine) -> None:
    place("init", "--env", "prod")
    place("auth", "settings", "--env", "prod", "--set", "allowSignup=false")
    assert place("auth", "settings", "--env", "dev", "--json").json["allowSignup"] is True
