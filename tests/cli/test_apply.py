"""`bkend apply`: the plan, asking before data is lost, and doing it (00 §9)."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bkend.core import open_core
from bkend.settings import Settings
from bkend.store import Insert, Store
from bkend.tables.models import Table
from tests.cli.conftest import CommandLine
from tests.servers import clean_environment

POSTS = """version: 1
tables:
  posts:
    fields:
      title: {type: string, required: true}
      slug: {type: string}
    permissions:
      user: {create: true, read: true}
"""
FEWER = POSTS.replace("      slug: {type: string}\n", "")
UNIQUE = POSTS.replace("slug: {type: string}", "slug: {type: string, unique: true}")


@pytest.fixture
def place(bkend: CommandLine) -> CommandLine:
    """An environment with the table posts and two rows of equal slugs."""
    bkend("init")
    apply(bkend, POSTS)
    with_posts(fill)
    return bkend


def apply(bkend: CommandLine, text: str, *options: str, code: int = 0) -> Any:
    Path("bkend.yaml").write_text(text)
    return bkend("apply", "bkend.yaml", *options, code=code)


async def fill(store: Store, table: Table) -> None:
    rows = ({"title": "a", "slug": "same"}, {"title": "b", "slug": "same"}, {"title": "c"})
    await store.commit(
        [Insert(table.collection, f"r{place}", row, 1000, 1000) for place, row in enumerate(rows)]
    )


async def nothing(store: Store, table: Table) -> None:
    pass


def with_posts(work: Callable[[Store, Table], Awaitable[None]] = nothing) -> Table:
    """The table posts of this directory's data, after some work on its store."""

    async def run() -> Table:
        async with open_core(Settings(), serving=False) as core:
            found = await core.hierarchy.place(None, None)
            environment = await core.environments.get(found.environment_id)
            assert environment is not None
            live = await environment.services.tables.get("posts")
            assert live is not None
            await work(environment.store, live.table)
            return live.table

    return asyncio.run(run())


def test_the_plan_is_printed_and_carried_out(bkend: CommandLine) -> None:
    bkend("init")
    text = apply(bkend, POSTS).stdout
    assert text.splitlines() == [
        "Plan for app/dev:",
        "",
        "+ table posts: 2 fields",
        "  + field title: string, required",
        "  + field slug: string",
        "  + permissions: user create read",
        "",
        "Done: posts.",
    ]
    assert list(with_posts().schema["properties"]) == ["title", "slug"]


def test_the_second_time_there_is_nothing_to_do(place: CommandLine) -> None:
    assert apply(place, POSTS).stdout == (
        "Nothing to do: the tables of app/dev are as the file declares.\n"
    )
    assert apply(place, POSTS, "--json").json == {"plan": [], "applied": False}


def test_dry_run_changes_nothing(place: CommandLine) -> None:
    text = apply(place, FEWER, "--dry-run").stdout
    assert "- field slug: 2 rows hold a value; it is erased for good" in text
    assert "Done" not in text
    assert apply(place, FEWER, "--dry-run", "--json").json["applied"] is False
    assert "slug" in with_posts().schema["properties"]


def test_json_prints_one_document(place: CommandLine) -> None:
    changed = UNIQUE.replace("slug:", "body: {type: string}\n      slug:").replace(
        ", unique: true", ""
    )
    found = apply(place, changed.replace("read: true", "read: false"), "--json")
    assert found.json == {
        "plan": [
            {
                "table": "posts",
                "action": "addField",
                "detail": "body: string",
                "losesData": False,
            },
            {
                "table": "posts",
                "action": "setPermissions",
                "detail": "user create",
                "losesData": False,
            },
        ],
        "applied": True,
    }
    assert found.stderr == ""


RULES = (
    POSTS
    + """    expressionPermissions: {read: public, update: "role:editor | self"}
    columnPermissions:
      slug: {read: user, write: admin}
    rowFilters:
      - {expression: guest, filter: {slug: {$in: [a, b]}}}
      - {expression: user, filter: {owners: $userId}}
"""
)


def test_rules_are_part_of_the_plan(place: CommandLine) -> None:
    text = apply(place, RULES, "--dry-run").stdout
    assert text.splitlines()[2:6] == [
        "~ table posts",
        "  ~ expression permissions: read: public; update: role:editor | self",
        "  ~ column permissions: slug read user, write admin",
        '  ~ row filters: guest {"slug":{"$in":["a","b"]}}; user {"owners":"$userId"}',
    ]
    assert with_posts().row_filters is None
    found = apply(place, RULES, "--json").json
    assert [step["action"] for step in found["plan"]] == [
        "setExpressionPermissions",
        "setColumnPermissions",
        "setRowFilters",
    ]
    assert not any(step["losesData"] for step in found["plan"])
    assert with_posts().expression_permissions == {"read": "public", "update": "role:editor | self"}
    assert apply(place, RULES, "--json").json == {"plan": [], "applied": False}


