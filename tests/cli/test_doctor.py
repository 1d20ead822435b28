"""`bkend doctor`: what each check tells of, and the exit code (00 §8)."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.mail.smtp import Inbox, smtp_server
from tests.servers import RunningServer, free_port

NAMES = [
    "database",
    "storage",
    "mail",
    "clock",
    "addresses",
    "directory",
    "tables",
    "indexes",
]
DATA = Path("bkend-data")
TABLES = """
version: 1
tables:
  open: {fields: {title: {type: string}}}
  closed:
    fields: {title: {type: string}}
    permissions: {user: {read: true}}
"""


def results(bkend: CommandLine, *options: str, code: int = 0) -> dict[str, Any]:
    """The checks by name."""
    found = bkend("doctor", "--json", *options, code=code)
    assert found.json["ok"] is (code == 0)
    assert [check["name"] for check in found.json["checks"]] == NAMES
    if code:
        assert found.stderr.startswith("bkend: ")
        assert len(found.stderr.splitlines()) == 1
    return {check["name"]: check for check in found.json["checks"]}


def test_a_fresh_installation_is_well(bkend: CommandLine) -> None:
    bkend("init")
    found = results(bkend)
    assert {name: check["result"] for name, check in found.items()} == {
        **dict.fromkeys(NAMES, "ok"),
        "mail": "warning",
    }
    assert "BKEND_SMTP_URL" in found["mail"]["advice"]
    assert "2 sound databases" in found["database"]["message"]


def test_for_people(bkend: CommandLine) -> None:
    bkend("init")
    shown = bkend("doctor").stdout
    for name in NAMES:
        assert f"\n{name} " in f"\n{shown}"
    assert "mail: set BKEND_SMTP_URL" in shown
    (DATA / "secret").chmod(0o644)
    assert bkend.refused("doctor") == "1 problem: directory"


@pytest.mark.parametrize("name", ["secret", "control.db", "."])
def test_what_others_can_read_is_a_problem(bkend: CommandLine, name: str) -> None:
    bkend("init")
    (DATA / name).chmod(0o755)
    check = results(bkend, code=1)["directory"]
    assert check["result"] == "problem"
    assert check["details"] == [f"{DATA / name} has mode 0755"]


def test_a_lost_secret_is_a_problem(bkend: CommandLine) -> None:
    bkend("init")
    _serve_once()
    (DATA / "secret").unlink()
    check = results(bkend, code=1)["directory"]
    assert "master secret" in check["message"]


def _serve_once() -> None:
    """The data belongs to its secret from the first start on."""
    import asyncio

    from bkend.core import open_core
    from bkend.settings import Settings

    async def serve() -> None:
        async with open_core(Settings(), serving=True):
            pass

    asyncio.run(serve())


def test_a_damaged_database_is_told_and_the_rest_is_looked_at(bkend: CommandLine) -> None:
    bkend("init")
    bkend("doctor")  # opens, and so makes, the database of the environment
    [damaged] = (DATA / "environments").glob("*.db")
    damaged.write_bytes(b"no database" * 1000)
    found = results(bkend, code=1)
    assert found["database"]["result"] == "problem"
    assert "app/dev" in found["database"]["details"][0]
    assert found["storage"]["result"] == "ok"
    (DATA / "control.db").write_bytes(b"no database" * 1000)
    found = results(bkend, code=1)
    assert found["database"]["result"] == "problem"
    assert found["tables"]["message"].startswith("not looked at")
    assert found["clock"]["result"] == "ok"


def test_a_disk_that_is_nearly_full(bkend: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    bkend("init")
    usage = type(shutil.disk_usage("."))(10**10, 10**10 - 10**8, 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    found = results(bkend)
    for name in ("database", "storage"):
        assert found[name]["result"] == "warning"
        assert "0.1 GiB free" in found[name]["message"]
        assert "make room" in found[name]["advice"]


def test_mail(bkend: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    bkend("init")
    inbox = Inbox()
    with smtp_server(inbox) as port:
        monkeypatch.setenv("BKEND_SMTP_URL", f"smtp://127.0.0.1:{port}")
        assert results(bkend)["mail"]["result"] == "ok"
        assert inbox.mails == []
    monkeypatch.setenv("BKEND_SMTP_URL", f"smtp://user:hush@127.0.0.1:{free_port()}?tls=off")
    check = results(bkend, code=1)["mail"]
    assert check["result"] == "problem"
    assert "hush" not in str(check)


def test_storage_that_takes_nothing(bkend: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    bkend("init")
    Path("occupied").write_text("a file where the folder should be")
    monkeypatch.setenv("BKEND_STORAGE_URL", f"file:{Path('occupied').absolute()}")
    assert results(bkend, code=1)["storage"]["result"] == "problem"
    monkeypatch.setenv("BKEND_STORAGE_URL", f"s3://K:hush@127.0.0.1:{free_port()}/files?tls=off")
    check = results(bkend, code=1)["storage"]
    assert "no connection" in check["message"]
    assert "hush" not in str(check)


def test_files_from_the_future_make_the_clock_doubtful(bkend: CommandLine) -> None:
    bkend("init")
    later = time.time() + 600
    os.utime(DATA / "control.db", (later, later))
    check = results(bkend, code=1)["clock"]
    assert check["result"] == "problem"
    assert "in the future" in check["message"]


@pytest.mark.parametrize(
    ("settings", "result", "told"),
    [
        ({}, "ok", "for this machine alone"),
        ({"HOST": "0.0.0.0"}, "warning", "only this machine knows"),
        ({"PUBLIC_URL": "http://api.example.com"}, "warning", "unencrypted"),
        ({"PUBLIC_URL": "https://api.example.com:8443"}, "warning", "port of its own"),
        ({"PUBLIC_URL": "https://api.example.com"}, "ok", "https://api.example.com"),
        (
            {"PUBLIC_URL": "https://a.example.com", "RAW_URL": "http://b.example.com"},
            "warning",
            "BKEND_RAW_URL",
        ),
        ({"PUBLIC_URL": "http://localhost:9000"}, "ok", "http://localhost:9000"),
    ],
    ids=str,
)
def test_addresses(
    bkend: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    result: str,
    told: str,
) -> None:
    bkend("init")
    for name, value in {"PORT": str(free_port()), **settings}.items():
        monkeypatch.setenv(f"BKEND_{name}", value)
    check = results(bkend)["addresses"]
    assert (check["result"], told in check["message"]) == (result, True)


def test_production_is_held_to_more(bkend: CommandLine) -> None:
    bkend("init", "--env", "prod")
    Path("bkend.yaml").write_text(TABLES)
    bkend("apply", "bkend.yaml", "--env", "prod", "--yes")
    found = results(bkend)
    assert found["tables"]["result"] == "warning"
    assert found["tables"]["details"] == ["app/prod: open"]
    assert found["addresses"]["result"] == "warning"
    Path("bkend.yaml").write_text(
        TABLES.replace(
            "title: {type: string}}}", "title: {type: string}}, permissions: {self: {read: true}}}"
        )
    )
    bkend("apply", "bkend.yaml", "--env", "prod", "--yes")
    assert results(bkend)["tables"]["result"] == "ok"


def test_beside_a_running_server(server: RunningServer) -> None:
    done = server.bkend("doctor", "--storage", "--json")
    found = json.loads(done.stdout)
    assert found["ok"] is True
    assert found["orphans"]["items"] == []
    with server.client() as client:
        assert client.get("/readyz").status_code == 200


# -- orphans --------------------------------------------------------------------------------------


@pytest.fixture
def orphan(bkend: CommandLine) -> Callable[[], Path]:
    """Puts an object of an hour ago into the store that no row names."""
    bkend("init")

    def make() -> Path:
        import asyncio

        from bkend.core import open_core
        from bkend.files.names import new_key
        from bkend.settings import Settings

        async def put() -> Path:
            async with open_core(Settings(), serving=False) as core:
                place = await core.hierarchy.place("app", "dev")
                key = new_key(place.project_id, "dev", None, "a.txt", 0)

                async def parts() -> Any:
                    yield b"lost"

                await core.objects.put(key, parts(), limit=10)
                found = await core.objects.open(key)
                assert found is not None
                assert found.path is not None
                await found.close()
                return Path(found.path)

        path = asyncio.run(put())
        os.utime(path, (time.time() - 4000, time.time() - 4000))
        return path

    return make


def test_orphans_are_shown_and_removed_when_told_to(
    bkend: CommandLine, orphan: Callable[[], Path]
) -> None:
    assert bkend("doctor", "--storage", "--json").json["orphans"] == {
        "objects": 0,
        "rows": 0,
        "foreign": 0,
        "removed": 0,
        "items": [],
    }
    path = orphan()
    bkend("doctor")  # without --storage nobody looks
    found = bkend("doctor", "--storage", "--json", code=1)
    assert found.stderr == "bkend: 1 problem: orphans\n"
    [item] = found.json["orphans"]["items"]
    assert (item["kind"], item["place"]) == ("object", "app/dev")
    shown = bkend("doctor", "--storage", code=1).stdout
    assert "object without a row" in shown
    assert item["key"] in shown
    for options in (("--json",), ()):
        assert "--yes" in bkend("doctor", "--storage", "--fix", *options, code=1).stderr
    assert path.exists()
    done = bkend("doctor", "--storage", "--fix", "--yes", "--json").json
    assert (done["ok"], done["orphans"]["removed"]) == (True, 1)
    assert not path.exists()
    assert "There are no orphans." in bkend("doctor", "--storage").stdout
