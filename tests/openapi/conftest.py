"""A server for each document, on which everything has happened once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import httpx
import pytest
import requests

from tests.auth.social.conftest import OidcProvider
from tests.auth.social.conftest import oidc as oidc
from tests.conftest import TABLES
from tests.directories import Preparing
from tests.openapi import apps_story, tenants_story
from tests.openapi.asking import Asking
from tests.openapi.world import World
from tests.postgres import Postgres
from tests.servers import RunningServer

_TENANTS = {
    "BKEND_SIGNUP": "open",
    "BKEND_CONSOLE_GITHUB_CLIENT_ID": "console",
    "BKEND_CONSOLE_GITHUB_CLIENT_SECRET": "s3cret",
}


def _database(request: pytest.FixtureRequest) -> str | None:
    """A new database of the engine that the run is about; None is SQLite."""
    if os.environ.get("BKEND_OPENAPI_ENGINE", "sqlite") == "sqlite":
        return None
    postgres: Postgres = request.getfixturevalue("postgres_server")
    return postgres.make()


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, prepare: Preparing, request: pytest.FixtureRequest
) -> Callable[..., RunningServer]:
    """Make a server that is to be started: `made(name, tables, BKEND_…=…)`."""

    def make(name: str, tables: str | None = None, **environment: str) -> RunningServer:
        directory, database_url = tmp_path_factory.mktemp(name), _database(request)
        if database_url is None:
            return prepare(directory, tables, **environment)
        server = RunningServer(directory, environment=environment, database_url=database_url)
        server.init()
        if tables:
            server.apply(tables)
        return server

    return make


def _started(server: RunningServer, path: str) -> World:
    server.start()
    document = requests.get(f"{server.url}{path}", timeout=30).json()
    return World(server, Asking(server.url, document))


def _end(world: World) -> None:
    world.asking.session.close()
    assert world.server.stop() == 0
    assert "Traceback" not in world.server.log


@pytest.fixture(scope="module")
def tenants(made: Callable[..., RunningServer]) -> Iterator[World]:
    """The management API, every call of which has succeeded once."""
    world = _started(made("tenants", **_TENANTS), "/manage/v1/openapi.json")
    try:
        tenants_story.tell(world)
        yield world
    finally:
        _end(world)


@pytest.fixture(scope="module")
def apps(made: Callable[..., RunningServer], oidc: OidcProvider) -> Iterator[World]:
    """The fixed calls below `/v1`, every one of which has succeeded once."""
    world = _started(made("apps", TABLES), "/openapi.json")
    try:
        apps_story.tell(world, oidc)
        yield world
    finally:
        _end(world)


@pytest.fixture
def bare(server: RunningServer) -> Iterator[httpx.Client]:
    """A client of the shared server that shows nothing."""
    with httpx.Client(base_url=server.url, timeout=30, verify=False) as client:
        yield client
