"""Through a real PgBouncer in transaction mode, where no session is one's own."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bkend.store import (
    ALWAYS,
    Check,
    Collection,
    Contains,
    Delete,
    DeleteWhere,
    Duplicate,
    Equals,
    Find,
    Index,
    Store,
    Update,
)
from tests.postgres import run
from tests.servers import free_port
from tests.store.conftest import OpenDatabase
from tests.store.rows import THINGS, document, find_ids, insert

START_SECONDS = 15
_SETTINGS = """
[databases]
* = host={host} user={user} {more}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
logfile = {directory}/log
pidfile = {directory}/pid
"""


def program() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@pytest.fixture(scope="module")
def pooler(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the shared database through PgBouncer."""
    found = program()
    if found is None:
        pytest.skip("pgbouncer is not installed; scripts/system-packages does it")
    parts = urlsplit(shared_url)
    query = parse_qs(parts.query)
    host = query["host"][0] if "host" in query else parts.hostname
    more = " ".join(
        f"{name}={value}"
        for name, value in (("port", parts.port), ("password", parts.password))
        if value
    )
    directory = tmp_path_factory.mktemp("pgbouncer")
    port = free_port()
    file = directory / "pgbouncer.ini"
    settings = {"host": host, "user": parts.username, "more": more, "port": port}
    file.write_text(_SETTINGS.format(directory=directory, **settings))
    user = Path(host).owner() if host and Path(host).is_dir() else "nobody"
    process = start(found, file, user)
    try:
        wait_for(port, directory)
        yield f"postgresql://any@127.0.0.1:{port}{parts.path}"
    finally:
        process.terminate()
        process.wait()


def start(found: str, file: Path, user: str) -> subprocess.Popen[bytes]:
    """PgBouncer refuses to run as root, so root runs it as the owner of the server's socket."""
    command = [found, "-q", str(file)]
    if os.geteuid() == 0:
        for place in (file.parent, *file.parent.parents[:3]):
            if place.stat().st_uid == 0 and place != Path("/tmp"):
                place.chmod(0o755)
        file.parent.chmod(0o777)
        command[1:1] = ["-u", user]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def wait_for(port: int, directory: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError((directory / "log").read_text() if (directory / "log").exists() else "")


@pytest.fixture
async def pooled(open_database: OpenDatabase, pooler: str, shared_url: str) -> Store:
    """An environment's store behind the pooler."""
    database = await open_database(url=pooler, transaction_pooling=True, direct_url=shared_url)
    store: Store = await database.environment("dev")
    await store.define(Collection(THINGS, (Index("u", (("u", 1),), unique=True, sparse=True),)))
    return store


async def test_everything_works_behind_a_transaction_pooler(pooled: Store) -> None:
    await pooled.commit([insert("a", {"u": 1, "t": "É"}), insert("b", {"n": 1})])
    await pooled.commit([insert("c", {"u": "x"})])
    await pooled.commit([Update(THINGS, "b", increment={"n": 2}, guard=Equals(("n",), 1))])
    await pooled.commit([Check(THINGS, ALWAYS, 3, 3), Delete(THINGS, "c")])
    with pytest.raises(Duplicate):
        await pooled.commit([insert("d", {"u": 1})])
    held = await document(pooled, "b")
    assert held is not None
    assert held["n"] == 3
    assert await find_ids(pooled, Contains(("t",), "é")) == ["a"]
    assert (await pooled.find(Find(THINGS, limit=1))).total == 2
    assert await pooled.commit([DeleteWhere(THINGS, ALWAYS)]) == [2]


async def test_many_at_once_share_few_sessions(pooled: Store) -> None:
    await asyncio.gather(*(pooled.commit([insert(f"{n:02}", {"n": n})]) for n in range(40)))
    counts = await asyncio.gather(
        *(pooled.count(THINGS, Equals(("n",), n)) for n in range(40)),
        *(pooled.get(THINGS, f"{n:02}") for n in range(40)),
    )
    assert counts[:40] == [1] * 40
    assert None not in counts
    equal = [pooled.commit([insert(f"e{n}", {"u": 7})]) for n in range(20)]
    outcomes = await asyncio.gather(*equal, return_exceptions=True)
    assert sum(isinstance(outcome, Duplicate) for outcome in outcomes) == 19


async def test_limits_travel_with_each_transaction(pooled: Store, pooler: str) -> None:
    shown = await pooled._pool.fetchrow("SHOW statement_timeout")  # type: ignore[attr-defined]
    assert shown[0] == "10s"
    assert await run(pooler, "SHOW statement_timeout") == "0"


async def test_totals_are_exact_behind_a_pooler(
    pooled: Store, open_database: OpenDatabase, shared_url: str
) -> None:
    direct = await (await open_database()).environment("dev")
    for turn in range(20):
        await (direct if turn % 2 else pooled).commit([insert(str(turn))])
        for store in (pooled, direct):
            assert [await store.count(THINGS) for _ in range(3)] == [turn + 1] * 3


async def test_news_come_past_the_pooler(pooled: Store, open_database: OpenDatabase) -> None:
    heard = asyncio.Event()
    pooled.listen(lambda collection, ids: heard.set())
    other = await (await open_database()).environment("dev")
    await other.commit([insert("a")])
    async with asyncio.timeout(10):
        await heard.wait()
