"""The serving process: an orderly end, one server a directory, an address that is taken."""

from __future__ import annotations

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx

from tests.answers import ok
from tests.conftest import StartServer
from tests.servers import RunningServer, clean_environment, command, free_port

TABLE = "version: 1\ntables:\n  writes: {fields: {name: {type: string}}}\n"


def test_every_acknowledged_write_survives_an_orderly_end(start_server: StartServer) -> None:
    server = start_server(TABLE)
    enough, acknowledged = Event(), set[str]()

    def write(writer: int) -> None:
        with server.client(server.secret) as client:
            for number in range(100_000):
                name = f"{writer}.{number}"
                try:
                    answer = client.post("/v1/data/writes", json={"name": name})
                except httpx.TransportError:
                    return
                if answer.status_code != 201:
                    return
                acknowledged.add(name)
                if len(acknowledged) > 200:
                    enough.set()

    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write, number) for number in range(8)]
        assert enough.wait(60)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(30)
        server.process = None
        for done in writers:
            done.result()
    assert code == 0
    assert "Traceback" not in server.log
    assert server.log.rstrip().endswith("stopped")

    server.start()
    stored = set[str]()
    with server.client(server.secret) as client:
        for page in range(1, 10_000):
            found = ok(client.get(f"/v1/data/writes?limit=100&page={page}"))
            stored |= {item["name"] for item in found["items"]}
            if not found["pagination"]["hasNext"]:
                break
    assert acknowledged <= stored
    assert len(stored) == found["pagination"]["total"]


def test_interrupt_is_an_orderly_end_too_and_idle_connections_do_not_hold_it_up(
    start_server: StartServer,
) -> None:
    server = start_server(tables=None)
    assert server.process is not None
    with socket.create_connection(("127.0.0.1", server.port)), server.client() as client:
        client.get("/healthz")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0


def test_second_server_on_the_same_data_is_refused(server: RunningServer) -> None:
    port = str(free_port())
    arguments = ("serve", "--data", str(server.data), "--port", port)
    done = command(*arguments, cwd=server.directory, check=False)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert "already serving" in line
    assert str(server.data) in line
    with server.client() as client:
        ok(client.get("/v1/data/posts?limit=1"))


def test_address_in_use_is_said_in_one_line(server: RunningServer) -> None:
    data = str(server.directory / "elsewhere")
    arguments = ("serve", "--data", data, "--port", str(server.port))
    done = command(*arguments, cwd=server.directory, check=False)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert f"127.0.0.1 port {server.port}" in line
    assert "--port" in line


def test_data_directory_is_for_its_owner_only(server: RunningServer) -> None:
    for path in (server.data, *server.data.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_environment_of_the_tests_has_no_settings_of_ours() -> None:
    assert not [name for name in clean_environment() if name.startswith("BKEND_")]
