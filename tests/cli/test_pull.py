"""`bkend pull`: the tables of an environment as the file that `bkend apply` reads (00 §9)."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import CommandLine
from tests.cli.test_apply import apply
from tests.tables.designs import RICH

SMALL = """version: 1
tables:
  posts:
    fields:
      title: {type: string, required: true, maxLength: 200}
      views: {type: number, default: 0}
    indexes:
      - {name: by_views, fields: {views: -1, createdAt: 1}}
    permissions:
      user: {create: true, read: true, list: true}
      guest: {read: true}
    expressionPermissions: null
    columnPermissions:
      views: {write: admin}
    rowFilters: null
"""


@pytest.fixture
def place(bkend: CommandLine) -> CommandLine:
    bkend("init")
    return bkend


def test_the_file_is_written_as_people_write_it(place: CommandLine) -> None:
    apply(place, SMALL)
    Path("bkend.yaml").unlink()
    assert place("pull").stdout == "Wrote 1 table of app/dev to bkend.yaml.\n"
    assert Path("bkend.yaml").read_text() == SMALL


def test_applied_where_it_came_from_it_changes_nothing(place: CommandLine) -> None:
    apply(place, RICH)
    place("pull", "again.yaml")
    assert place("apply", "again.yaml", "--json").json == {"plan": [], "applied": False}
    place("init", "--env", "prod")
    place("apply", "again.yaml", "--env", "prod")
    pulled = place("pull", "-", "--env", "prod").stdout
    assert pulled == Path("again.yaml").read_text()


def test_a_dash_prints_the_file_and_json_what_it_holds(place: CommandLine) -> None:
    apply(place, RICH)
    text = place("pull", "-").stdout
    assert yaml.safe_load(text) == place("pull", "-", "--json").json
    assert list(yaml.safe_load(text)["tables"]) == ["Plain", "closed", "everything", "tricky"]


def test_without_tables_there_is_still_a_file(place: CommandLine) -> None:
    assert place("pull", "-").stdout == "version: 1\ntables: {}\n"
    assert place("pull", "--json").json == {"file": "bkend.yaml", "tables": [], "written": True}
    assert apply(place, Path("bkend.yaml").read_text(), "--json").json["plan"] == []


def test_another_file_is_replaced_only_with_force(place: CommandLine) -> None:
    apply(place, SMALL)
    file = Path("mine.yaml")
    file.write_text("mine")
    file.chmod(0o640)
    message = place.refused("pull", "mine.yaml")
    assert message == "mine.yaml is there already and differs; give --force to replace it"
    assert file.read_text() == "mine"
    assert place("pull", "mine.yaml", "--force", "--json").json["written"] is True
    assert file.read_text() == SMALL
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert place("pull", "mine.yaml").stdout == "mine.yaml already holds the tables of app/dev.\n"
    assert [path.name for path in Path().glob(".mine*")] == []


def test_a_file_that_cannot_be_written_is_one_line(place: CommandLine) -> None:
    assert place.refused("pull", "no/such.yaml") == (
        "cannot write no/such.yaml: No such file or directory"
    )
    Path("folder").mkdir()
    assert place.refused("pull", "folder").startswith("cannot write folder: ")


def test_what_cannot_be_applied_any_more_is_said(place: CommandLine) -> None:
    """Rules are checked when they are written, and a type may change after that."""
    rules = "    rowFilters: [{expression: user, filter: {views: {$gt: a}}}]\n"
    body = "version: 1\ntables:\n  t:\n    fields: {views: string}\n"
    apply(place, body + rules)
    apply(place, body.replace("string", "date"))
    Path("bkend.yaml").unlink()
    found = place("pull")
    assert found.stderr.startswith("bkend: `bkend apply` will refuse this file: ")
    assert "views" in found.stderr
