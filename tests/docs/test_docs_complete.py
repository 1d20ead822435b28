"""What a reader may have to look up is documented: every error code, setting and command."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

import bkend
from bkend.cli import app
from bkend.docs.library import docs_directory
from bkend.settings import Settings

SOURCE = Path(bkend.__file__).parent
REFERENCE = docs_directory() / "reference"
CODE = re.compile(r"(auth|data|common|user|table|environment)/[a-z-]+")


def codes_of_the_source() -> dict[str, str]:
    """Every string of the source that is an error code, and a file that holds it."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and CODE.fullmatch(value):
                found[value] = path.relative_to(SOURCE).as_posix()
    return found


def codes_of_the_page() -> set[str]:
    page = (REFERENCE / "errors.md").read_text("utf-8")
    return set(re.findall(r"^\| `([a-z]+/[a-z-]+)` \| \d{3} \|", page, re.MULTILINE))


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below `command` that does something, by the words that call it."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, f"{path} {name}")
    else:
        yield path, command


COMMANDS = dict(commands(typer.main.get_command(app), "bkend"))


def section(heading: str) -> str:
    """The part of the command line page under `heading`, up to the next one."""
    page = (REFERENCE / "cli.md").read_text("utf-8")
    match = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL
    )
    assert match, f"docs/reference/cli.md has no section {heading!r}"
    return match.group(1)


def test_every_error_code_is_documented() -> None:
    missing = codes_of_the_source().keys() - codes_of_the_page()
    assert not missing


def test_every_documented_error_code_exists() -> None:
    assert not codes_of_the_page() - codes_of_the_source().keys()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_documented(field: str) -> None:
    page = (REFERENCE / "settings.md").read_text("utf-8")
    assert f"| `BKEND_{field.upper()}` |" in page


def test_every_documented_setting_exists() -> None:
    page = (REFERENCE / "settings.md").read_text("utf-8")
    documented = re.findall(r"^\| `BKEND_(\w+)` \|", page, re.MULTILINE)
    assert {name.lower() for name in documented} <= Settings.model_fields.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    text = section(name)
    for parameter in COMMANDS[name].params:
        shown = parameter.opts[-1] if isinstance(parameter, click.Option) else parameter.name
        assert str(shown).lower() in text.lower(), f"{name} {shown}"


def test_every_documented_command_exists() -> None:
    page = (REFERENCE / "cli.md").read_text("utf-8")
    assert set(re.findall(r"^## (bkend .+)$", page, re.MULTILINE)) <= COMMANDS.keys()
