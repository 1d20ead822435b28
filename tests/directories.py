"""Servers whose data directories are copies: the commands that make one run once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.servers import RunningServer


class Preparing:
    """Makes data directories that are ready to be served.

    The first one with some tables is made by `bkend init` and `bkend apply`, those that follow are
    copies of it: they have the same keys, and secrets, but nothing else in common."""

    def __init__(self, new_directory: Callable[[], Path]) -> None:
        self._new_directory = new_directory
        self._made: dict[str | None, RunningServer] = {}

    def __call__(
        self, directory: Path, tables: str | None = None, **environment: str
    ) -> RunningServer:
        """A server in the directory, which is to be started, with the tables of the YAML text."""
        original = self._original(tables)
        server = RunningServer(directory, environment=environment)
        shutil.copytree(original.data, server.data)
        server.made = {**original.made, "dataDir": str(server.data)}
        return server

    def _original(self, tables: str | None) -> RunningServer:
        if tables not in self._made:
            made = RunningServer(self._new_directory())
            if tables is None:
                made.init()
            else:
                made = self(made.directory)
                made.apply(tables)
            self._made[tables] = made
        return self._made[tables]
