"""Several servers and the command line on one PostgreSQL database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

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


@dataclass(frozen=True)
class Pair:
    """Somebody whom both servers have just answered, so that both have them in memory."""

    here: httpx.Client
    there: httpx.Client
    id: str
    email: str
    refresh_token: str

    def is_nobody_there(self) -> bool:
        answer = self.there.get("/v1/auth/me")
        return answer.status_code == 401 and answer.json()["code"] == "auth/invalid-token"


@pytest.fixture
def ada(servers: list[RunningServer]) -> Iterator[Pair]:
    email = f"{uuid4()}@example.com"
    made = servers[0].sign_up(email)
    token = made["accessToken"]
    with servers[0].client(token=token) as here, servers[1].client(token=token) as there:
        for client in (here, there):
            assert client.get("/v1/auth/me").status_code == 200
        yield Pair(here, there, made["user"]["id"], email, made["refreshToken"])


def change_password(ada: Pair, admin: httpx.Client) -> httpx.Response:
    body = {"currentPassword": "correct horse", "newPassword": "battery staple"}
    return ada.here.post("/v1/auth/password/change", json=body)


def ban(ada: Pair, admin: httpx.Client) -> httpx.Response:
    return admin.patch(f"/v1/users/{ada.id}", json={"status": "banned"})


def withdraw(ada: Pair, admin: httpx.Client) -> httpx.Response:
    return ada.here.delete("/v1/auth/withdraw")


def delete(ada: Pair, admin: httpx.Client) -> httpx.Response:
    return admin.delete(f"/v1/users/{ada.id}")


def end_the_session(ada: Pair, admin: httpx.Client) -> httpx.Response:
    [session] = ada.here.get("/v1/auth/sessions").json()["items"]
    return ada.here.delete(f"/v1/auth/sessions/{session['id']}")


@pytest.mark.parametrize("act", [change_password, ban, withdraw, delete, end_the_session])
def test_who_is_put_out_at_one_server_is_out_at_the_other(
    servers: list[RunningServer], ada: Pair, act: Callable[[Pair, httpx.Client], httpx.Response]
) -> None:
    with servers[0].client(servers[0].secret) as admin:
        assert act(ada, admin).status_code == 200
    assert ada.here.get("/v1/auth/me").status_code == 401
    eventually(ada.is_nobody_there)
    answer = ada.there.post("/v1/auth/refresh", json={"refreshToken": ada.refresh_token})
    assert answer.json()["code"] == "auth/invalid-refresh-token"
    assert ada.there.get("/v1/users").status_code == 401
    assert ada.there.get("/v1/posts").status_code == 401


def test_a_role_given_and_taken_at_one_server_counts_at_the_other(
    servers: list[RunningServer], ada: Pair
) -> None:
    with servers[0].client(servers[0].secret) as admin:
        for role, creates in (("admin", 400), ("user", 403)):
            answer = admin.patch(f"/v1/users/{ada.id}/role", json={"role": role})
            assert answer.status_code == 200
            eventually(
                lambda status=creates: ada.there.post("/v1/users", json={}).status_code == status  # type: ignore[misc]
            )
            assert ada.there.get("/v1/auth/me").json()["role"] == role


def test_a_profile_changed_at_one_server_is_shown_by_the_other(ada: Pair) -> None:
    changed = ada.here.patch(f"/v1/users/{ada.id}/profile", json={"name": "Countess"})
    assert changed.status_code == 200
    eventually(lambda: ada.there.get("/v1/auth/me").json()["name"] == "Countess")


def test_failed_sign_ins_at_both_servers_are_counted_together(
    servers: list[RunningServer], ada: Pair
) -> None:
    wrong = {"email": ada.email, "password": "wrong"}
    clients = [ada.here, ada.there]
    statuses = [
        clients[turn % 2].post("/v1/auth/email/signin", json=wrong).status_code for turn in range(7)
    ]
    assert statuses == [401] * 5 + [429] * 2


def test_a_refresh_at_both_servers_at_once_gives_one_token(
    servers: list[RunningServer], ada: Pair
) -> None:
    body = {"refreshToken": ada.refresh_token}
    with ThreadPoolExecutor(2) as threads:
        answers = list(
            threads.map(
                lambda client: client.post("/v1/auth/refresh", json=body), (ada.here, ada.there)
            )
        )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json()["refreshToken"] for answer in answers}) == 1


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
