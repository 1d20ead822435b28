"""`bkend serve --workers N`: several processes behind one port, on PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.postgres import Postgres
from tests.servers import RunningServer

SECONDS = 30


@pytest.fixture(scope="module")
def shared(
    postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    found = RunningServer(
        tmp_path_factory.mktemp("workers"),
        environment={"BKEND_WORKERS": "2"},
        database_url=postgres_server.make(),
    )
    found.init()
    yield found
    found.stop()


@pytest.fixture
def server(shared: RunningServer) -> RunningServer:
    """Serving, whatever the test before it did to it."""
    if shared.process is None:
        shared.start()
    return shared


def workers(server: RunningServer) -> list[int]:
    """The processes that serve: children of the one we started that listen on its port."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(pid) for pid in children.split() if is_serving(int(pid))]


def is_serving(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answers(server: RunningServer, **headers: str) -> set[int]:
    """The statuses of calls on connections of their own, so that every process is met; 0 for a
    connection that was cut."""
    found = set()
    for _ in range(24):
        with httpx.Client(base_url=server.url, timeout=10, verify=False) as client:
            try:
                found.add(client.get("/v1/data/posts", headers=headers).status_code)
            except httpx.TransportError:
                found.add(0)
    return found


def test_a_revoked_key_is_refused_by_every_process(server: RunningServer) -> None:
    created = server.bkend("keys", "create", "--type", "publishable", "--name", "Short", "--json")
    made = json.loads(created.stdout)
    until(lambda: len(workers(server)) == 2)
    assert answers(server, **{"X-API-Key": made["key"]}) == {404}
    server.bkend("keys", "revoke", made["id"])
    until(lambda: answers(server, **{"X-API-Key": made["key"]}) == {401})


def test_the_greeting_stands_once_and_the_end_is_orderly(server: RunningServer) -> None:
    until(lambda: len(workers(server)) == 2)
    pids = workers(server)
    greetings = server.log.count("API base")
    assert server.stop() == 0
    server.start()
    assert server.log.count("API base") == greetings + 1
    assert server.stop() == 0
    assert not any(map(is_alive, pids))
    assert "Traceback" not in server.log


def test_a_process_that_dies_is_replaced(server: RunningServer) -> None:
    until(lambda: len(workers(server)) == 2)
    before = workers(server)
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(workers(server)) == 2 and before[0] not in workers(server))
    until(lambda: answers(server, **{"X-API-Key": server.key}) == {404})
    assert "a serving process ended; starting another" in server.log


def test_no_process_outlives_the_first(server: RunningServer) -> None:
    until(lambda: len(workers(server)) == 2)
    pids = workers(server)
    server.kill()
    until(lambda: not any(map(is_alive, pids)))


def test_what_all_would_fail_at_is_one_line(server: RunningServer) -> None:
    server.stop()
    url = "postgresql://nobody:nothing@127.0.0.1:1/none"
    refused = RunningServer(server.directory, environment=server.environment, database_url=url)
    with pytest.raises(AssertionError, match="ended at once"):
        refused.start()
    assert "Traceback" not in refused.log
