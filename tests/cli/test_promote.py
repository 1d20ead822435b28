"""`bkend promote`: the tables of one environment become what they are in another."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bkend.core import open_core
from bkend.settings import Settings
from bkend.store import Insert
from tests.cli.conftest import CommandLine
from tests.cli.test_apply import Terminal
from tests.tables.designs import RICH

DEV = """version: 1
tables:
  posts:
    fields: {title: string, summary: {type: string, maxLength: 500}}
    permissions: {user: {create: true, read: true}}
"""
PROD = """version: 1
tables:
  imports: {fields: {line: string}}
  posts:
    fields: {title: string, legacy: string}
"""


@pytest.fixture
def place(bkend: CommandLine) -> CommandLine:
    """Environments `dev` and `prod` that differ, with a row in `prod` that would lose a value."""
    for env, text in (("dev", DEV), ("prod", PROD)):
        bkend("init", "--env", env)
        Path("bkend.yaml").write_text(text)
        bkend("apply", "bkend.yaml", "--env", env)

    async def fill() -> None:
        async with open_core(Settings(), serving=False) as core:
            found = await core.hierarchy.place("app", "prod")
            environment = await core.environments.get(found.environment_id)
            assert environment is not None
            live = await environment.services.tables.get("posts")
            assert live is not None
            row = Insert(live.table.collection, "r1", {"title": "a", "legacy": "b"}, 0, 0)
            await environment.store.commit([row])

    asyncio.run(fill())
    return bkend


def pulled(bkend: CommandLine, env: str) -> str:
    return bkend("pull", "-", "--env", env).stdout


def promote(bkend: CommandLine, *options: str, code: int = 0) -> str:
    found = bkend("promote", "--from", "dev", "--to", "prod", *options, code=code)
    return found.stdout + found.stderr


def test_the_plan_is_printed_and_nothing_is_changed_unasked(place: CommandLine) -> None:
    before = pulled(place, "prod")
    plan = [
        "Plan for app/prod, to become as app/dev:",
        "",
        "~ table posts",
        "  - field legacy: 1 row hold a value; it is erased for good",
        "  + field summary: string, maxLength 500",
        "  ~ permissions: user create read",
        "",
        "Not in app/dev, left alone: imports",
        "",
        "Not promoted: records, users, files, keys, settings of sign-in, providers and their "
        "secrets, mail templates.",
    ]
    assert promote(place, "--dry-run").splitlines() == plan
    assert promote(place, code=1).splitlines() == [
        *plan,
        "bkend: this would lose data, nothing was changed; give --yes to do it",
    ]
    assert pulled(place, "prod") == before


def test_afterwards_the_tables_are_the_same_and_others_are_left_alone(place: CommandLine) -> None:
    assert promote(place, "--yes").splitlines()[-1] == "Done: posts."
    theirs, ours = pulled(place, "dev"), pulled(place, "prod")
    assert ours.endswith(theirs.partition("tables:\n")[2])
    assert "imports" in ours
    assert "Nothing to do: the tables of app/prod are as those of app/dev." in promote(place)
    found = place("promote", "--from", "dev", "--to", "prod", "--json").json
    assert found == {"from": "app/dev", "to": "app/prod", "plan": [], "applied": False}


def test_rich_tables_come_over_whole(place: CommandLine) -> None:
    place("init", "--env", "qa")
    Path("bkend.yaml").write_text(RICH)
    place("apply", "bkend.yaml", "--env", "qa")
    found = place("promote", "--from", "qa", "--to", "dev", "--yes", "--json").json
    assert found["applied"] is True
    assert place("pull", "-", "--env", "dev", "--json").json["tables"].items() >= (
        place("pull", "-", "--env", "qa", "--json").json["tables"].items()
    )


def test_json_never_asks(place: CommandLine) -> None:
    found = place("promote", "--from", "dev", "--to", "prod", "--json", code=1)
    assert found.json["applied"] is False
    assert [step["losesData"] for step in found.json["plan"]] == [True, False, False]
    assert "give --yes" in found.stderr


def test_without_a_loss_it_asks_too(place: CommandLine) -> None:
    place("init", "--env", "empty")
    found = place("promote", "--from", "dev", "--to", "empty", code=1)
    assert found.stderr == "bkend: nothing was changed; give --yes to do it\n"
    asked = Terminal("promote", "--from", "dev", "--to", "empty")
    asked.read_until("This changes the tables. Go on? [y/N]")
    asked.write("y\n")
    assert asked.end() == 0
    assert pulled(place, "empty") == pulled(place, "dev")


def test_what_is_no_promotion(place: CommandLine) -> None:
    assert "the same environment" in place.refused("promote", "--from", "dev", "--to", "dev")
    assert "no environment 'none'" in place.refused("promote", "--from", "dev", "--to", "none")
    assert "--to" in place("promote", "--from", "dev", code=2).stderr
