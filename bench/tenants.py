"""Many tenants in one process: what an environment that is open weighs, and what opening costs.

Every environment is called once, one after the other, while the server's memory, files and threads
are noted. Once with room for all of them, once with the default limit.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import machine
from bench.errors import BenchError
from bench.process import Server, free_port
from bench.report import Sheet
from bench.store import RESULTS
from bkend.core import open_core
from bkend.manage.activity import SYSTEM
from bkend.settings import Settings

PROJECTS, ENVIRONMENTS = 200, ("staging", "prod")
"""Besides `dev`, which every project has."""
MOST_MB_EACH = 1.5
_CHECKPOINTS = 6


@dataclass(frozen=True)
class Weight:
    """A server after so many environments were called."""

    called: int
    memory_mb: float
    files: int
    threads: int
    first_ms: float
    """Median of the first call of an environment since the checkpoint before."""


@dataclass(frozen=True)
class Lane:
    """One server with its limit."""

    limit: int
    ready_seconds: float
    weights: list[Weight]

    @property
    def mb_each(self) -> float:
        """Memory for each environment that was opened, up to the limit."""
        first, last = self.weights[0], self.weights[-1]
        return (last.memory_mb - first.memory_mb) / max(1, min(self.limit, last.called))


@dataclass(frozen=True)
class Outcome:
    """What was measured."""

    date: str
    machine: machine.Machine
    projects: int
    lanes: list[Lane]


def measure(projects: int, limits: list[int], root: Path, console: Console) -> Outcome:
    """Make the projects, then call every environment; raises BenchError when a server fails."""
    described = machine.describe(root)
    data = root / "data"
    began = time.perf_counter()
    keys = asyncio.run(_make(data, projects))
    seconds = time.perf_counter() - began
    console.print(f"{len(keys)} environments made in {seconds:.1f} s", highlight=False)
    lanes = [_lane(root, data, keys, limit) for limit in limits]
    date = datetime.now(UTC).date().isoformat()
    return Outcome(date, described, projects, lanes)


async def _make(data: Path, projects: int) -> list[str]:
    """The publishable key of every environment."""
    keys: list[str] = []
    async with open_core(Settings(data=data), serving=True) as core:
        made = await core.hierarchy.bootstrap()
        for number in range(projects):
            body = {"name": f"Project {number}"}
            project, _, key = await core.projects.create(made.organization_id, SYSTEM, body)
            keys.append(key["key"])
            for name in ENVIRONMENTS:
                _, key = await core.provisioning.create(project, name, None, None, SYSTEM)
                keys.append(key["key"])
    return keys


def _lane(root: Path, data: Path, keys: list[str], limit: int) -> Lane:
    port = free_port()
    command = [sys.executable, "-m", "bkend", "serve", "--data", str(data), "--port", str(port)]
    environment = {"BKEND_RATE_LIMIT": "off", "BKEND_OPEN_ENVIRONMENTS": str(limit)}
    with Server(
        f"bkend-{limit}",
        command,
        port=port,
        health="/healthz",
        directory=root,
        environment=environment,
    ) as server:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        weights = [_weigh(server, 0, [])]
        step = max(1, len(keys) // _CHECKPOINTS)
        times: list[float] = []
        for called, key in enumerate(keys, start=1):
            began = time.perf_counter()
            _call(connection, key)
            times.append((time.perf_counter() - began) * 1000)
            if called % step == 0 or called == len(keys):
                weights.append(_weigh(server, called, times))
                times = []
        return Lane(limit, server.ready_seconds, weights)


def _call(connection: HTTPConnection, key: str) -> None:
    """Open the environment by asking for a table that it does not have."""
    connection.request("GET", "/v1/data/none", headers={"X-API-Key": key})
    response = connection.getresponse()
    body = response.read()
    if response.status != 404:
        raise BenchError(f"an environment answered {response.status}: {body[:300]!r}")


def _weigh(server: Server, called: int, times: list[float]) -> Weight:
    status = Path(f"/proc/{server.pid}/status").read_text()
    threads = next(line for line in status.splitlines() if line.startswith("Threads:"))
    return Weight(
        called=called,
        memory_mb=server.memory_mb(),
        files=len(list(Path(f"/proc/{server.pid}/fd").iterdir())),
        threads=int(threads.split()[1]),
        first_ms=median(times) if times else 0.0,
    )


def save(outcome: Outcome, slug: str) -> Path:
    """Write figures and report; the report's path."""
    base = RESULTS / f"{outcome.date}-{slug}"
    base.with_suffix(".json").write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    lines = ["# Many tenants", "", f"{outcome.date}, {outcome.machine.cores} cores, SQLite."]
    for sheet in _sheets(outcome):
        lines += [
            "",
            f"{sheet.title}:",
            "",
            f"| {' | '.join(sheet.head)} |",
            f"|{' ---: |' * len(sheet.head)}",
            *(f"| {' | '.join(row)} |" for row in sheet.rows),
        ]
    base.with_suffix(".md").write_text("\n".join(lines) + "\n")
    return base.with_suffix(".md")


def show(outcome: Outcome, console: Console) -> None:
    """Print the tables."""
    for sheet in _sheets(outcome):
        table = Table(title=sheet.title, title_justify="left")
        for name in sheet.head:
            table.add_column(name, justify="right")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)


def _sheets(outcome: Outcome) -> list[Sheet]:
    head = ("environments called", "memory MB", "open files", "threads", "first call ms")
    sheets = []
    for lane in outcome.lanes:
        mark = "✓" if lane.mb_each <= MOST_MB_EACH else "✗"
        title = (
            f"At most {lane.limit} open: ready after {lane.ready_seconds:.1f} s, "
            f"{lane.mb_each:.2f} MB for each open one (target ≤ {MOST_MB_EACH} {mark})"
        )
        rows = [
            (
                f"{one.called:,}",
                f"{one.memory_mb:,.0f}",
                f"{one.files:,}",
                f"{one.threads:,}",
                f"{one.first_ms:.1f}",
            )
            for one in lane.weights
        ]
        sheets.append(Sheet(title, head, rows))
    return sheets
