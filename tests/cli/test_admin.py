"""`bkend admin create`: a console account for who holds the data directory (00 §8)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from bkend.cli import app
from bkend.core import open_core
from bkend.settings import Settings
from tests.cli.conftest import CommandLine

PASSWORD = "four brown horses"


def create(*arguments: str, password: str = PASSWORD) -> Any:
    command = ["admin", "create", *arguments, "--password-stdin"]
    return CliRunner().invoke(app, command, input=password + "\n", prog_name="bkend")


def test_it_owns_what_has_no_owner(bkend: CommandLine) -> None:
    made = bkend("init", "--json").json
    result = create("Ada@Example.com", "--name", "Ada Lovelace", "--json")
    assert result.exit_code == 0, result.stderr
    account = orjson.loads(result.stdout)
    assert (account["email"], account["name"]) == ("ada@example.com", "Ada Lovelace")
    assert account["isServerAdmin"] is True
    assert account["emailVerifiedAt"]
    assert account["organizations"] == [
        {
            "organizationId": made["organizationId"],
            "name": "Default",
            "slug": "default",
            "role": "owner",
        }
    ]
    assert "assword" not in result.stdout.replace("hasPassword", "").replace('"password"', "")
    second = create("bob@example.com", "--json")
    assert orjson.loads(second.stdout)["organizations"] == []
    assert orjson.loads(second.stdout)["name"] == "bob"


def test_people_read_a_sentence(bkend: CommandLine) -> None:
    bkend("init", "--json")
    result = create("a@example.com")
    assert result.exit_code == 0
    assert "Made the account a@example.com" in result.stdout
    assert "owns the organization Default" in result.stdout


@pytest.mark.parametrize(
    ("email", "password", "fragment"),
    [
        ("ada@example.com", "short", "at least 10 characters"),
        ("ada@example.com", "password12", "most common"),
        ("ada@example.com", "", "no password"),
        ("nobody", PASSWORD, "not a valid e-mail address"),
    ],
)
def test_what_is_refused(bkend: CommandLine, email: str, password: str, fragment: str) -> None:
    bkend("init", "--json")
    result = create(email, password=password)
    assert result.exit_code == 1
    assert result.stderr.startswith("bkend: ")
    assert fragment in result.stderr


def test_an_address_has_one_account(bkend: CommandLine) -> None:
    bkend("init", "--json")
    assert create("ada@example.com").exit_code == 0
    again = create("ADA@example.com")
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_mails_to_accounts_are_read_from_the_outbox(bkend: CommandLine) -> None:
    bkend("init", "--json")
    create("ada@example.com")

    async def ask() -> None:
        async with open_core(Settings(data=Path("bkend-data")), serving=False) as core:
            await core.tenants.signing_in.request_link("ada@example.com")

    asyncio.run(ask())
    [mail] = bkend("outbox", "--tenants", "--json").json["items"]
    assert (mail["to"], mail["template"]) == ("ada@example.com", "magic_link")
    assert "/console/magic?token=" in mail["links"][0]
    assert bkend("outbox", "--json").json["items"] == []
    assert "/console/magic?token=" in bkend("outbox", "--tenants").stdout


def test_without_a_terminal_the_password_comes_by_standard_input(bkend: CommandLine) -> None:
    bkend("init", "--json")
    assert "--password-stdin" in bkend.refused("admin", "create", "ada@example.com")
