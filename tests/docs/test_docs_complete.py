"""What a reader may have to look up is documented: every error code, setting and command."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import bkend
from bkend.cli import app
from bkend.docs.library import docs_directory
from bkend.settings import Settings

SOURCE = Path(bkend.__file__).parent
ROOT = docs_directory().parent
REFERENCE = docs_directory() / "reference"
CODE = re.compile(
    r"(account|auth|common|cors|data|device|environment|file|invitation|member|organization|project"
    r"|setup|table|token|user)/[a-z-]+"
)


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


def commands(command: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Every command below `command` that does something: its words, its options and arguments."""
    children: dict[str, Any] = getattr(command, "commands", {})
    for name, child in children.items():
        yield from commands(child, f"{path} {name}")
    if not children:
        yield path, [max(parameter.opts, key=len) for parameter in command.params]


COMMANDS = dict(commands(typer.main.get_command(app), "bkend"))


def section(heading: str) -> str:
    """The part of the command line page under `heading`, up to the next one."""
    page = (REFERENCE / "cli.md").read_text("utf-8")
    match = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL
    )
    assert match, f"docs/reference/cli.md has no section {heading!r}"
    return match.group(1)


def dependencies() -> set[str]:
    """The packages that pyproject.toml and requirements/*.in name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = list(project["dependencies"])
    for path in (ROOT / "requirements").glob("*.in"):
        lines += [line for line in path.read_text("utf-8").splitlines() if line[:1].isalpha()]
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines}


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
    for option in COMMANDS[name]:
        shown = option if option.startswith("--") else option.upper()
        assert re.search(rf"`{shown}[ `]", text), f"{name} {shown}"


def test_every_documented_command_exists() -> None:
    page = (REFERENCE / "cli.md").read_text("utf-8")
    assert set(re.findall(r"^## (bkend .+)$", page, re.MULTILINE)) <= COMMANDS.keys()


@pytest.mark.parametrize("package", sorted(dependencies()))
def test_every_dependency_is_explained(package: str) -> None:
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/dependencies.md").read_text("utf-8"), re.M)
    assert any(f"`{package}`" in row for row in rows)


@pytest.mark.parametrize("folder", ["guides", "reference"])
def test_the_map_leads_to_every_page(folder: str) -> None:
    shown = (docs_directory() / "index.md").read_text("utf-8")
    pages = [f"{folder}/{page.name}" for page in (docs_directory() / folder).glob("*.md")]
    assert [page for page in pages if f"({page})" not in shown] == []
