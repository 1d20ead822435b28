"""Whole processes: a server that delivers, restarts, and the command that reads the outbox."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bkend.core import open_core
from bkend.settings import Settings
from tests.cli.conftest import CommandLine, bkend
from tests.conftest import StartServer
from tests.mail.conftest import RESET, TOKEN
from tests.mail.smtp import Inbox, smtp_server
from tests.servers import RunningServer, clean_environment, free_port

__all__ = ["bkend"]

PATH = "/manage/v1/projects/app/environments/dev"


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def manage(server: RunningServer, method: str, path: str, body: Any = None) -> httpx.Response:
    token = server.made["managementToken"]
    headers = {"Authorization": f"Bearer {token}"}
    url = server.url + PATH + path
    return httpx.request(method, url, json=body, headers=headers, timeout=30, verify=False)


def send_test(server: RunningServer, to: str) -> None:
    answer = manage(server, "POST", "/email-templates/magic_link/send-test", {"to": to})
    assert answer.status_code == 200, answer.text


def write_beside(server: RunningServer, to: str, smtp_url: str | None = None) -> None:
    """A mail put in the outbox by another process."""

    async def work() -> None:
        settings = Settings(data=server.data, smtp_url=smtp_url)
        async with open_core(settings, serving=False) as core:
            services = await core.environment("app", "dev")
            found = await core.environments.get(
                (await core.hierarchy.place("app", "dev")).environment_id
            )
            assert found is not None
            operation = await services.mail.compose("password_reset", to, RESET)
            await found.store.commit([operation])

    asyncio.run(work())


def test_a_server_delivers_and_keeps_quiet_about_it(
    start_server: StartServer, inbox: Inbox, smtp_url: str
) -> None:
    server = start_server(
        tables=None,
        BKEND_SMTP_URL=smtp_url,
        BKEND_PUBLIC_URL="https://api.example.com",
        BKEND_LOG_LEVEL="debug",
    )
    send_test(server, "grace@example.com")
    [mail] = wait_for(lambda: inbox.mails)
    assert mail.sender == "no-reply@api.example.com"
    assert manage(server, "GET", "/outbox").status_code == 404
    wait_for(lambda: "mail sent" in server.log)
    assert server.stop() == 0
    for secret in ("sample-token", "grace@example.com", "Lovelace"):
        assert secret not in server.log


def test_a_restart_finds_mail_of_an_environment_that_nobody_has_opened(
    start_server: StartServer, inbox: Inbox
) -> None:
    port = free_port()
    url = f"smtp://127.0.0.1:{port}"
    server = start_server(tables=None, BKEND_SMTP_URL=url)
    server.stop()
    write_beside(server, "ada@example.com", url)
    with smtp_server(inbox, port=port):
        server.start()
        wait_for(lambda: inbox.mails)
        server.kill()
        server.start()
        send_test(server, "eve@example.com")
        wait_for(lambda: len(inbox.mails) > 1)
    assert [mail.recipients[0] for mail in inbox.mails] == ["ada@example.com", "eve@example.com"]
    assert TOKEN not in server.log


def test_a_server_without_its_mail_server_answers_as_fast_and_stops_in_good_order(
    start_server: StartServer,
) -> None:
    server = start_server(tables=None, BKEND_SMTP_URL=f"smtp://127.0.0.1:{free_port()}")
    send_test(server, "ada@example.com")
    wait_for(lambda: "mail server unusable" in server.log)
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mail.example.com", "write smtp://USER:PASSWORD@HOST:587"),
        ("smtp://u:hunter2@host:port", "write smtp://USER:PASSWORD@HOST:587"),
        ("smtp://u:hunter2@host?tls=maybe", "tls is required, auto, off"),
    ],
)
def test_a_bad_address_is_told_at_the_start(
    start_server: StartServer, url: str, reason: str
) -> None:
    with pytest.raises(AssertionError) as refused:
        start_server(tables=None, BKEND_SMTP_URL=url)
    assert f"BKEND_SMTP_URL: {reason}" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_command_shows_captured_mails_while_the_server_runs(
    start_server: StartServer, bkend: CommandLine
) -> None:
    server = start_server(tables=None)
    data = ("--data", str(server.data))
    assert "There are no mails" in server.bkend("outbox").stdout
    assert bkend("outbox", "--json", *data).json == {"items": []}
    for name in ("ada", "eve"):
        send_test(server, f"{name}@example.com")
    items = bkend("outbox", "--json", "--env", "dev", *data).json["items"]
    assert [item["to"] for item in items] == ["ada@example.com", "eve@example.com"]
    assert list(items[0]) == [
        "id",
        "to",
        "subject",
        "template",
        "text",
        "html",
        "links",
        "createdAt",
    ]
    assert items == manage(server, "GET", "/outbox").json()["items"][::-1]
    text = bkend("outbox", "--limit", "1", *data).stdout
    assert "To:      eve@example.com" in text
    assert "https://app.example.com/welcome?token=sample-token" in text
    assert "ada@example.com" not in text
    bkend("init", "--env", "prod", *data)
    assert bkend("outbox", "--json", "--env", "prod", *data).json == {"items": []}
    assert "name one environment" in bkend.refused("outbox", *data)


def test_following_prints_new_mails_as_they_come(start_server: StartServer) -> None:
    server = start_server(tables=None)
    send_test(server, "first@example.com")
    logs = {"--json": server.directory / "json.log", "--follow": server.directory / "text.log"}
    following = [follow(server, option, log) for option, log in logs.items()]
    try:
        wait_for(lambda: all("first@example.com" in log.read_text() for log in logs.values()))
        for number in range(3):
            send_test(server, f"new{number}@example.com")
        write_beside(server, "beside@example.com")
        wait_for(lambda: all("beside@example.com" in log.read_text() for log in logs.values()))
    finally:
        for process in following:
            process.send_signal(signal.SIGINT)
        codes = [process.wait(timeout=10) for process in following]
    assert codes == [130, 130]
    as_json = [json.loads(line)["to"] for line in logs["--json"].read_text().splitlines()]
    lines = logs["--follow"].read_text().splitlines()
    as_text = [line.split()[1] for line in lines if line.startswith("To:")]
    expected = ["first", "new0", "new1", "new2", "beside"]
    assert as_json == as_text == [f"{name}@example.com" for name in expected]


def follow(server: RunningServer, option: str, log: Path) -> subprocess.Popen[bytes]:
    """`bkend outbox --follow`, printing to a file."""
    with open(log, "wb") as out:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bkend",
                "outbox",
                "--follow",
                "--data",
                str(server.data),
                option,
            ],
            cwd=server.directory,
            env=clean_environment(),
            stdout=out,
            stderr=out,
        )
