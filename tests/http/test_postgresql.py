"""Several servers and the command line on one PostgreSQL database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.conftest import TABLES
from tests.postgres import Postgres
from tests.servers import RunningServer

DEADLINE_SECONDS = 10


@pytest.fixture(scope="module")
def servers(
    postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[RunningServer]]:
    """Two servers that make one empty database theirs at the same moment."""
    url = postgres_server.make()
    found = []
    for _ in range(2):
        server = RunningServer(tmp_path_factory.mktemp("postgresql"))
        server.database_url = url
        server.environment = {"BKEND_SECRET": "x" * 32}
        found.append(server)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(RunningServer.start, found))
    for server in found:
        server.init()
    made = found[0].bkend("keys", "create", "--type", "secret", "--name", "Test", "--json").stdout
    for server in found:
        server.made["secretKey"] = httpx.Response(200, content=made).json()["key"]
    found[0].apply(TABLES)
    yield found
    for server in found:
        assert server.stop() == 0
        assert "Traceback" not in server.log


def eventually(holds: Callable[[], bool]) -> None:
    """Word of another process's change takes a moment."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_two_servers_started_at_once_share_projects_and_keys(servers: list[RunningServer]) -> None:
    one, other = servers
    assert one.made["projectId"] == other.made["projectId"]
    assert one.made["publishableKey"] == other.made["publishableKey"]
    for server in servers:
        with server.client() as client:
            assert client.get("/readyz").json()["database"]["engine"] == "postgresql"


def test_what_one_server_stores_the_other_lists_with_its_total(
    servers: list[RunningServer],
) -> None:
    with servers[0].client(servers[0].secret) as one, servers[1].client(servers[1].secret) as two:
        clients = [one, two]
        for turn in range(12):
            made = clients[turn % 2].post("/v1/plain", json={"title": str(turn)})
            assert made.status_code == 201
            for client in clients:
                page = client.get("/v1/plain", params={"limit": 1}).json()
                assert page["pagination"]["total"] == turn + 1
                assert page["items"][0]["id"] == made.json()["id"]
                assert client.get(f"/v1/plain/{made.json()['id']}").status_code == 200


def test_a_session_is_known_to_both_and_ends_on_both(servers: list[RunningServer]) -> None:
    one, other = servers
    token = one.sign_up("both@example.com")["accessToken"]
    with one.client(token=token) as here, other.client(token=token) as there:
        assert here.get("/v1/auth/me").status_code == 200
        assert there.get("/v1/auth/me").status_code == 200
        assert here.post("/v1/auth/signout").status_code in (200, 204)
        assert here.get("/v1/auth/me").status_code == 401
        eventually(lambda: there.get("/v1/auth/me").status_code == 401)


def test_commands_act_on_running_servers(servers: list[RunningServer]) -> None:
    one, other = servers
    made: Any = one.bkend("keys", "create", "--type", "publishable", "--name", "New", "--json")
    key = httpx.Response(200, content=made.stdout).json()
    for server in servers:
        with server.client(key["key"]) as client:
            assert client.get("/v1/posts").status_code == 200
    other.bkend("keys", "revoke", key["id"])
    for server in servers:
        with server.client(key["key"]) as client:
            eventually(lambda client=client: client.get("/v1/posts").status_code == 401)  # type: ignore[misc]
    more = TABLES + "  added:\n    fields: {title: {type: string}}\n"
    one.apply(more)
    for server in servers:
        with server.client(server.secret) as client:
            eventually(lambda client=client: client.get("/v1/added").status_code == 200)  # type: ignore[misc]


def test_requests_get_503_while_the_database_restarts(
    servers: list[RunningServer], postgres_server: Postgres
) -> None:
    if not postgres_server.is_ours:
        pytest.skip("the server is not ours to stop")
    with servers[0].client(servers[0].secret) as client:
        assert client.post("/v1/posts", json={"title": "before"}).status_code == 201
        postgres_server.stop()
        try:
            for answer in (
                client.get("/v1/posts"),
                client.post("/v1/posts", json={"title": "meanwhile"}),
                client.get("/readyz"),
            ):
                assert answer.status_code == 503
            assert client.get("/v1/posts").headers["retry-after"]
        finally:
            postgres_server.start()
        assert client.post("/v1/posts", json={"title": "after"}).status_code == 201
        titles = [item["title"] for item in client.get("/v1/posts").json()["items"]]
        assert titles == ["after", "before"]
