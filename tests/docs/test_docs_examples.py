"""What the pages tell people to paste is pasted: every `sh run` block of a page, top to bottom,
then every `js run` block, each a module of its own that finds `BKEND_URL` and `BKEND_KEY`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from bkend.cli import app
from tests.conftest import TABLES
from tests.directories import Preparing
from tests.managing import manage
from tests.servers import RunningServer, clean_environment

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(sh run|yaml|js run|js)\n(.*?)^```", re.MULTILINE | re.DOTALL)

_SHELL = f"""set -euo pipefail
bkend() {{ '{sys.executable}' -m bkend "$@"; }}"""


def order(page: Path) -> tuple[bool, Path]:
    """By name, but last what sets the server up, which happens once."""
    return "/manage/v1/setup" in page.read_text(), page


PAGES = sorted((path for path in DOCS.rglob("*.md") if "```sh run" in path.read_text()), key=order)


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of a kind on a page, in order."""
    return [text for found, text in _BLOCK.findall(page.read_text()) if found == kind]


def declared_tables(page: Path) -> str | None:
    """The page's own bkend.yaml, if it shows one."""
    return next((text for text in blocks(page, "yaml") if text.startswith("version: 1")), None)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, prepare: Preparing
) -> Iterator[RunningServer]:
    """One server for all pages."""
    server = prepare(tmp_path_factory.mktemp("docs"))
    server.start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.fixture
def fresh(running: RunningServer) -> RunningServer:
    """The server with a project `app` as `bkend init` makes it, in which nothing has happened."""
    manage(running, "DELETE", "/manage/v1/projects/app?confirm=app")
    owner = running.made["organizationId"]
    made = manage(running, "POST", "/manage/v1/projects", {"name": "app", "organizationId": owner})
    keys = "/manage/v1/projects/app/environments/dev/api-keys"
    secret = manage(running, "POST", keys, {"type": "secret", "name": "Default"})
    names = {"publishableKey": made["apiKey"]["key"], "secretKey": secret["key"]}
    return replace(running, made={**running.made, **names})


def declare(server: RunningServer, tables: str, directory: Path) -> None:
    """Bring the tables to what the YAML text declares, by the command, in this process."""
    (directory / "bkend.yaml").write_text(tables)
    done = CliRunner().invoke(
        app,
        ["apply", str(directory / "bkend.yaml"), "--env", "dev", "--server", server.url],
        env={"BKEND_TOKEN": server.made["managementToken"]},
    )
    assert done.exit_code == 0, done.output


def test_the_flagship_page_has_examples_that_run() -> None:
    assert DOCS / "guides" / "integrate.md" in PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_run_in_order(page: Path, fresh: RunningServer, tmp_path: Path) -> None:
    server = fresh
    declare(server, declared_tables(page) or TABLES, tmp_path)
    steps = blocks(page, "sh run")
    script = f"{_SHELL}\n" + "\n".join(
        f"echo '# example {number}' >&2\n{step}" for number, step in enumerate(steps, start=1)
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={
            **clean_environment(),
            "BKEND_URL": server.url,
            "BKEND_KEY": server.key,
            "SECRET_KEY": server.secret,
            "MANAGEMENT_TOKEN": server.made["managementToken"],
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    for module in blocks(page, "js run"):
        run_module(module, server, tmp_path)


def run_module(text: str, server: RunningServer, directory: Path) -> None:
    """Run a JavaScript example; Node imports nothing over HTTP, so it finds the client here."""
    (directory / "bkend.js").write_bytes(httpx.get(f"{server.url}/bkend.js").content)
    local = text.replace("`${BKEND_URL}/bkend.js`", '"./bkend.js"')
    names = f'const BKEND_URL = "{server.url}", BKEND_KEY = "{server.key}";\n'
    (directory / "example.mjs").write_text(names + local)
    done = subprocess.run(
        ["node", str(directory / "example.mjs")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr + text


def test_the_helper_to_copy_signs_up_creates_lists_and_survives_an_expired_token(
    fresh: RunningServer, tmp_path: Path
) -> None:
    page = DOCS / "guides" / "integrate.md"
    server = fresh
    declare(server, declared_tables(page) or "", tmp_path)
    server.bkend("auth", "settings", "--set", "accessTokenTtlSeconds=1")
    helper = next(text for text in blocks(page, "js") if "function bkendFetch" in text)
    helper = helper.replace("http://127.0.0.1:8000", server.url).replace("pk_...", server.key)
    (tmp_path / "helper.mjs").write_text(helper)
    (tmp_path / "use.mjs").write_text(_USE)
    done = subprocess.run(
        ["node", str(tmp_path / "use.mjs")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1 post, refreshed, signed out"


_USE = """
const kept = new Map();
globalThis.localStorage = {
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => kept.set(name, value),
  removeItem: (name) => kept.delete(name),
};
const { bkendFetch, signUp, signOut } = await import("./helper.mjs");
const access = () => JSON.parse(kept.get("bkend")).accessToken;
await signUp({ email: "ada@example.com", password: "correct horse battery", name: "Ada" });
const first = access();
await bkendFetch("/v1/data/posts", { method: "POST", body: { title: "Hello" } });
const { exp } = JSON.parse(Buffer.from(first.split(".")[1], "base64url"));
while (Date.now() / 1000 < exp + 0.05) await new Promise((wake) => setTimeout(wake, 20));
await Promise.all([1, 2, 3].map(() => bkendFetch("/v1/auth/me")));
const { pagination } = await bkendFetch("/v1/data/posts");
const refreshed = access() !== first ? "refreshed" : "not refreshed";
await signOut();
console.log(`${pagination.total} post, ${refreshed}, ${kept.size ? "kept" : "signed out"}`);
"""
