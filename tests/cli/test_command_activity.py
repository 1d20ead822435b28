"""What commands change in a data directory is reported, in the commit of the change (51 §3.11)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from bkend.cli import app
from bkend.core import open_core
from bkend.manage.activity import EVENTS
from bkend.manage.control import ACTIVITIES
from bkend.settings import Settings
from bkend.store import Find
from tests.cli.conftest import CommandLine
from tests.cli.test_commands import COMMANDS

TABLE = "version: 1\ntables:\n  posts:\n    fields: {a: string}\n"

Step = tuple[tuple[str, ...], str, list[str]]
"""The command, what stands in `bkend.yaml`, and the events, first to last."""

STEPS: list[Step] = [
    (
        ("init",),
        "",
        [
            "organization_created",
            "project_created",
            "environment_created",
            "access_token_created",
            "access_token_created",
            "access_token_created",
        ],
    ),
    (("init",), "", []),
    (("init", "--env", "prod"), "", ["environment_created", *["access_token_created"] * 3]),
    (("apply", "bkend.yaml", "--env", "dev"), TABLE, ["table_created"]),
    (("apply", "bkend.yaml", "--env", "dev"), TABLE, []),
    (
        ("apply", "bkend.yaml", "--env", "dev", "--yes"),
        TABLE.replace("a: string", "b: string") + "    permissions: {}\n",
        ["schema_applied"],
    ),
    (
        ("apply", "bkend.yaml", "--env", "dev"),
        TABLE.replace("a:", "b:") + "    indexes: [{name: i, fields: {b: 1}}]\n",
        ["index_updated"],
    ),
    (
        ("apply", "bkend.yaml", "--env", "dev"),
        TABLE.replace("a:", "b:") + "    permissions: null\n",
        ["permissions_updated"],
    ),
    (
        ("apply", "bkend.yaml", "--env", "dev"),
        TABLE.replace("a:", "b:") + "    displayName: P\n",
        ["table_updated"],
    ),
    (("promote", "--from", "dev", "--to", "prod", "--yes"), "", ["table_created"]),
    (
        ("keys", "create", "--type", "secret", "--name", "K", "--env", "dev"),
        "",
        ["access_token_created"],
    ),
    (("keys", "revoke", "{made}"), "", ["access_token_deleted"]),
    (("keys", "revoke", "{made}"), "", []),
    (
        ("auth", "settings", "--env", "dev", "--set", "allowSignup=false"),
        "",
        ["auth_config_updated"],
    ),
    (("auth", "settings", "--env", "dev"), "", []),
    (
        ("auth", "providers", "google", "--client-id", "c", "--disabled", "--env", "dev"),
        "",
        ["auth_config_updated"],
    ),
    (("auth", "providers", "google", "--remove", "--env", "dev"), "", ["auth_config_updated"]),
    (
        ("admin", "create", "ada@example.com", "--password-stdin"),
        "",
        ["organization_ownership_transferred"],
    ),
]
NOTHING_TO_REPORT = {
    "serve": "the server reports for itself",
    "pull": "reads",
    "keys list": "reads",
    "outbox": "reads",
    "doctor": "looks, and tidies up what belongs to nothing",
    "config": "reads",
    "version": "reads",
    "login": "the server reports it",
    "logout": "the server reports it",
    "secrets rotate": "of the server, in which no organization has a part",
    "secrets accept-loss": "of the server, in which no organization has a part",
}


def activities() -> list[dict[str, Any]]:
    """Everything reported, newest first."""

    async def read() -> list[dict[str, Any]]:
        async with open_core(Settings(), serving=False) as core:
            page = await core.database.control.find(Find(ACTIVITIES, limit=200))
            found: list[dict[str, Any]] = orjson.loads(page.items)
            return found

    return asyncio.run(read())


def test_every_command_is_asked_or_has_nothing_to_report() -> None:
    asked = {words for words in COMMANDS if any(s[: len(words)] == words for s, *_ in STEPS)}
    assert {" ".join(words) for words in COMMANDS.keys() - asked} == NOTHING_TO_REPORT.keys()


def test_every_change_is_reported(bkend: CommandLine) -> None:
    known: set[str] = set()
    made = ""
    for command, text, events in STEPS:
        Path("bkend.yaml").write_text(text)
        words = [made if word == "{made}" else word for word in command]
        result = CliRunner().invoke(app, [*words, "--json"], input="four brown horses\n")
        assert result.exit_code == 0, (command, result.output)
        if command[:2] == ("keys", "create"):
            made = orjson.loads(result.stdout)["id"]
        new = [one for one in activities() if one["id"] not in known]
        known |= {one["id"] for one in new}
        assert [one["event"] for one in reversed(new)] == events, command
        for one in new:
            assert one["actor"] == {"type": "system", "id": "", "name": "command line"}
            assert (one["entityType"], one["action"]) == EVENTS[one["event"]]
            assert one["target"]["id"]
            assert one["organizationId"].startswith("org_")


def test_what_was_changed_is_said(bkend: CommandLine) -> None:
    bkend("init")
    bkend("auth", "settings", "--set", "accessTokenTtlSeconds=900")
    said = activities()[0]
    assert (said["environment"], said["target"]["type"]) == ("dev", "auth_config")
    assert said["metadata"]["after"] == {"accessTokenTtlSeconds": 900}
    Path("bkend.yaml").write_text(TABLE)
    bkend("apply", "bkend.yaml")
    said = activities()[0]
    assert (said["event"], said["target"]["name"]) == ("table_created", "posts")
    assert said["message"] == "command line: table created posts"


@pytest.mark.parametrize(
    "command",
    [
        ("auth", "settings", "--set", "accessTokenTtlSeconds=0"),
        ("keys", "create", "--type", "secret", "--name", ""),
        ("keys", "revoke", "tok_none"),
        ("auth", "providers", "google", "--enabled"),
    ],
    ids="-".join,
)
def test_a_refused_change_is_not_reported(bkend: CommandLine, command: tuple[str, ...]) -> None:
    bkend("init")
    before = activities()
    bkend.refused(*command)
    assert activities() == before
