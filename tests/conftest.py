"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import postgres, s3
from tests.directories import Preparing
from tests.postgres import Postgres
from tests.prepared import Databases
from tests.s3 import S3Server
from tests.servers import RunningServer

_MEMORY = Path("/dev/shm")
_ENOUGH = 4 * 1024**3

TABLES = """
version: 1
tables:
  posts:
    fields:
      title: {type: string, required: true, maxLength: 200}
      content: {type: string}
      status: {type: string, enum: [draft, published], default: draft}
      views: {type: number, default: 0}
      slug: {type: string, unique: true}
      tags: {type: array, items: {type: string}}
    indexes:
      - {name: by_status, fields: {status: 1, createdAt: -1}}
    permissions:
      user: {create: true, read: true, list: true}
      self: {update: true, delete: true}
      guest: {read: true, list: true}
  notes:
    fields:
      text: {type: string, required: true}
    permissions:
      user: {create: true}
      self: {read: true, update: true, delete: true, list: true}
  plain:
    fields:
      title: {type: string}
"""

StartServer = Callable[..., RunningServer]


def pytest_configure() -> None:
    _keep_files_in_memory()


def _keep_files_in_memory() -> None:
    """Where there is enough of it: making an environment of PostgreSQL takes a third of the time.
    `TMPDIR` names another place."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free > _ENOUGH:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole run; started when the first test needs it."""
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def prepared_databases(postgres_server: Postgres) -> Iterator[Databases]:
    """PostgreSQL databases for tests that need the application's tables; see `prepared_url`."""
    databases = Databases(postgres_server)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server for the whole run; started when the first test needs it."""
    with s3.running() as server:
        yield server


@pytest.fixture(scope="session")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Preparing:
    """Make a server that is to be started: `prepare(directory, tables=…, BKEND_…=…)`."""
    return Preparing(lambda: tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def start_server(tmp_path: Path, prepare: Preparing) -> Iterator[StartServer]:
    """Start a server of one's own: `start_server(tables=…, BKEND_…=…)`."""
    started: list[RunningServer] = []

    def start(tables: str | None = TABLES, **environment: str) -> RunningServer:
        directory = tmp_path / f"server{len(started)}"
        directory.mkdir()
        server = prepare(directory, tables, **environment)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, prepare: Preparing) -> Iterator[RunningServer]:
    """One server for all tests that only need some server; each uses rows of its own."""
    found = prepare(tmp_path_factory.mktemp("server"), TABLES)
    found.start()
    yield found
    assert found.stop() == 0
    assert "Traceback" not in found.log


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the garbage collector need not look at
    it again and again."""
    gc.collect()
    gc.freeze()
