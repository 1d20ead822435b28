"""The command line, called in this process, in an empty directory, with nothing set."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from typer.main import get_command
from typer.testing import CliRunner

from bkend.cli import app
from tests.servers import RunningServer

_parsed_once = cache(get_command)
"""Most of the time of a short command called here would go into reading all their signatures."""
_configured = structlog.configure


def _configure(**settings: Any) -> None:
    """Stderr is closed after a command: no logger may keep it for the next one."""
    _configured(**{**settings, "cache_logger_on_first_use": False})


class Called:
    """What a command printed and its exit code."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return orjson.loads(self.stdout)


class CommandLine:
    """Calls commands: `bkend("init", "--json")`."""

    def __init__(self) -> None:
        self._runner = CliRunner()

    def __call__(self, *arguments: str, code: int | None = 0, given: str | None = None) -> Called:
        """Call a command, with what is `given` on standard input."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("typer.testing._get_command", _parsed_once)
            patched.setattr("structlog.configure", _configure)
            result = self._runner.invoke(app, arguments, input=given, prog_name="bkend")
        structlog.reset_defaults()
        found = Called(result.exit_code, result.stdout, result.stderr)
        if code is not None:
            assert found.code == code, found.stdout + found.stderr
        assert "Traceback" not in found.stderr
        return found

    def refused(self, *arguments: str) -> str:
        """Call a command that is refused; what it says on stderr, without its prefix."""
        found = self(*arguments, code=1)
        assert all(line.startswith("bkend: ") for line in found.stderr.splitlines()), found.stderr
        return "\n".join(line.removeprefix("bkend: ") for line in found.stderr.splitlines())


def _without_settings(patched: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("BKEND_"):
            patched.delenv(name)


def make(server: RunningServer) -> None:
    """Make the server's data as `bkend init` does, called in this process."""
    with pytest.MonkeyPatch.context() as patched:
        _without_settings(patched)
        if server.database_url is not None:
            patched.setenv("BKEND_DATABASE_URL", server.database_url)
        server.made = CommandLine()("init", "--json", "--data", str(server.data)).json


@pytest.fixture
def bkend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    _without_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return CommandLine()
