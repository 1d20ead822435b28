"""A server for each document, on which everything has happened once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests

from tests.auth.social.conftest import OidcProvider
from tests.auth.social.conftest import oidc as oidc
from tests.conftest import TABLES
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


def _started(
    directory: Any, path: str, database_url: str | None, tables: str = "", **environment: str
) -> World:
    server = RunningServer(directory, environment=environment, database_url=database_url)
    server.init()
    if tables:
        server.apply(tables)
    server.start()
    document = requests.get(f"{server.url}{path}", timeout=30).json()
    return World(server, Asking(server.url, document))


def _end(world: World) -> None:
    world.asking.session.close()
    assert world.server.stop() == 0
    assert "Traceback" not in world.server.log


@pytest.fixture(scope="module")
def tenants(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[World]:
    """The management API, every call of which has succeeded once."""
    directory = tmp_path_factory.mktemp("tenants")
    world = _started(directory, "/manage/v1/openapi.json", _database(request), **_TENANTS)
    try:
        tenants_story.tell(world)
        yield world
    finally:
        _end(world)


@pytest.fixture(scope="module")
def apps(
    tmp_path_factory: pytest.TempPathFactory, oidc: OidcProvider, request: pytest.FixtureRequest
) -> Iterator[World]:
    """The fixed calls below `/v1`, every one of which has succeeded once."""
    world = _started(tmp_path_factory.mktemp("apps"), "/openapi.json", _database(request), TABLES)
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
