"""The same traffic at one table size after another: what growing costs.

Every size has a server of its own; they are driven in turns, so that the machine's noise meets all
of them alike.
"""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import machine, wrk
from bench.documents import documents
from bench.peers.bkend import Bkend
from bench.report import Sheet
from bench.results import Load, Plan
from bench.rounds import Lane, interleaved
from bench.store import RESULTS
from bench.workloads import Workload, traffic

SIZES = (1_000, 100_000, 1_000_000)
WORKLOADS = (Workload.READ, Workload.FILTERED, Workload.NEWEST, Workload.CREATE, Workload.COMPARED)
WARM_UP_SECONDS = 20
"""For the memory of records to fill where there are a million of them."""
MOST_SLOWER = {Workload.READ: 1.5, Workload.FILTERED: 1.5}
"""How many times slower the largest table may be than the smallest."""


@dataclass(frozen=True)
class Growth:
    """What was measured: loads by workload and number of documents."""

    date: str
    plan: Plan
    machine: machine.Machine
    sizes: tuple[int, ...]
    loads: dict[Workload, dict[int, Load]]

    def slower(self, workload: Workload) -> float:
        """How many times slower the largest table is than the smallest."""
        by_size = self.loads[workload]
        smallest, largest = by_size[self.sizes[0]], by_size[self.sizes[-1]]
        return smallest.requests_per_second / largest.requests_per_second


def measure(
    plan: Plan, sizes: Sequence[int], workloads: Sequence[Workload], root: Path, progress: Progress
) -> Growth:
    """Load every size, then measure; raises BenchError when a server misbehaves."""
    wrk.require()
    described = machine.describe(root)
    peers = {size: _filled(size, root / str(size), progress) for size in sizes}
    loads: dict[Workload, dict[int, Load]] = {}
    with ExitStack() as stack:
        servers = {
            size: stack.enter_context(peer.start(root / str(size))) for size, peer in peers.items()
        }
        for workload in workloads:
            lanes = {
                str(size): Lane(
                    servers[size],
                    wrk.Driver(
                        traffic(workload, peer.addresses()),
                        root / "wrk" / f"{size}-{workload.key}",
                    ),
                )
                for size, peer in peers.items()
            }
            task = progress.add_task(workload.value, total=len(lanes) * (plan.rounds + 1))
            found = interleaved(
                lanes,
                rounds=plan.rounds,
                seconds=plan.seconds,
                warm_up=WARM_UP_SECONDS,
                tick=lambda task=task: progress.advance(task),  # type: ignore[misc]
            )
            loads[workload] = {int(name): load for name, load in found.items()}
    date = datetime.now(UTC).date().isoformat()
    return Growth(date, plan, described, tuple(sizes), loads)


def _filled(size: int, directory: Path, progress: Progress) -> Bkend:
    peer = Bkend()
    task = progress.add_task(f"load {size:,} documents", total=size)
    peer.prepare(directory)
    with peer.start(directory) as server:
        peer.fill(server, list(documents(size)), lambda more: progress.advance(task, more))
    return peer


def save(growth: Growth, slug: str) -> Path:
    """Write figures, report and plot; return the report's path."""
    base = RESULTS / f"{growth.date}-{slug}"
    plain = {
        "date": growth.date,
        "plan": asdict(growth.plan),
        "machine": asdict(growth.machine),
        "loads": {
            workload.key: {str(size): asdict(load) for size, load in by_size.items()}
            for workload, by_size in growth.loads.items()
        },
    }
    base.with_suffix(".json").write_text(json.dumps(plain, indent=2) + "\n")
    _plot(growth, base.with_suffix(".svg"))
    sheet = _sheet(growth)
    lines = [
        "# Growth",
        "",
        f"{growth.date}, {growth.machine.cores} cores, {wrk.CONNECTIONS} connections, "
        f"{growth.plan.rounds} rounds of {growth.plan.seconds} s for each figure, in turns, after "
        f"{WARM_UP_SECONDS} s to warm up. Reads ask for a random one of all documents. "
        "Requests a second:",
        "",
        f"| {' | '.join(sheet.head)} |",
        f"| --- |{' ---: |' * (len(sheet.head) - 1)}",
        *(f"| {' | '.join(row)} |" for row in sheet.rows),
        "",
        f"![Requests a second by number of documents]({base.with_suffix('.svg').name})",
    ]
    base.with_suffix(".md").write_text("\n".join(lines) + "\n")
    return base.with_suffix(".md")


def show(growth: Growth, console: Console) -> None:
    """Print the table."""
    sheet = _sheet(growth)
    table = Table(title=sheet.title, title_justify="left")
    for name in sheet.head:
        table.add_column(name)
    for row in sheet.rows:
        table.add_row(*row)
    console.print(table)


def _sheet(growth: Growth) -> Sheet:
    rows = []
    for workload, by_size in growth.loads.items():
        slower = growth.slower(workload)
        most = MOST_SLOWER.get(workload)
        target = "" if most is None else f"≤ {most}× {'✓' if slower <= most else '✗'}"
        speeds = [f"{by_size[size].requests_per_second:,.0f}" for size in growth.sizes]
        rows.append((workload.value, *speeds, f"{slower:.2f}×", target))
    head = ("workload", *(f"{size:,}" for size in growth.sizes), "times slower", "target")
    return Sheet("Requests a second by number of documents", head, rows)


def _plot(growth: Growth, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "bkend"  # equal figures give an equal file
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for workload, by_size in growth.loads.items():
        loads = [by_size[size] for size in growth.sizes]
        middle = [load.requests_per_second for load in loads]
        low = [m - load.slowest_and_fastest[0] for m, load in zip(middle, loads, strict=True)]
        high = [load.slowest_and_fastest[1] - m for m, load in zip(middle, loads, strict=True)]
        axes.errorbar(
            growth.sizes, middle, yerr=[low, high], marker="o", capsize=3, label=workload.value
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(growth.sizes, [f"{size:,}" for size in growth.sizes])
    axes.set_xlabel("documents in the table")
    axes.set_ylabel("requests a second")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