def test_problems_of_rules_name_their_lines(place: CommandLine) -> None:
    wrong = (
        RULES.replace("role:editor", "roles:editor")
        .replace("write: admin", "write: Admin")
        .replace("$in: [a, b]", "$in: a")
    )
    stderr = apply(place, wrong, code=1).stderr
    assert "bkend.yaml line 9: expressionPermissions.update: 'roles:editor | self'" in stderr
    assert "bkend.yaml line 11: columnPermissions.slug.write: 'Admin'" in stderr
    assert "bkend.yaml line 13: rowFilters[0].filter: $in takes an array" in stderr
    assert with_posts().row_filters is None


def test_without_a_terminal_and_yes_losing_data_is_refused(place: CommandLine) -> None:
    found = apply(place, FEWER, code=1)
    assert found.stderr == "bkend: this would lose data, nothing was changed; give --yes to do it\n"
    assert "- field slug" in found.stdout
    found = apply(place, FEWER, "--json", code=1)
    assert found.json["applied"] is False
    assert found.json["plan"][0]["losesData"] is True
    assert "slug" in with_posts().schema["properties"]


def test_yes_answers_beforehand(place: CommandLine) -> None:
    assert apply(place, FEWER, "--yes", "--json").json["applied"] is True
    assert "slug" not in with_posts().schema["properties"]


def test_a_unique_index_over_duplicates_is_refused_with_what_was_done(place: CommandLine) -> None:
    text = UNIQUE.replace("  posts:", "  first: {fields: {a: string}}\n  posts:")
    found = apply(place, text, code=1)
    assert found.stderr.splitlines() == [
        "bkend: a unique index on slug of 'posts' meets rows with equal values, "
        'for example "same"; '
        "nothing was changed in posts",
        "bkend: already done: first",
    ]
    assert with_posts().indexes == ()


def test_tables_that_are_not_in_the_file_are_left_alone(place: CommandLine) -> None:
    text = apply(place, "version: 1\ntables: {}").stdout
    assert "Not in the file, left alone: posts" in text
    assert with_posts().name == "posts"


def test_a_name_that_differs_only_in_case_is_refused(place: CommandLine) -> None:
    found = apply(place, POSTS.replace("posts", "Posts"), code=1)
    assert found.stderr == "bkend: there is already a table 'posts'\n"


def test_problems_of_the_file_name_their_lines(place: CommandLine) -> None:
    found = apply(place, POSTS.replace("required", "requird").replace("user", "users"), code=1)
    assert found.stderr.splitlines() == [
        "bkend: bkend.yaml line 5: unknown key 'requird' in field title; did you mean 'required'?",
        "bkend: bkend.yaml line 8: 'users' is no group; use admin, user, guest, self",
    ]
    assert found.stdout == ""


def test_a_file_that_cannot_be_read_is_refused(place: CommandLine) -> None:
    assert place.refused("apply", "no.yaml") == "cannot read no.yaml: No such file or directory"
    Path("large.yaml").write_bytes(b"#" * ((1 << 20) + 1))
    assert place.refused("apply", "large.yaml") == (
        "large.yaml line 1: the file is larger than 1 MiB"
    )


def test_environments_are_apart(place: CommandLine) -> None:
    place("init", "--env", "prod")
    assert "Plan for app/prod" in apply(place, POSTS, "--env", "prod").stdout
    found = apply(place, POSTS, "--env", "test", code=1)
    assert found.stderr == "bkend: project 'app' has no environment 'test'; known: dev, prod\n"


# -- at a terminal ------------------------------------------------------------------------


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bkend", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=clean_environment({"TERM": "dumb"}),
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""

    def read_until(self, part: str) -> None:
        while part not in self.text:
            self._read()

    def _read(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], 30)
        assert ready, self.text
        try:
            read = os.read(self.master, 4096)
        except OSError:  # the other end is closed
            return False
        self.text += read.decode()
        return bool(read)

    def write(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        try:
            while self._read():
                pass
            return self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.master)


def test_at_a_terminal_it_asks_before_data_is_lost(place: CommandLine) -> None:
    Path("bkend.yaml").write_text(FEWER)
    no = Terminal("apply", "bkend.yaml")
    no.read_until("[y/N]")
    no.write("n\n")
    assert no.end() == 1
    assert "bkend: nothing was changed" in no.text
    assert "slug" in with_posts().schema["properties"]
    yes = Terminal("apply", "bkend.yaml")
    yes.read_until("[y/N]")
    yes.write("y\n")
    assert yes.end() == 0
    assert "Done: posts." in yes.text
    assert "slug" not in with_posts().schema["properties"]


def test_an_interrupt_ends_it_quietly(place: CommandLine) -> None:
    Path("bkend.yaml").write_text(FEWER)
    asked = Terminal("apply", "bkend.yaml")
    asked.read_until("[y/N]")
    asked.process.send_signal(signal.SIGINT)
    assert asked.end() == 130
    assert "Traceback" not in asked.text
    assert "slug" in with_posts().schema["properties"]
