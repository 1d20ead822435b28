"""`bkend login` and `bkend logout` against a server (51 §7).

Commands that wait for somebody, and one that reads standard input, are processes of their own; the
others are called in this one.
"""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import CommandLine, make
from tests.servers import RunningServer, clean_environment

EMAIL, PASSWORD = "ada@example.com", "four brown horses"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path_factory.mktemp("server"))
    make(server)
    server.start()
    with httpx.Client(base_url=server.url, timeout=30, verify=False) as browser:
        body = {
            "name": "Ada",
            "email": EMAIL,
            "password": PASSWORD,
            "organization": {"name": "Engines"},
        }
        assert browser.post("/manage/v1/setup", json=body).status_code == 201
    yield server
    server.stop()


def fetch(url: str, headers: dict[str, str]) -> httpx.Response:
    return httpx.get(url, headers=headers, timeout=30, verify=False)


class Shell:
    """Commands with settings of their own."""

    def __init__(self, bkend: CommandLine, home: Path) -> None:
        self.run = bkend
        self.home = home
        self.started: list[subprocess.Popen[str]] = []
        self.environment = clean_environment({"XDG_CONFIG_HOME": str(home), "HOME": str(home)})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "bkend", *arguments],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    @property
    def file(self) -> Path:
        [found] = self.home.rglob("logins.json")
        return found


@pytest.fixture
def shell(bkend: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    for name in ("XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    made = Shell(bkend, tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextmanager
def signed_in(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/manage/v1", timeout=30, verify=False) as browser:
        answer = browser.post("/session/login", json={"email": EMAIL, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        browser.headers["X-Bkend-CSRF"] = answer.headers["x-bkend-csrf"]
        yield browser


def own_token(server: RunningServer) -> str:
    with signed_in(server) as browser:
        return str(browser.post("/account/tokens", json={"name": "T"}).json()["key"])


def test_a_code_is_approved_in_the_browser(served: RunningServer, shell: Shell) -> None:
    process = shell.start("login", "--server", served.url + "/", "--json")
    assert process.stderr is not None
    address, sentence = process.stderr.readline(), process.stderr.readline()
    found = re.search(r"[A-Z]{4}-[A-Z]{4}", sentence)
    assert found
    assert address.split()[-1] == f"{served.url}/console/device?code={found[0]}"
    with signed_in(served) as browser:
        shown = browser.get(f"/device/{found[0]}").json()
        assert shown["name"].startswith("bkend on ")
        assert browser.post(f"/device/{found[0]}").status_code == 200
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    told = json.loads(stdout)
    assert (told["server"], told["account"]) == (served.url, EMAIL)
    assert told["file"] == str(shell.file)
    assert stat.S_IMODE(shell.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(shell.file.parent.stat().st_mode) == 0o700
    kept = json.loads(shell.file.read_text())["servers"][served.url]
    assert kept["token"].startswith("bt_")
    assert kept["token"] not in stdout
    bearer = {"Authorization": f"Bearer {kept['token']}"}
    session = fetch(f"{served.url}/manage/v1/session", bearer)
    assert session.json()["account"]["email"] == EMAIL
    assert shell.run("logout", "--json").json == {"server": served.url, "revoked": True}
    assert json.loads(shell.file.read_text()) == {"servers": {}}
    assert fetch(f"{served.url}/manage/v1/session", bearer).status_code == 401


def test_a_denied_code_logs_nobody_in(served: RunningServer, shell: Shell) -> None:
    process = shell.start("login", "--server", served.url)
    assert process.stdout is not None
    process.stdout.readline()
    found = re.search(r"[A-Z]{4}-[A-Z]{4}", process.stdout.readline())
    assert found
    with signed_in(served) as browser:
        assert browser.delete(f"/device/{found[0]}").status_code == 200
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert stderr == "bkend: The request was denied in the browser\n"
    assert not list(shell.home.rglob("logins.json"))


def test_a_token_comes_by_standard_input(served: RunningServer, shell: Shell) -> None:
    token = own_token(served)
    login = shell.start("login", "--server", served.url, "--token", "-")
    stdout, stderr = login.communicate(token + "\n", timeout=60)
    assert login.returncode == 0, stderr
    assert f"Logged in to {served.url} as {EMAIL}." in stdout
    assert "Engines, as owner" in stdout
    assert token not in stdout
    shell.run("logout", "--server", served.url)
    stderr = shell.run("logout", code=1).stderr
    assert "not logged in" in stderr


def test_a_bad_token_is_not_kept(served: RunningServer, shell: Shell) -> None:
    for token in ("bt_" + "0" * 64, served.secret, "nonsense"):
        stderr = shell.run("login", "--server", served.url, "--token", token, code=1).stderr
        assert stderr.startswith("bkend: ")
        assert "Traceback" not in stderr
    assert not list(shell.home.rglob("logins.json"))


def test_servers_that_are_none(shell: Shell) -> None:
    stderr = shell.run("login", "--server", "http://127.0.0.1:1", code=1).stderr
    assert "cannot be reached" in stderr
    stderr = shell.run("login", "--server", "nonsense", code=2).stderr
    assert "--server" in stderr


def test_two_servers_are_told_apart(shell: Shell, served: RunningServer) -> None:
    token = own_token(served)
    other = served.url.replace("127.0.0.1", "localhost")
    for url in (served.url, other):
        shell.run("login", "--server", url, "--token", "-", given=token)
    stderr = shell.run("logout", code=1).stderr
    assert served.url in stderr
    assert other in stderr
    shell.run("logout", "--server", other)
    assert list(json.loads(shell.file.read_text())["servers"]) == [served.url]


def test_keys_are_made_listed_and_revoked_at_a_server(served: RunningServer, shell: Shell) -> None:
    stderr = shell.run("keys", "list", "--server", served.url, code=1).stderr
    assert "you are not logged in" in stderr
    shell.run("login", "--server", served.url, "--token", "-", given=own_token(served))
    at = ("--server", served.url, "--json")
    stdout = shell.run(
        "keys", "create", "--type", "secret", "--name", "Remote", "--scope", "posts:read", *at
    ).stdout
    made = json.loads(stdout)
    assert made["key"].startswith("sk_")
    assert (made["name"], made["scopes"]) == ("Remote", ["posts:read"])
    for place in ((), ("--project", "app", "--env", "dev"), ("--env", "dev")):
        items = shell.run("keys", "list", *place, *at).json["items"]
        [listed] = [item for item in items if item["id"] == made["id"]]
        assert "key" not in listed
    stdout = shell.run("keys", "revoke", made["id"], "--server", served.url).stdout
    assert stdout == f"Revoked Remote ({made['maskedKey']}).\n"
    key = {"X-API-Key": made["key"]}
    assert fetch(f"{served.url}/v1/data/posts", key).status_code == 401
    stderr = shell.run("keys", "revoke", "tok_none", "--server", served.url, code=1).stderr
    assert "there is no key" in stderr
    stderr = shell.run("keys", "list", "--server", served.url, "--data", "x", code=1).stderr
    assert "two places" in stderr
    stderr = shell.run("keys", "list", "--env", "none", "--project", "none", *at, code=1).stderr
    assert "no project 'none'" in stderr
