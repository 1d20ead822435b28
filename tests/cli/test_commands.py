"""What holds for every command: help, exit codes, one clear line, no data directory by accident."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bkend.cli import app
from tests.cli.conftest import CommandLine
from tests.servers import clean_environment, command, free_port

# Imports that take longer than a short command should.
HEAVY = ("apsw", "argon2", "asyncio", "bkend.core", "fastapi", "granian", "pydantic_settings")

ON_DATA = [
    ("keys", "list"),
    ("keys", "create", "--type", "secret", "--name", "x"),
    ("keys", "revoke", "tok_x"),
    ("auth", "settings"),
    ("outbox",),
    ("secrets", "rotate"),
    ("secrets", "accept-loss", "--yes"),
    ("apply", "bkend.yaml"),
    ("pull",),
    ("promote", "--from", "dev", "--to", "prod"),
    ("auth", "providers"),
    ("doctor",),
]
AT_A_SERVER = [
    ("keys", "list"),
    ("keys", "create", "--type", "secret", "--name", "x"),
    ("keys", "revoke", "tok_x"),
    ("auth", "settings"),
    ("auth", "providers"),
    ("outbox",),
    ("apply", "bkend.yaml"),
    ("pull",),
    ("promote", "--from", "dev", "--to", "prod"),
]
"""The commands that take `--server`, once each."""

WRONG_USAGE: list[tuple[tuple[str, ...], str]] = [
    (("nonsense",), "No such command 'nonsense'"),
    (("serv",), "Did you mean 'serve'?"),
    (("keys", "crate"), "Did you mean 'create'?"),
    (("serve", "--prot", "1"), "--prot"),
    (("serve", "--port", "x"), "--port"),
    (("serve", "--port", "0"), "--port"),
    (("serve", "--workers", "0"), "--workers"),
    (("apply",), "FILE"),
    (("keys", "revoke"), "ID"),
    (("keys", "create", "--name", "x"), "--type"),
    (("secrets", "rotate", "--grace", "soon"), "--grace"),
    (("init", "extra"), "extra"),
    (("doctor", "--fix"), "--storage"),
]


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(node, "commands"):
        for name, child in node.commands.items():
            yield from leaves(child, (*path, name))
    else:
        yield path, node


COMMANDS = dict(leaves(typer.main.get_command(app)))


def test_these_are_the_commands() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "serve",
        "init",
        "apply",
        "pull",
        "promote",
        "keys create",
        "keys list",
        "keys revoke",
        "secrets rotate",
        "secrets accept-loss",
        "auth providers",
        "auth settings",
        "admin create",
        "login",
        "logout",
        "outbox",
        "doctor",
        "config",
        "version",
    }


@pytest.mark.parametrize("path", COMMANDS)
def test_help_has_an_example_and_explains_every_option(
    bkend: CommandLine, path: tuple[str, ...]
) -> None:
    text = bkend(*path, "--help").stdout
    assert f"Example:\n    bkend {' '.join(path)}" in text
    for option in COMMANDS[path].params:
        assert option.help, option.name


ELSEWHERE = {("version",), ("login",), ("logout",)}
"""What has nothing to do with a data directory."""


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in ELSEWHERE])
def test_every_command_takes_the_data_directory(path: tuple[str, ...]) -> None:
    assert any("--data" in option.opts for option in COMMANDS[path].params)


HERE_ONLY = {"serve", "init", "secrets", "admin", "doctor", "config", "version"}
"""Groups of commands that are about the machine they run on."""


def test_every_other_command_takes_a_server() -> None:
    takes = {
        path
        for path in COMMANDS
        if any("--server" in option.opts for option in COMMANDS[path].params)
    }
    assert takes == {path for path in COMMANDS if path[0] not in HERE_ONLY}
    asked = {path for path in takes if any(a[: len(path)] == path for a in AT_A_SERVER)}
    assert takes - asked == {("login",), ("logout",)}


@pytest.mark.parametrize("arguments", AT_A_SERVER, ids="-".join)
def test_a_server_is_not_a_directory_and_must_be_known(
    bkend: CommandLine, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "settings")
    Path("bkend.yaml").write_text("version: 1\ntables: {}")
    at = ("--server", "http://127.0.0.1:1")
    assert bkend.refused(*arguments, *at, "--data", "x") == (
        "--server and --data name two places; give one"
    )
    assert bkend.refused(*arguments, *at).startswith("you are not logged in to http://127.0.0.1:1")
    monkeypatch.setenv("BKEND_TOKEN", "bt_x")
    assert bkend.refused(*arguments, *at).startswith("http://127.0.0.1:1 cannot be reached")
    assert not Path("bkend-data").exists()


def test_bkend_alone_prints_its_help(bkend: CommandLine) -> None:
    found = bkend(code=None)
    assert "Usage: bkend" in found.stdout + found.stderr


@pytest.mark.parametrize(("arguments", "message"), WRONG_USAGE)
def test_wrong_usage_exits_with_2(
    bkend: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    found = bkend(*arguments, code=2)
    assert message in found.stderr
    assert found.stdout == ""


@pytest.mark.parametrize("arguments", ON_DATA)
def test_a_missing_data_directory_is_not_made(
    bkend: CommandLine, arguments: tuple[str, ...]
) -> None:
    Path("bkend.yaml").write_text("version: 1\ntables: {}")
    assert bkend.refused(*arguments, "--data", "nowhere") == (
        "there is no data directory nowhere; run `bkend init`, or name another with --data"
    )
    assert not Path("nowhere").exists()
    Path("empty").mkdir()
    assert bkend.refused(*arguments, "--data", "empty").startswith("empty holds no data of bkend")
    assert not list(Path("empty").iterdir())


@pytest.mark.parametrize("arguments", [*ON_DATA, ("init",), ("serve",), ("config",)])
def test_settings_problems_are_told_by_every_command(
    bkend: CommandLine, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bkend.yaml").write_text("version: 1\ntables: {}")
    monkeypatch.setenv("BKEND_PROT", "1")
    monkeypatch.setenv("BKEND_REDIS_URL", "redis://x")
    assert bkend.refused(*arguments).splitlines() == [
        "BKEND_PROT is not a setting; the nearest one is BKEND_PORT",
        "BKEND_REDIS_URL: shared state of several hosts is not supported by this version yet; "
        "remove it",
    ]
    assert not Path("bkend-data").exists()


def test_a_damaged_database_is_one_line(bkend: CommandLine) -> None:
    bkend("init")
    Path("bkend-data/control.db").write_bytes(b"not a database" * 1000)
    for name in ("control.db-wal", "control.db-shm"):
        Path("bkend-data", name).unlink(missing_ok=True)
    message = bkend.refused("keys", "list")
    assert "control.db is damaged or not a database" in message
    assert len(message.splitlines()) == 1


def test_a_short_secret_is_refused(bkend: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    bkend("init")
    monkeypatch.setenv("BKEND_SECRET", "short")
    assert bkend.refused("keys", "list") == "BKEND_SECRET is shorter than 32 characters"


def test_an_unexpected_failure_is_one_line_and_a_hint(
    bkend: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bkend("init")

    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("bkend.core.open_core", fail)
    assert bkend.refused("keys", "list").splitlines() == [
        "unexpected failure, ZeroDivisionError: oops",
        "run it again with BKEND_LOG_LEVEL=debug to see where",
    ]


def test_debug_shows_where(tmp_path: Path) -> None:
    code = (
        "import bkend.core, bkend.cli\n"
        "def fail(*a, **k): raise ZeroDivisionError('oops')\n"
        "bkend.core.open_core = fail\n"
        "bkend.cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "init"],
        cwd=tmp_path,
        env=clean_environment({"BKEND_LOG_LEVEL": "debug"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1] == "bkend: unexpected failure, ZeroDivisionError: oops"


def test_it_starts_without_what_only_some_commands_need(tmp_path: Path) -> None:
    code = (
        "import sys, bkend.cli\n"
        "try: bkend.cli.app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == "[]"


def test_output_that_nobody_reads_to_the_end_is_no_failure(
    bkend: CommandLine, tmp_path: Path
) -> None:
    bkend("init")
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m bkend keys list | true"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


def test_a_terminal_without_unicode_is_no_failure(bkend: CommandLine, tmp_path: Path) -> None:
    bkend("init", "--org", "Ünïcode")
    for arguments in (("keys", "create", "--type", "secret", "--name", "ключ"), ("keys", "list")):
        for json in ((), ("--json",)):
            done = subprocess.run(
                [sys.executable, "-m", "bkend", *arguments, *json],
                cwd=tmp_path,
                env=clean_environment({"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}),
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            if json:
                assert "ключ" in done.stdout.decode()


# -- serve --------------------------------------------------------------------------------


def test_more_than_one_process_is_refused(bkend: CommandLine) -> None:
    assert bkend.refused("serve", "--workers", "2") == (
        "--workers 2: the embedded database is served by exactly one process; write 1, or set "
        "BKEND_DATABASE_URL to a PostgreSQL database"
    )


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    import socket

    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = command("serve", "--port", str(port), cwd=tmp_path, check=False)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"bkend: cannot listen on 127.0.0.1 port {port}: ")
    assert not (tmp_path / "bkend-data").exists()
