"""The calls of a day, counted by real processes: over a restart, and by two of them (51 §3.4)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.answers import refusal
from tests.backdoor import set_project
from tests.conftest import StartServer
from tests.postgres import Postgres
from tests.servers import RunningServer

LIMIT = 6
SECONDS = 30


def call(server: RunningServer) -> httpx.Response:
    """One call on a connection of its own, so that any process may take it."""
    with server.client() as client:
        return client.get("/v1/data/none")


def is_answered(answer: httpx.Response) -> bool:
    """Whether the call was within the limit."""
    assert answer.status_code in (404, 429), answer.text
    return answer.status_code == 404


def restart(server: RunningServer) -> None:
    assert server.stop() == 0
    server.start()


def test_a_restart_forgets_no_call(start_server: StartServer) -> None:
    server = start_server(tables=None)
    set_project(server, settings={"apiCallLimit": LIMIT})
    for _ in range(LIMIT - 1):
        assert is_answered(call(server))
    restart(server)
    assert is_answered(call(server))
    refused = call(server)
    refusal(refused, 429, "common/rate-limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 24 * 3600
    restart(server)
    assert not is_answered(call(server))


@pytest.fixture
def pair(postgres_server: Postgres, tmp_path: Path) -> Iterator[RunningServer]:
    """Two processes on one database, which know of the limit when they begin."""
    server = RunningServer(
        tmp_path, environment={"BKEND_WORKERS": "2"}, database_url=postgres_server.make()
    )
    server.init()
    set_project(server, settings={"apiCallLimit": LIMIT})
    server.start()
    yield server
    server.stop()


def test_several_processes_learn_what_the_others_have_counted(pair: RunningServer) -> None:
    answered = refused = 0
    until = time.monotonic() + SECONDS
    while refused < 20:  # in a row: both processes know
        assert time.monotonic() < until, "calls go on beyond the limit"
        if is_answered(call(pair)):
            answered, refused = answered + 1, 0
        else:
            refused += 1
    assert LIMIT <= answered <= 2 * LIMIT
